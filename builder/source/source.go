package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mesos-forge/forge/builder/store"
)

// Artifact is one file from outside.
type Artifact struct {
	// Name is how people and the lock call it: "hdfs/hadoop-core".
	Name string
	// File is the base name of the file, such as hadoop-core-1.2.1.jar.
	File string
	// Pattern is a glob (path.Match) for File where its exact name isn't known: mesos_*_amd64.deb.
	Pattern string
	// Digest is what the bytes must hash to; empty: not known yet, any is taken and reported.
	Digest store.Digest
	// Known are digests of which it must be one when Digest is empty; empty: any.
	Known []store.Digest
	// Size in bytes; 0: not known.
	Size int64
	// MaxSize bounds what is read where Size isn't known; 0: DefaultMaxSize.
	MaxSize int64
}

// DefaultMaxSize bounds a file of unknown size, in bytes.
const DefaultMaxSize = 4 << 30

// Limit returns how many bytes may be read of the artifact.
func (a Artifact) Limit() int64 {
	switch {
	case a.Size > 0:
		return a.Size
	case a.MaxSize > 0:
		return a.MaxSize
	default:
		return DefaultMaxSize
	}
}

// Result is an artifact that is in the store.
type Result struct {
	Digest store.Digest
	Size   int64  // bytes
	File   string // base name; for a Pattern, of the file that matched
	From   string // where the bytes came from, for people; never part of a result of a build
}

// Blobs is the store as sources need it.
type Blobs interface {
	HasBlob(d store.Digest) bool
	// PutBlob stores what r holds; want "" takes any digest, another one is a *store.DigestError.
	PutBlob(ctx context.Context, r io.Reader, want store.Digest) (store.Digest, int64, error)
	// AdoptFile is PutBlob for a finished file on the store's file system, which it moves.
	AdoptFile(path string, want store.Digest) (store.Digest, int64, error)
}

// Source is one place that may have an artifact.
type Source interface {
	// Fetch puts the artifact into blobs. An error that wraps ErrNotFound says that this place has
	// not got it, and another may be asked; every other error is final.
	Fetch(ctx context.Context, a Artifact, blobs Blobs) (Result, error)
	// String names the place for people: "folder vendor", a URL.
	String() string
}

// ErrNotFound says that a place has not got an artifact.
var ErrNotFound = errors.New("not found")

// Chain is a Source that asks others in their order.
type Chain []Source

var _ Source = Chain(nil)

// Fetch asks each source until one has the artifact. If the store has it already, none is asked.
func (c Chain) Fetch(ctx context.Context, a Artifact, blobs Blobs) (Result, error) {
	if r, ok := Stored(a, blobs); ok {
		return r, nil
	}
	missing := &MissingError{Artifact: a}
	for _, s := range c {
		r, err := s.Fetch(ctx, a, blobs)
		if err == nil {
			return r, Check(a, r)
		}
		if !errors.Is(err, ErrNotFound) || ctx.Err() != nil {
			return Result{}, err
		}
		missing.Asked = append(missing.Asked, asked(s, err))
	}
	return Result{}, missing
}

func (c Chain) String() string {
	names := make([]string, len(c))
	for i, s := range c {
		names[i] = s.String()
	}
	return strings.Join(names, ", then ")
}

// Stored returns the result for an artifact that the store has.
func Stored(a Artifact, blobs Blobs) (Result, bool) {
	if a.Digest == "" || !blobs.HasBlob(a.Digest) {
		return Result{}, false
	}
	return Result{Digest: a.Digest, Size: a.Size, File: a.File, From: "store"}, true
}

// Check compares a result with what was asked for.
func Check(a Artifact, r Result) error {
	if a.Digest != "" && r.Digest != a.Digest {
		return Mismatch(a, a.Digest, r.Digest, r.From)
	}
	if a.Digest == "" && len(a.Known) > 0 {
		for _, k := range a.Known {
			if k == r.Digest {
				return nil
			}
		}
		return &UnknownDigestError{Artifact: a, Got: r.Digest, From: r.From}
	}
	return nil
}

// Put reads r, which must hold exactly one artifact, into blobs, and completes its errors with the
// artifact's name and from.
func Put(ctx context.Context, a Artifact, file string, r io.Reader, from string, blobs Blobs) (Result, error) {
	bounded := &boundedReader{r: r, left: a.Limit(), err: &SizeError{Name: a.label(), From: from, Want: a.Size, Limit: a.Limit()}}
	d, n, err := blobs.PutBlob(ctx, bounded, a.Digest)
	var mismatch *store.DigestError
	switch {
	case errors.As(err, &mismatch):
		if a.Size > 0 && n < a.Size {
			return Result{}, &SizeError{Name: a.label(), From: from, Want: a.Size, Got: n}
		}
		return Result{}, Mismatch(a, mismatch.Want, mismatch.Got, from)
	case err != nil:
		return Result{}, fmt.Errorf("%s from %s: %w", a.label(), from, err)
	case a.Size > 0 && n != a.Size:
		return Result{}, &SizeError{Name: a.label(), From: from, Want: a.Size, Got: n}
	}
	res := Result{Digest: d, Size: n, File: file, From: from}
	return res, Check(a, res)
}

// Adopt is Put for a finished file on the store's file system, which it moves into blobs.
func Adopt(a Artifact, path, file, from string, blobs Blobs) (Result, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Result{}, fmt.Errorf("%s from %s: %w", a.label(), from, err)
	}
	switch n := info.Size(); {
	case !info.Mode().IsRegular():
		return Result{}, fmt.Errorf("%s from %s: %s is not a regular file", a.label(), from, path)
	case a.Size > 0 && n != a.Size:
		return Result{}, &SizeError{Name: a.label(), From: from, Want: a.Size, Got: n}
	case n > a.Limit():
		return Result{}, &SizeError{Name: a.label(), From: from, Limit: a.Limit()}
	}
	d, n, err := blobs.AdoptFile(path, a.Digest)
	var mismatch *store.DigestError
	if errors.As(err, &mismatch) {
		return Result{}, Mismatch(a, mismatch.Want, mismatch.Got, from)
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s from %s: %w", a.label(), from, err)
	}
	res := Result{Digest: d, Size: n, File: file, From: from}
	return res, Check(a, res)
}

func (a Artifact) label() string {
	switch {
	case a.File == "" && a.Pattern == "", a.Name == a.File:
		return a.Name
	case a.File == "":
		return fmt.Sprintf("%s (%s)", a.Name, a.Pattern)
	case a.Name == "":
		return a.File
	default:
		return fmt.Sprintf("%s (%s)", a.Name, a.File)
	}
}

// boundedReader fails with err instead of giving more than left bytes.
type boundedReader struct {
	r    io.Reader
	left int64
	err  error
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.err
	}
	return n, err
}
