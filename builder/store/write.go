package store

import (
	"errors"
	"os"
)

// write gives name the content b by a rename. The unfinished file lies in the scratch folder, so
// that whatever ends the process leaves nothing beside name.
func (s *Store) write(name string, b []byte) error {
	dir, err := s.scratchDir()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "file-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
