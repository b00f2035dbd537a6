package compare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mesos-forge/forge/builder/archive"
)

// ErrDamaged says that a layer is not what its digest says.
var ErrDamaged = errors.New("damaged layer")

// Layer is one layer of an image.
type Layer struct {
	Name   string // in errors and results: "layer 2"
	Digest string // "sha256:<64 hex>" of the blob as it is kept; "": not known
	DiffID string // "sha256:<64 hex>" of the uncompressed tar; "": not known, and not checked
	Size   int64  // of the blob, in bytes
	Made   string // what made it, as the image's history says; may be ""
	// Open starts to read the uncompressed tar.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// TreeLayer is a folder of this machine as a layer, with the times that its files have. What it has of
// overlayfs's marks is an error.
func TreeLayer(name, dir string) Layer {
	return Layer{Name: name, Open: func(ctx context.Context) (io.ReadCloser, error) {
		ctx, cancel := context.WithCancel(ctx)
		r, w := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = w.CloseWithError(archive.WriteTar(ctx, dir, w, archive.TarOptions{Top: true})) // nil is io.EOF; it never fails
		}()
		return &treeReader{PipeReader: r, cancel: cancel, done: done}, nil
	}}
}

type treeReader struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Close ends the writer, too.
func (t *treeReader) Close() error {
	err := t.PipeReader.Close()
	t.cancel()
	<-t.done
	return err
}

// Limits bound what is read of one image. A zero field means the default.
type Limits struct {
	Archive archive.Limits // of each layer; also of all paths that a tree has
	// Metadata is what names, link targets and extended attributes may take together, in bytes; default 256 MiB.
	Metadata int64
	// Stream is what a layer may unpack to with all its headers, in bytes; default 20 GiB.
	Stream int64
	// Kept is what the files that are kept for reading may have together, in bytes; default 256 MiB.
	Kept int64
	// Trailer is what may follow the end of the archive, in bytes; default 16 MiB.
	Trailer int64
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		at *int64
		is int64
	}{{&l.Metadata, 256 << 20}, {&l.Stream, 20 << 30}, {&l.Kept, 256 << 20}, {&l.Trailer, 16 << 20}} {
		if *d.at == 0 {
			*d.at = d.is
		}
	}
	if l.Archive.Entries == 0 {
		l.Archive.Entries = 500_000
	}
	return l
}

// tarOptions are how the entries of a layer are judged: an image may hold devices and FIFOs.
func (l Limits) tarOptions(name string) archive.Options {
	return archive.Options{Name: name, Limits: l.Archive, AllowDevices: true, AllowFIFOs: true}
}

// stream is a layer that is being read, hashed on the way.
type stream struct {
	from  io.ReadCloser
	layer Layer
	sum   hash.Hash
	left  int64
	limit Limits
}

func (l Layer) stream(ctx context.Context, limits Limits) (*stream, error) {
	from, err := l.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Name, err)
	}
	limits = limits.withDefaults()
	return &stream{from: from, layer: l, sum: sha256.New(), left: limits.Stream, limit: limits}, nil
}

// Read fails when the layer unpacks to more than it may.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, fmt.Errorf("%w: unpacks to more than %d bytes with its headers", archive.ErrLimit, s.limit.Stream)
	}
	s.sum.Write(p[:n])
	return n, err
}

// finish reads what follows the end of the archive, and compares the digest.
func (s *stream) finish() error {
	n, err := io.Copy(io.Discard, io.LimitReader(s, s.limit.Trailer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", s.layer.Name, err)
	case n > s.limit.Trailer:
		return fmt.Errorf("%s: %w: more than %d bytes follow the end of the archive", s.layer.Name, archive.ErrLimit, s.limit.Trailer)
	}
	if got := "sha256:" + hex.EncodeToString(s.sum.Sum(nil)); s.layer.DiffID != "" && got != s.layer.DiffID {
		return fmt.Errorf("%s: %w: its tar has the digest %s, the image says %s", s.layer.Name, ErrDamaged, got, s.layer.DiffID)
	}
	return nil
}

func (s *stream) Close() error { return s.from.Close() }
