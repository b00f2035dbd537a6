package builder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mesos-forge/forge/builder/store"
)

// lockPause is how often a forge that waits for another one's output folder looks again.
const lockPause = 50 * time.Millisecond

// syncAll makes sure that a file, or every file of a folder, is on the disk before it gets its name.
func syncAll(path string) error {
	return filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncFile(name)
	})
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func fileDigest(path string) (store.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	d, _, err := store.DigestReader(f)
	return d, err
}
