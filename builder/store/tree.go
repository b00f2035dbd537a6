package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/archive"
)

// AdoptTree moves a finished directory tree into the store; dir must be on the store's file
// system, as in a Temp. The digest is the sha256 of the tree's canonical manifest
// (archive.Manifest). If the store has the tree already, dir is removed.
func (s *Store) AdoptTree(ctx context.Context, dir string) (Digest, error) {
	d, err := treeDigest(ctx, dir)
	if err != nil {
		return "", err
	}
	home := s.path("trees", d.Hex())
	if _, err := os.Lstat(home); err == nil {
		if _, err := s.TreePath(ctx, d); err == nil {
			return d, os.RemoveAll(dir)
		}
	}
	// The tree goes into a folder of its own first, so that it appears under its digest by one rename.
	stage, err := os.MkdirTemp(filepath.Dir(dir), "adopt-*")
	if err != nil {
		return "", fmt.Errorf("store: tree %s: %w", d, Explain(err))
	}
	if err := errors.Join(os.Chmod(stage, 0o755), os.Rename(dir, filepath.Join(stage, "fs"))); err != nil {
		return "", fmt.Errorf("store: tree %s: %w", d, Explain(err))
	}
	if err := os.Rename(stage, home); err != nil {
		if _, errThere := os.Lstat(home); errThere != nil { // else another process was quicker
			return "", fmt.Errorf("store: tree %s: %w", d, Explain(err))
		}
		if err := os.RemoveAll(stage); err != nil {
			return "", fmt.Errorf("store: tree %s: %w", d, err)
		}
	}
	sig, err := archive.StatSignature(ctx, filepath.Join(home, "fs"))
	if err != nil {
		return "", fmt.Errorf("store: tree %s: %w", d, err)
	}
	return d, s.record("trees", d, sig)
}

// TreePath returns the directory of a tree that was checked against its digest. It must not be
// changed; use it as a lower layer. A tree that is damaged is removed and reported as absent
// (os.ErrNotExist).
func (s *Store) TreePath(ctx context.Context, d Digest) (string, error) {
	dir := filepath.Join(s.path("trees", d.Hex()), "fs")
	if _, err := os.Lstat(dir); err != nil {
		return "", fmt.Errorf("tree %s: %w", d, err)
	}
	sig, err := archive.StatSignature(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("tree %s: %w", d, err)
	}
	if s.checked("trees", d, sig) {
		return dir, nil
	}
	got, err := treeDigest(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("tree %s: %w", d, err)
	}
	if got != d {
		if err := s.discardTree(d); err != nil {
			return "", fmt.Errorf("tree %s is damaged: %w", d, err)
		}
		return "", fmt.Errorf("tree %s was damaged (its content is %s) and is removed: %w", d, got, os.ErrNotExist)
	}
	return dir, s.record("trees", d, sig)
}

// HasTree tells whether a tree of that digest is there. It does not read it.
func (s *Store) HasTree(d Digest) bool {
	_, err := os.Lstat(s.path("trees", d.Hex(), "fs"))
	return err == nil
}

// discardTree takes the tree out of sight by one rename before it is deleted.
func (s *Store) discardTree(d Digest) error {
	t, err := s.TempDir("discard")
	if err != nil {
		return err
	}
	err = os.Rename(s.path("trees", d.Hex()), filepath.Join(t.Dir, "tree"))
	return errors.Join(err, t.Remove())
}

func treeDigest(ctx context.Context, dir string) (Digest, error) {
	h := sha256.New()
	if err := archive.Manifest(ctx, dir, h); err != nil {
		return "", fmt.Errorf("store: manifest: %w", err)
	}
	return DigestFrom(h), nil
}
