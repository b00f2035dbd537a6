package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mesos-forge/forge/builder/store"
)

// fileMode is that of entries and of files in a folder.
const fileMode = 0o644

// Written is a bundle that was written.
type Written struct {
	Path   string       `json:"path"`
	Size   int64        `json:"size"`             // bytes of all of it
	Digest store.Digest `json:"sha256,omitempty"` // of a file
	Inputs int          `json:"inputs"`
	Kept   int          `json:"kept"` // files that the folder had already
}

// Source says where the bytes of a blob are.
type Source interface {
	BlobPath(d store.Digest) (string, error)
}

// WriteFile writes a bundle as one file, which appears whole or not at all. progress is told how many of
// the bytes of all files are done.
func WriteFile(ctx context.Context, path string, x Index, from Source, progress func(done, total int64)) (w Written, err error) {
	x = x.Sorted()
	index, err := x.encode()
	if err != nil {
		return w, fmt.Errorf("bundle %s: %w", path, err)
	}
	part, err := openPart(path)
	if err != nil {
		return w, explain(path, err)
	}
	defer func() {
		if err != nil {
			part.discard()
			err = explain(path, err)
		}
	}()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(part.file, sum), 1<<20)
	t := tar.NewWriter(buffered)
	if err := writeHeader(t, IndexName, int64(len(index))); err != nil {
		return w, err
	}
	if _, err := t.Write(index); err != nil {
		return w, err
	}
	total, done := x.Size(), int64(0)
	blobs := x.Blobs()
	for _, blob := range blobs {
		if err := writeHeader(t, blob.name(), blob.Size); err != nil {
			return w, err
		}
		if err := copyBlob(ctx, t, blob, from); err != nil {
			return w, err
		}
		done += blob.Size
		progress(done, total)
	}
	if err := errors.Join(t.Close(), buffered.Flush()); err != nil {
		return w, err
	}
	w = Written{Path: path, Size: fileSize(int64(len(index)), blobs), Digest: store.DigestFrom(sum), Inputs: len(x.Inputs)}
	return w, part.finish()
}

// writeHeader writes the header of an entry: nothing but name and size differs.
func writeHeader(t *tar.Writer, name string, size int64) error {
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: fileMode, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR})
}

// copyBlob copies what the source has, and compares it with the digest on the way.
func copyBlob(ctx context.Context, w io.Writer, blob Blob, from Source) error {
	path, err := from.BlobPath(blob.Digest)
	if err != nil {
		return fmt.Errorf("%s: %w", blob.Input, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", blob.Input, err)
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), interruptible{ctx, io.LimitReader(f, blob.Size)})
	if err != nil {
		return fmt.Errorf("%s: %w", blob.Input, err)
	}
	if got := store.DigestFrom(sum); got != blob.Digest {
		return fmt.Errorf("%s: the store has %d bytes with the digest %s, expected %d with %s", blob.Input, n, got, blob.Size, blob.Digest)
	}
	return nil
}

type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// WriteFolder writes a bundle as a folder, which may hold an older one: files that both name stay as they
// are, those that the new one does not name go when the new index is in place.
func WriteFolder(ctx context.Context, dir string, x Index, from Source, progress func(done, total int64)) (w Written, err error) {
	defer func() {
		if err != nil {
			err = explain(dir, err)
		}
	}()
	x = x.Sorted()
	index, err := x.encode()
	if err != nil {
		return w, err
	}
	if err := os.MkdirAll(filepath.Join(dir, blobFolder), 0o755); err != nil {
		return w, err
	}
	part, err := openPart(filepath.Join(dir, IndexName)) // also keeps other writers out
	if err != nil {
		return w, err
	}
	defer part.discard()
	w = Written{Path: dir, Size: int64(len(index)) + x.Size(), Inputs: len(x.Inputs)}
	total, done := x.Size(), int64(0)
	for _, blob := range x.Blobs() {
		kept, err := placeBlob(ctx, dir, blob, from)
		if err != nil {
			return w, err
		}
		if kept {
			w.Kept++
		}
		done += blob.Size
		progress(done, total)
	}
	if _, err := part.file.Write(index); err != nil {
		return w, err
	}
	if err := errors.Join(syncDir(filepath.Join(dir, blobFolder)), part.finish()); err != nil {
		return w, err
	}
	return w, removeOthers(filepath.Join(dir, blobFolder), x.Blobs())
}

// placeBlob copies a blob into the folder unless it is there.
func placeBlob(ctx context.Context, dir string, blob Blob, from Source) (kept bool, err error) {
	path := filepath.Join(dir, blob.name())
	if holds(path, blob) {
		return true, nil
	}
	part, err := openPart(path)
	if err != nil {
		return false, err
	}
	if err := copyBlob(ctx, part.file, blob, from); err != nil {
		part.discard()
		return false, err
	}
	return false, part.finish()
}

// holds tells whether a file is that blob.
func holds(path string, blob Blob) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != blob.Size {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	d, _, err := store.DigestReader(f)
	return err == nil && d == blob.Digest
}

// removeOthers removes the files that the index does not name, unfinished ones among them.
func removeOthers(dir string, blobs []Blob) error {
	named := map[string]bool{}
	for _, b := range blobs {
		named[b.Digest.Hex()] = true
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !named[e.Name()] && e.Type().IsRegular() {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// explain says what a person can do about a full disk.
func explain(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("bundle %s: %w (the disk is full: free some space, or name another place for the bundle)", path, err)
	}
	return fmt.Errorf("bundle %s: %w", path, err)
}
