package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Collection says what Collect may remove.
type Collection struct {
	Before time.Time // results that were used last before this are not kept
	DryRun bool      // remove nothing, only count

	// Needs returns the outputs that a result names. A result that it can't read is not kept.
	Needs func(result []byte) ([]Digest, error)
	// Wait is called once if another process uses the store: Collect waits for it. Nil: nothing is said.
	Wait func()
}

// Collected is what Collect removed, or would have.
type Collected struct {
	Results   int   `json:"results"`
	Blobs     int   `json:"blobs"`
	Trees     int   `json:"trees"`
	Logs      int   `json:"logs"`
	Temporary int   `json:"temporary"` // what killed processes left behind
	Bytes     int64 `json:"bytes"`     // on the disk; files that have a second name outside are not counted
	Kept      int   `json:"kept"`      // results
}

// Collect removes from the store in dir what no kept result needs, and what killed processes left.
//
// It never takes anything from a process at work: it waits until it has the store for itself, and others
// wait in Open until it knows what is garbage and has put that aside. Killed at any point, it leaves a
// store that is whole; what is aside then goes with the next Open.
func Collect(ctx context.Context, dir string, c Collection) (Collected, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Collected{}, fmt.Errorf("store: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "FORMAT")); err != nil {
		return Collected{}, fmt.Errorf("there is no store in %s: %w", dir, err)
	}
	if err := makeFolders(dir); err != nil { // a copy may lack empty ones
		return Collected{}, err
	}
	s := &Store{dir: dir, boot: bootID(), use: flock.New(filepath.Join(dir, "locks", "use"))}
	defer s.use.Close()
	if err := s.take(ctx, c); err != nil {
		return Collected{}, fmt.Errorf("store %s: lock: %w", dir, err)
	}
	if err := s.checkFormat(); err != nil {
		return Collected{}, err
	}
	g := &collector{Collection: c, store: s, inodes: map[inode]bool{}, ended: map[string]bool{}}
	if !c.DryRun {
		if g.aside, err = s.TempDir("gc"); err != nil {
			return Collected{}, err
		}
	}
	err = g.collect(ctx)
	if g.aside != nil {
		// Others may go on: what is to be deleted has no name any more that they would look for.
		err = errors.Join(err, s.use.Unlock(), g.aside.Remove())
	}
	if err != nil {
		return g.Collected, fmt.Errorf("store %s: %w", dir, err)
	}
	return g.Collected, nil
}

// take gets the store's lock: alone, or with others for a dry run.
func (s *Store) take(ctx context.Context, c Collection) error {
	if c.DryRun {
		return s.use.RLock()
	}
	ok, err := s.use.TryLock()
	if err == nil && !ok {
		if c.Wait != nil {
			c.Wait()
		}
		_, err = s.use.TryLockContext(ctx, 50*time.Millisecond)
	}
	return err
}

type collector struct {
	Collection
	Collected
	store  *Store
	aside  *Temp // where garbage is moved; nil: a dry run
	moved  int
	inodes map[inode]bool  // counted already
	ended  map[string]bool // names of steps whose last result is not kept
}

func (g *collector) collect(ctx context.Context) error {
	keep, err := g.mark(ctx)
	if err != nil {
		return err
	}
	unnamed := func(name string) bool { return !keep[Digest(digestPrefix+name)] }
	if err := g.sweepFolder(ctx, "trees", unnamed, &g.Trees); err != nil {
		return err
	}
	prefixes, err := os.ReadDir(g.store.path("blobs", "sha256"))
	if err != nil {
		return err
	}
	for _, p := range prefixes {
		if err := g.sweepFolder(ctx, filepath.Join("blobs", "sha256", p.Name()), unnamed, &g.Blobs); err != nil {
			return err
		}
	}
	var small int // these have no number of their own in what is reported
	for _, folder := range []string{filepath.Join("meta", "blobs"), filepath.Join("meta", "trees")} {
		if err := g.sweepFolder(ctx, folder, unnamed, &small); err != nil {
			return err
		}
	}
	if err := g.sweepFolder(ctx, "logs", g.forgotten, &g.Logs); err != nil {
		return err
	}
	if g.DryRun { // others are at work: their locks and temporary folders are none of ours
		return nil
	}
	if err := g.sweepFolder(ctx, "locks", func(name string) bool { return name != "use" }, &small); err != nil {
		return err
	}
	own := filepath.Base(g.aside.Dir)
	return g.sweepFolder(ctx, "tmp", func(name string) bool { return name != own && name != own+".lock" }, &g.Temporary)
}

// forgotten tells whether a log is of no use any more: its step has no result that is kept, and has not
// run lately.
func (g *collector) forgotten(name string) bool {
	if _, err := os.Lstat(g.store.path("last", name)); err == nil && !g.ended[name] {
		return false
	}
	fi, err := os.Lstat(g.store.path("logs", name))
	return err == nil && fi.ModTime().Before(g.Before)
}

// sweepFolder removes the entries of a folder of the store that garbage tells, and counts them.
func (g *collector) sweepFolder(ctx context.Context, folder string, garbage func(name string) bool, count *int) error {
	entries, err := os.ReadDir(g.store.path(folder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !garbage(e.Name()) {
			continue
		}
		if !strings.HasSuffix(e.Name(), ".lock") { // goes with its folder
			*count++
		}
		if err := g.remove(filepath.Join(folder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// remove counts what lies at path and moves it aside.
func (g *collector) remove(path string) error {
	path = g.store.path(path)
	if err := g.count(path); err != nil {
		return err
	}
	if g.DryRun {
		return nil
	}
	g.moved++
	err := os.Rename(path, filepath.Join(g.aside.Dir, fmt.Sprint(g.moved)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
