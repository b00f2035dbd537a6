package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// stagingSuffix makes the name of the directory that a staged step works in.
	stagingSuffix = ".forge-new"
	// stagingMark is the file that says that such a directory is forge's own.
	stagingMark = ".made-by-forge-node"
)

// stagingOf is the directory, beside a path, that holds what becomes it.
func stagingOf(path string) string { return path + stagingSuffix }

// staged is what the template function of that name gives: where a staged step
// makes the data that forge then moves to these paths.
func staged(paths []string) []string {
	var at []string
	for _, p := range paths {
		at = append(at, filepath.Join(stagingOf(p), filepath.Base(p)))
	}
	return at
}

// runStaged runs a step whose command makes staged(paths) instead of the paths,
// and moves these into place. Killed at any point, the next run goes on:
//
//   - while staging, nothing is in its place yet: what is staged is thrown away
//     and the step runs again;
//   - while placing, everything is whole and on disk: what is not in its place
//     yet is moved there, and the step never runs again.
func (n *Node) runStaged(ctx context.Context, s *state, key string, step RenderedInit, as User) error {
	if err := n.recordInit(s, key, initStaging); err != nil {
		return err
	}
	for _, p := range step.Paths {
		if err := n.makeStaging(p, as); err != nil {
			return fmt.Errorf("make room for %s: %w (on NFS, root of this node must be allowed to: no_root_squash)", p, err)
		}
	}
	n.changes("run " + key)
	if _, err := n.Exec(ctx, as, step.Argv); err != nil {
		return err
	}
	for i, from := range staged(step.Paths) {
		what, err := look(n.path(from))
		if err != nil {
			return err
		}
		if what != holdsData {
			return fmt.Errorf("the step ended well, but left nothing in %s, which would have become %s", from, step.Paths[i])
		}
		if err := syncTree(n.path(from)); err != nil {
			return fmt.Errorf("write %s to its disk: %w", from, err)
		}
	}
	if err := n.recordInit(s, key, initPlacing); err != nil {
		return err
	}
	return n.place(s, key, step)
}

// makeStaging makes an empty staging directory that the user owns.
func (n *Node) makeStaging(path string, as User) error {
	dir := n.path(stagingOf(path))
	if err := n.removeStaging(path); err != nil {
		return err
	}
	if err := mkdirs(filepath.Dir(dir)); err != nil {
		return err
	}
	n.changes("mkdir " + dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	n.changes("mark " + dir)
	if err := os.WriteFile(filepath.Join(dir, stagingMark), nil, 0o600); err != nil {
		return err
	}
	n.changes("chown " + dir)
	return os.Chown(dir, as.UID, as.GID)
}

// removeStaging removes a staging directory with what is in it, if forge made
// it. The mark goes last, so that a killed run leaves a directory that is known.
func (n *Node) removeStaging(path string) error {
	dir := n.path(stagingOf(path))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, stagingMark)); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s holds data that forge did not put there: move it away by hand", stagingOf(path))
	}
	for _, e := range entries {
		if e.Name() == stagingMark {
			continue
		}
		n.changes("remove " + e.Name())
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	n.changes("remove mark")
	if err := os.Remove(filepath.Join(dir, stagingMark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n.changes("rmdir " + dir)
	return os.Remove(dir)
}

// place moves what was staged to where it belongs and records the step as done.
func (n *Node) place(s *state, key string, step RenderedInit) error {
	for i, from := range staged(step.Paths) {
		if err := n.placeOne(from, step.Paths[i]); err != nil {
			return err
		}
	}
	for _, p := range step.Paths {
		if err := n.removeStaging(p); err != nil {
			return err
		}
	}
	return n.recordInit(s, key, initDone)
}

func (n *Node) placeOne(from, to string) error {
	whole, err := look(n.path(from))
	if err != nil {
		return err
	}
	there, err := look(n.path(to))
	if err != nil {
		return err
	}
	switch {
	case whole != holdsData && there == holdsData: // by the run before this one
		return nil
	case whole != holdsData:
		return fmt.Errorf("it was done, but %s is neither in its place nor in %s: was a disk or the inventory changed since? If the data of this service is lost for good, remove its record from %s", to, stagingOf(to), statePath)
	case there != absent && there != emptyDirectory:
		return fmt.Errorf("it was done in %s, but %s holds other data by now: look at both, and move one away by hand", stagingOf(to), to)
	}
	n.changes("rename " + from)
	// The kernel replaces an empty directory, and refuses any other.
	if err := unix.Rename(n.path(from), n.path(to)); err != nil {
		return fmt.Errorf("move %s to %s: %w", from, to, err)
	}
	return syncDir(filepath.Dir(n.path(to)))
}

// syncTree writes files and directories below a directory to disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !(d.IsDir() || d.Type().IsRegular()) {
			return err
		}
		return syncDir(path)
	})
}
