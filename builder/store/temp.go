package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// Temp is a temporary folder in the store. It is on the same file system as blobs and trees, so
// that what is made in it enters the store by a rename.
type Temp struct {
	Dir  string
	lock *os.File
}

// TempDir makes a temporary folder. If the process dies without calling Remove, the next
// Open of the store removes it.
func (s *Store) TempDir(prefix string) (*Temp, error) {
	lock, err := s.tempLock(prefix)
	if err != nil {
		return nil, fmt.Errorf("store: temporary folder: %w", Explain(err))
	}
	// The lock comes first: a folder without one would look like a dead process's, or stay for ever.
	dir := strings.TrimSuffix(lock.Name(), lockSuffix)
	if err := os.Mkdir(dir, 0o755); err != nil {
		os.Remove(lock.Name())
		lock.Close()
		return nil, fmt.Errorf("store: temporary folder: %w", Explain(err))
	}
	return &Temp{Dir: dir, lock: lock}, nil
}

const lockSuffix = ".lock"

// tempLock makes a lock file with a new name and locks it.
func (s *Store) tempLock(prefix string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(s.path("tmp"), prefix+"-*"+lockSuffix)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && isAt(f, f.Name()) {
			return f, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		// A sweep of another process came in between and took the file away: another name.
	}
}

// isAt tells whether name is still the file f.
func isAt(f *os.File, name string) bool {
	open, errOpen := f.Stat()
	there, errThere := os.Lstat(name)
	return errOpen == nil && errThere == nil && os.SameFile(open, there)
}

// Remove deletes the folder with all that is left in it.
func (t *Temp) Remove() error {
	err := os.RemoveAll(t.Dir)
	os.Remove(t.lock.Name())
	return errors.Join(err, t.lock.Close())
}

// sweep removes temporary folders whose owner is gone. What can't be removed is left for the next
// time: a store that works is worth more than one that is tidy.
func (s *Store) sweep() {
	locks, _ := filepath.Glob(s.path("tmp", "*"+lockSuffix))
	for _, name := range locks {
		l := flock.New(name)
		if ok, err := l.TryLock(); err != nil || !ok {
			continue
		}
		if os.RemoveAll(strings.TrimSuffix(name, lockSuffix)) == nil {
			os.Remove(name)
		}
		l.Close()
	}
}
