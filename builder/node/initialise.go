package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/mesos-forge/forge/builder/cluster"
)

// initialise does the steps of one service that were never done.
//
// A step that is not staged is recorded as begun before it runs and as done
// after it, so that one that was killed half-way is known as such. A staged one
// leaves nothing in its final place before it is whole: see [Node.runStaged].
func (n *Node) initialise(ctx context.Context, s *state, svc RenderedService, d *cluster.Derived, acc *accounts) error {
	for _, step := range svc.Steps {
		key := svc.Name + "/" + step.Name
		if err := n.initialiseStep(ctx, s, key, step, d, acc); err != nil {
			return &initError{key, step.needsPeers(), err}
		}
		if err := n.completeCopies(step); err != nil {
			return &initError{key, false, err}
		}
	}
	return nil
}

// initError is what kept a step from being done.
type initError struct {
	key   string // SERVICE/STEP
	again bool   // it may succeed once its peers serve
	err   error
}

func (e *initError) Unwrap() error { return e.err }

func (e *initError) Error() string { return fmt.Sprintf("init %s: %v", e.key, e.err) }

func (n *Node) initialiseStep(ctx context.Context, s *state, key string, step RenderedInit, d *cluster.Derived, acc *accounts) error {
	was := s.Init[key]
	switch was {
	case initDone, initFound:
		return nil
	case initPlacing:
		return n.place(s, key, step)
	}
	next, err := n.decide(was, step)
	if err != nil {
		return err
	}
	if next == initFound {
		return n.recordInit(s, key, initFound)
	}
	if err := n.askPeers(ctx, step.Init, d); err != nil {
		return err
	}
	as, err := acc.user(step.User)
	if err != nil {
		return err
	}
	if step.Staged {
		return n.runStaged(ctx, s, key, step, as)
	}
	if err := n.recordInit(s, key, initBegun); err != nil {
		return err
	}
	if _, err := n.Exec(ctx, as, step.Argv); err != nil {
		return err
	}
	return n.recordInit(s, key, initDone)
}

func (n *Node) recordInit(s *state, key string, how initState) error {
	s.Init[key] = how
	return n.saveState(s)
}

// decide tells whether a step may run (initBegun) or its data is there already
// (initFound). It never answers initBegun while any of its paths holds data.
func (n *Node) decide(was initState, step RenderedInit) (initState, error) {
	var holding, empty []string
	for _, p := range step.Paths {
		what, err := look(n.path(p))
		if err != nil {
			return "", err
		}
		switch what {
		case holdsData:
			holding = append(holding, p)
		case emptyDirectory:
			empty = append(empty, p)
		case emptyLink:
			return "", fmt.Errorf("%s is a symbolic link to nothing, or to an empty directory: forge makes no data behind a link; give the inventory the path that it leads to", p)
		case emptyFileSystem:
			return "", fmt.Errorf("%s is the top of an empty file system (it holds lost+found alone): give the inventory a directory below it", p)
		}
	}
	if len(holding) > 0 {
		if was == initBegun {
			return "", fmt.Errorf("it was interrupted, and %s holds data: forge never initialises over data; look at it, and if it is worthless, move it away by hand",
				strings.Join(holding, ", "))
		}
		return initFound, nil
	}
	if !step.AllowEmpty && !step.Staged {
		for _, p := range empty { // rmdir fails on anything that is not empty
			if err := os.Remove(n.path(p)); err != nil {
				return "", fmt.Errorf("its directory must not exist yet: %w", err)
			}
		}
	}
	return initBegun, nil
}

// completeCopies makes the absent ones of directories that are copies of each other, where one holds data, with
// owner and mode of that one. It makes nothing where none does, and touches none that is there.
func (n *Node) completeCopies(step RenderedInit) error {
	if !step.Copies {
		return nil
	}
	var missing []string
	var holding fs.FileInfo
	for _, p := range step.Paths {
		what, err := look(n.path(p))
		if err != nil {
			return err
		}
		switch what {
		case absent:
			missing = append(missing, p)
		case holdsData:
			if holding, err = os.Stat(n.path(p)); err != nil {
				return err
			}
		}
	}
	if holding == nil || !holding.IsDir() {
		return nil
	}
	owner, ok := holding.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("this system tells no owners of directories")
	}
	for _, p := range missing {
		made := owned{path: n.path(p), mode: holding.Mode().Perm(), uid: int(owner.Uid), gid: int(owner.Gid), steps: n.steps}
		if err := ensureDir(made); err != nil {
			return fmt.Errorf("make %s, to be filled from its copy: %w", p, err)
		}
	}
	return nil
}

// peersError says that a step can't run before its peers answer.
type peersError struct{ silent []string }

func (e *peersError) Error() string { return "it needs " + strings.Join(e.silent, ", ") }

// needsPeers tells whether a step needs others at all.
func (in Init) needsPeers() bool { return len(in.Needs)+len(in.NeedsAll) > 0 }

// askPeers asks those that a step needs, once; a *peersError names the silent.
func (n *Node) askPeers(ctx context.Context, in Init, d *cluster.Derived) error {
	anyone := func(cluster.Peer) bool { return false }
	var silent []string
	for _, need := range in.Needs {
		silent = append(silent, n.silentEnds(ctx, d.Peers(need), need, anyone)...)
	}
	for _, need := range in.NeedsAll {
		for _, end := range d.Peers(need) {
			silent = append(silent, n.silentEnds(ctx, []cluster.Peer{end}, need, anyone)...)
		}
	}
	if len(silent) > 0 {
		return &peersError{silent}
	}
	return nil
}

// contents is what lies at a path.
type contents int

const (
	absent          contents = iota
	emptyDirectory           // itself, not behind a link
	holdsData                // a directory that holds anything, or a file
	emptyLink                // a link to nothing or to an empty directory
	emptyFileSystem          // lost+found alone
)

func look(path string) (contents, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	link := info.Mode().Type() == fs.ModeSymlink
	if link {
		if info, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return emptyLink, nil
		}
		if err != nil {
			return absent, err
		}
	}
	if !info.IsDir() {
		return holdsData, nil
	}
	entries, err := os.ReadDir(path)
	switch {
	case err != nil:
		return absent, err
	case len(entries) == 0 && link:
		return emptyLink, nil
	case len(entries) == 0:
		return emptyDirectory, nil
	case len(entries) == 1 && entries[0].Name() == "lost+found":
		return emptyFileSystem, nil
	}
	return holdsData, nil
}
