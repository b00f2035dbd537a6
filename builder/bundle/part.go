package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// part is a file that is not finished. Its name is always the same, so that what a killed process left is
// used by the next one; its lock keeps a second writer out.
type part struct {
	file *os.File // nil: finished or discarded
	path string   // of the finished file
}

func openPart(path string) (*part, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".part")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && !isAt(f, name) { // the other writer has just finished: the file is its own
		err = unix.EWOULDBLOCK
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("another forge is writing %s", path)
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), f.Chmod(fileMode))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &part{f, path}, nil
}

// isAt tells whether name is still the file f.
func isAt(f *os.File, name string) bool {
	open, errOpen := f.Stat()
	there, errThere := os.Lstat(name)
	return errOpen == nil && errThere == nil && os.SameFile(open, there)
}

// finish gives the file its name once its bytes are on the disk.
func (p *part) finish() error {
	err := p.file.Sync()
	if err == nil {
		err = os.Rename(p.file.Name(), p.path)
	}
	if err != nil {
		p.discard()
		return err
	}
	err = errors.Join(p.file.Close(), syncDir(filepath.Dir(p.path)))
	p.file = nil
	return err
}

// discard removes what was not finished.
func (p *part) discard() {
	if p.file != nil {
		os.Remove(p.file.Name())
		p.file.Close()
		p.file = nil
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
