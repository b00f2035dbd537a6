package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const format = "1\n"

// Store is a folder that holds blobs, trees and results. It is safe for use by several goroutines
// and, on one machine, by several processes.
type Store struct {
	dir  string
	boot string // kernel boot id; a check made in another boot does not count
	use  *flock.Flock

	mu      sync.Mutex
	scratch *Temp // where blobs are written before they have a name
}

// Open opens the store in dir, making it if it is absent, and removes the temporary folders
// of processes that are gone. The error says what is wrong with dir.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := makeFolders(dir); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, boot: bootID(), use: flock.New(filepath.Join(dir, "locks", "use"))}
	if err := s.use.RLock(); err != nil {
		return nil, fmt.Errorf("store %s: lock: %w", dir, Explain(err))
	}
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.sweep()
	return s, nil
}

func makeFolders(dir string) error {
	for _, sub := range []string{"blobs/sha256", "trees", "meta/blobs", "meta/trees", "results", "last", "logs", "locks", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return fmt.Errorf("store %s: %w", dir, Explain(err))
		}
	}
	return nil
}

func (s *Store) checkFormat() error {
	dir, name := s.dir, s.path("FORMAT")
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := s.write(name, []byte(format)); err != nil {
			return fmt.Errorf("store %s: %w", dir, Explain(err))
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", dir, err)
	}
	if string(b) != format {
		return fmt.Errorf("store %s has format %q, this forge knows %q: use another folder with --store, or remove this one",
			dir, strings.TrimSpace(string(b)), strings.TrimSpace(format))
	}
	return nil
}

// bootID identifies the running kernel's boot. Where it can't be read it is never the same twice.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Sprintf("unknown-%d", time.Now().UnixNano())
	}
	return strings.TrimSpace(string(b))
}

// Dir returns the store's folder.
func (s *Store) Dir() string { return s.dir }

// Close removes the store's scratch folder and gives up its shared lock.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.scratch != nil {
		err = s.scratch.Remove()
	}
	return errors.Join(err, s.use.Close())
}

// scratchDir returns the folder for unfinished blobs, making it at the first call.
func (s *Store) scratchDir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scratch == nil {
		t, err := s.TempDir("scratch")
		if err != nil {
			return "", err
		}
		s.scratch = t
	}
	return s.scratch.Dir, nil
}

// Lock waits until this process alone holds the lock of that name, and returns the
// function that gives it up. wait is called once if another process holds it.
func (s *Store) Lock(ctx context.Context, name string, wait func()) (func(), error) {
	l := flock.New(s.path("locks", DigestOf([]byte(name)).Hex()))
	ok, err := l.TryLock()
	if err == nil && !ok {
		wait()
		ok, err = l.TryLockContext(ctx, 50*time.Millisecond)
	}
	if err != nil || !ok {
		return nil, fmt.Errorf("store: lock for %s: %w", name, err)
	}
	return func() { l.Close() }, nil
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}
