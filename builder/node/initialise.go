package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// initialise does the steps of one service that were never done. The record
// "begun" is on disk before a step runs and "done" after it, so that a step
// that was killed half-way is known as such.
func (n *Node) initialise(ctx context.Context, s *state, svc RenderedService, acc *accounts) error {
	for _, step := range svc.Steps {
		key := svc.Name + "/" + step.Name
		if done := s.Init[key]; done == initDone || done == initFound {
			continue
		}
		next, err := n.decide(key, s.Init[key], step)
		if err != nil {
			return err
		}
		if next == initFound {
			s.Init[key] = initFound
			if err := n.saveState(s); err != nil {
				return err
			}
			continue
		}
		as, err := acc.user(step.User)
		if err != nil {
			return fmt.Errorf("init %s: %w", key, err)
		}
		s.Init[key] = initBegun
		if err := n.saveState(s); err != nil {
			return err
		}
		if _, err := n.Exec(ctx, as, step.Argv); err != nil {
			return fmt.Errorf("init %s: %w", key, err)
		}
		s.Init[key] = initDone
		if err := n.saveState(s); err != nil {
			return err
		}
	}
	return nil
}

// decide tells whether a step may run (initBegun) or its data is there already
// (initFound). It never answers initBegun while any of its paths holds data.
func (n *Node) decide(key string, was initState, step RenderedInit) (initState, error) {
	var holding, empty []string
	for _, p := range step.Paths {
		what, err := look(n.path(p))
		if err != nil {
			return "", fmt.Errorf("init %s: %w", key, err)
		}
		switch what {
		case holdsData:
			holding = append(holding, p)
		case emptyDirectory:
			empty = append(empty, p)
		}
	}
	if len(holding) > 0 {
		if was == initBegun {
			return "", fmt.Errorf("init %s was interrupted, and %s holds data: forge never initialises over data; look at it, and if it is worthless, move it away by hand",
				key, strings.Join(holding, ", "))
		}
		return initFound, nil
	}
	if !step.AllowEmpty {
		for _, p := range empty { // rmdir fails on anything that is not empty
			if err := os.Remove(n.path(p)); err != nil {
				return "", fmt.Errorf("init %s: its directory must not exist yet: %w", key, err)
			}
		}
	}
	return initBegun, nil
}

type contents int

const (
	absent contents = iota
	emptyDirectory
	holdsData
)

func look(path string) (contents, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	if !info.IsDir() {
		return holdsData, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return absent, err
	}
	if len(entries) == 0 {
		return emptyDirectory, nil
	}
	return holdsData, nil
}
