package oci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// work is the hidden folder of a pull. It has the form of a layout for a disk, too.
type work struct {
	dir  string
	lock *os.File
}

func openWork(dir string, digest v1.Hash) (*work, error) {
	w := &work{dir: filepath.Join(dir, ".pull-"+digest.Hex[:16])}
	if err := os.MkdirAll(filepath.Dir(w.blob(digest)), 0o755); err != nil {
		return nil, err
	}
	var err error
	if w.lock, err = os.Open(w.dir); err != nil {
		return nil, err
	}
	if err := unix.Flock(int(w.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another forge pulls the same into %s: %w", dir, err), w.lock.Close())
	}
	return w, nil
}

func (w *work) layout() string { return filepath.Join(w.dir, ImageName) }

func (w *work) blob(digest v1.Hash) string {
	return filepath.Join(w.layout(), spec.ImageBlobsDir, digest.Algorithm, digest.Hex)
}

// room refuses what has no room on the disk, before the first byte of it comes.
func (w *work) room(blobs []v1.Descriptor) error {
	var need uint64
	for _, b := range blobs {
		need += uint64(b.Size)
		for _, name := range []string{w.blob(b.Digest), w.blob(b.Digest) + partSuffix} {
			if fi, err := os.Stat(name); err == nil {
				need -= min(uint64(fi.Size()), uint64(b.Size))
				break
			}
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(w.dir, &fs); err != nil {
		return err
	}
	if free := fs.Bavail * uint64(fs.Bsize); need > free {
		return fmt.Errorf("%s needs %d MiB more and has %d MiB: %w", filepath.Dir(w.dir), need>>20+1, free>>20, unix.ENOSPC)
	}
	return nil
}

// keepOnly removes what other versions of forge may have left there.
func (w *work) keepOnly(blobs []v1.Descriptor) error {
	folder := filepath.Dir(w.blob(blobs[0].Digest))
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if !slices.ContainsFunc(blobs, func(b v1.Descriptor) bool { return b.Digest.Hex == e.Name() }) {
			err = errors.Join(err, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	return err
}

// close removes the folder, unless the pull failed so that another can go on with what is in it.
func (w *work) close(failed error) error {
	var err error
	if failed == nil || errors.Is(failed, unix.ENOSPC) || errors.Is(failed, ErrWrongDigest) || errors.Is(failed, ErrDamaged) {
		err = os.RemoveAll(w.dir)
	}
	return errors.Join(err, w.lock.Close())
}

func writeSynced(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	return syncPath(path)
}

// syncPath has a file or folder reach the disk.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
