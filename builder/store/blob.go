package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// HasBlob tells whether a blob of that digest is there. It does not read it.
func (s *Store) HasBlob(d Digest) bool {
	_, err := os.Lstat(s.blobName(d))
	return err == nil
}

// BlobPath returns the path of a blob that was checked against its digest. The file must not
// be changed. A blob that is damaged is removed and reported as absent (os.ErrNotExist).
func (s *Store) BlobPath(d Digest) (string, error) {
	name := s.blobName(d)
	sig, err := fileSignature(name)
	if err != nil {
		return "", fmt.Errorf("blob %s: %w", d, err)
	}
	if s.checked("blobs", d, sig) {
		return name, nil
	}
	got, _, err := digestFile(name)
	if err != nil {
		return "", fmt.Errorf("blob %s: %w", d, err)
	}
	if got != d {
		if err := os.Remove(name); err != nil {
			return "", fmt.Errorf("blob %s is damaged: %w", d, err)
		}
		return "", fmt.Errorf("blob %s was damaged (its content is %s) and is removed: %w", d, got, os.ErrNotExist)
	}
	return name, s.record("blobs", d, sig)
}

// PutBlob stores what r holds. If want is not empty and the digest differs, nothing is stored and
// the error is a *DigestError. It returns the digest and the length in bytes.
func (s *Store) PutBlob(ctx context.Context, r io.Reader, want Digest) (Digest, int64, error) {
	dir, err := s.scratchDir()
	if err != nil {
		return "", 0, err
	}
	f, err := os.CreateTemp(dir, "blob-*")
	if err != nil {
		return "", 0, fmt.Errorf("store: %w", Explain(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	}))
	if err != nil {
		return "", n, fmt.Errorf("store: blob: %w", Explain(err))
	}
	d := DigestFrom(h)
	if want != "" && d != want {
		return d, n, &DigestError{Name: "blob", Want: want, Got: d}
	}
	if err := f.Sync(); err != nil {
		return "", n, fmt.Errorf("store: blob: %w", Explain(err))
	}
	return d, n, s.place(f.Name(), d)
}

// AdoptFile moves a finished file into the store; path must be on the store's file system, as in a
// Temp. If want is not empty and the digest differs, the file stays and the error is a *DigestError.
func (s *Store) AdoptFile(path string, want Digest) (Digest, int64, error) {
	d, n, err := digestFile(path)
	if err != nil {
		return "", 0, fmt.Errorf("store: adopt: %w", err)
	}
	if want != "" && d != want {
		return d, n, &DigestError{Name: filepath.Base(path), Want: want, Got: d}
	}
	return d, n, s.place(path, d)
}

// place moves the file into the blobs and records its signature.
func (s *Store) place(path string, d Digest) error {
	name := s.blobName(d)
	if err := errors.Join(os.Chmod(path, 0o444), os.MkdirAll(filepath.Dir(name), 0o755), os.Rename(path, name)); err != nil {
		return fmt.Errorf("store: blob %s: %w", d, Explain(err))
	}
	sig, err := fileSignature(name)
	if err != nil {
		return fmt.Errorf("store: blob %s: %w", d, err)
	}
	return s.record("blobs", d, sig)
}

func (s *Store) blobName(d Digest) string {
	h := d.Hex()
	if len(h) < 2 {
		h = "00" + h // not a digest: names no blob
	}
	return s.path("blobs", "sha256", h[:2], h)
}

func digestFile(path string) (Digest, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return DigestReader(f)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
