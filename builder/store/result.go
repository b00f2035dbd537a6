package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Result returns the stored result of a key; the error is os.ErrNotExist if there is none.
func (s *Store) Result(key Digest) ([]byte, error) {
	return os.ReadFile(s.path("results", key.Hex()))
}

// PutResult stores the result of a key and remembers the key as the last one of name.
func (s *Store) PutResult(name string, key Digest, b []byte) error {
	err := errors.Join(s.write(s.path("results", key.Hex()), b), s.SetLast(name, key))
	if err != nil {
		return fmt.Errorf("store: result of %s: %w", name, Explain(err))
	}
	return nil
}

// SetLast remembers the key as the last one of name.
func (s *Store) SetLast(name string, key Digest) error {
	return s.write(s.path("last", fileName(name)), []byte(key))
}

// DropResult forgets the result of a key, whose outputs turned out to be damaged.
func (s *Store) DropResult(key Digest) error {
	err := os.Remove(s.path("results", key.Hex()))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Last returns the key that a step of that name had in the last build.
func (s *Store) Last(name string) (Digest, bool) {
	b, err := os.ReadFile(s.path("last", fileName(name)))
	if err != nil {
		return "", false
	}
	d, err := ParseDigest(string(b))
	return d, err == nil
}

// Log creates the log file of a step's run and returns it; the log of an earlier run is replaced.
func (s *Store) Log(name string) (*os.File, error) {
	f, err := os.OpenFile(s.path("logs", fileName(name)), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("store: log: %w", Explain(err))
	}
	return f, nil
}

// fileName turns a step's name into one path element.
func fileName(name string) string { return strings.ReplaceAll(name, "/", "~") }
