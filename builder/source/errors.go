package source

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mesos-forge/forge/builder/store"
)

// Mismatch says that a place has other bytes under an artifact's name.
func Mismatch(a Artifact, want, got store.Digest, from string) error {
	return &store.DigestError{Name: a.label(), Want: want, Got: got, From: from}
}

// SizeError says that a file is shorter or longer than it has to be.
type SizeError struct {
	Name, From string
	Want       int64 // bytes; 0: not known
	Got        int64 // bytes; 0: more than Limit
	Limit      int64
}

func (e *SizeError) Error() string {
	switch {
	case e.Got == 0 && e.Limit > 0:
		return fmt.Sprintf("%s from %s: larger than the %d bytes that are allowed", e.Name, e.From, e.Limit)
	case e.Got < e.Want:
		return fmt.Sprintf("%s from %s: truncated: %d of %d bytes came", e.Name, e.From, e.Got, e.Want)
	default:
		return fmt.Sprintf("%s from %s: %d bytes came, expected %d", e.Name, e.From, e.Got, e.Want)
	}
}

// UnknownDigestError says that an artifact is none of those that are known to be good.
type UnknownDigestError struct {
	Artifact Artifact
	Got      store.Digest
	From     string
}

func (e *UnknownDigestError) Error() string {
	known := make([]string, len(e.Artifact.Known))
	for i, k := range e.Artifact.Known {
		known[i] = string(k)
	}
	return fmt.Sprintf("%s from %s: digest %s is not among those known: %s; if it is right, add it to the artifact's sha256 list in the recipe",
		e.Artifact.label(), e.From, e.Got, strings.Join(known, ", "))
}

// AbsentError says that a place has not got an artifact, and what it has instead. It wraps ErrNotFound.
type AbsentError struct {
	Place string
	Hint  string // "it has 3 other versions of x, ..."
}

func (e *AbsentError) Error() string { return fmt.Sprintf("%s: not found: %s", e.Place, e.Hint) }

// Unwrap returns ErrNotFound.
func (e *AbsentError) Unwrap() error { return ErrNotFound }

// asked names a place that has not got an artifact, with what it said.
func asked(place Source, err error) string {
	var absent *AbsentError
	if errors.As(err, &absent) {
		return fmt.Sprintf("%s (%s)", place, absent.Hint)
	}
	return place.String()
}

// MissingError says that no place has an artifact. It wraps ErrNotFound.
type MissingError struct {
	Artifact Artifact
	Asked    []string // the places that were asked, in order
}

func (e *MissingError) Error() string {
	s := e.Artifact.label() + ": not found"
	if len(e.Asked) > 0 {
		s += "; asked " + strings.Join(e.Asked, ", then ")
	}
	if e.Artifact.Digest != "" {
		s += fmt.Sprintf("; wanted %s", e.Artifact.Digest)
	}
	name := e.Artifact.File
	if name == "" {
		name = e.Artifact.Pattern
	}
	if name != "" {
		s += fmt.Sprintf("; put %s into vendor/ or name a mirror that has it", name)
	}
	return s
}

// Unwrap returns ErrNotFound.
func (e *MissingError) Unwrap() error { return ErrNotFound }
