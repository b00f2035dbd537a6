package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// Use remembers that the result of a key is in use now. The time of the last use is the file's own.
func (s *Store) Use(key Digest) {
	now := time.Now()
	_ = os.Chtimes(s.path("results", key.Hex()), now, now) // a store that can't be written to is still read
}

// mark drops the results that are not kept, and returns the digests of all that the others need: the
// outputs that they name, and what these name in turn.
func (g *collector) mark(ctx context.Context) (map[Digest]bool, error) {
	keep, kept := map[Digest]bool{}, map[Digest]bool{}
	entries, err := os.ReadDir(g.store.path("results"))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		needs, ok, err := g.needs(e)
		if err != nil {
			return nil, err
		}
		if !ok {
			g.Results++
			if err := g.remove(filepath.Join("results", e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		g.Kept++
		kept[Digest(digestPrefix+e.Name())] = true
		for _, d := range needs {
			if err := g.reach(d, keep); err != nil {
				return nil, err
			}
		}
	}
	return keep, g.dropLast(kept)
}

// needs returns the outputs of a result; ok is false if the result is not kept.
func (g *collector) needs(e os.DirEntry) (digests []Digest, ok bool, err error) {
	fi, err := e.Info()
	if err != nil || !fi.Mode().IsRegular() || fi.ModTime().Before(g.Before) {
		return nil, false, ignoreAbsent(err)
	}
	if _, err := ParseDigest(e.Name()); err != nil { // a file that was not finished
		return nil, false, nil
	}
	b, err := g.store.Result(Digest(digestPrefix + e.Name()))
	if err != nil {
		return nil, false, ignoreAbsent(err)
	}
	digests, err = g.Needs(b)
	return digests, err == nil, nil
}

// reach keeps d, and what the blob d names if it is JSON: a list of downloads, the layers of an image.
func (g *collector) reach(d Digest, keep map[Digest]bool) error {
	if keep[d] {
		return nil
	}
	keep[d] = true
	named, err := mentions(g.store.blobName(d))
	if err != nil {
		return ignoreAbsent(err) // a tree, or lost: then its step runs again
	}
	for _, n := range named {
		if err := g.reach(n, keep); err != nil {
			return err
		}
	}
	return nil
}

var digestPattern = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// mentions returns the digests in a file if that is JSON. The store does not know what blobs mean, so it
// takes every digest for a reference: it may keep too much, never too little.
func mentions(path string) ([]Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	window := make([]byte, 1<<20)
	var out []Digest
	have := 0 // bytes at the window's start that were read before: a digest may lie across two reads
	for first := true; ; first = false {
		n, err := f.Read(window[have:])
		if first && (n == 0 || !bytes.ContainsAny(window[:1], "{[")) || errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		have += n
		for _, m := range digestPattern.FindAll(window[:have], -1) {
			out = append(out, Digest(m))
		}
		have = copy(window, window[max(0, have-len(digestPrefix)-2*sha256.Size):have])
	}
}

// dropLast forgets the last keys of steps whose results are gone.
func (g *collector) dropLast(kept map[Digest]bool) error {
	entries, err := os.ReadDir(g.store.path("last"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		b, err := os.ReadFile(g.store.path("last", e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if kept[Digest(b)] {
			continue
		}
		g.ended[e.Name()] = true
		if err := g.remove(filepath.Join("last", e.Name())); err != nil {
			return err
		}
	}
	return nil
}

type inode struct{ dev, ino uint64 }

// count adds what a file or tree takes on the disk, each inode once.
func (g *collector) count(path string) error {
	return filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return ignoreAbsent(err)
		}
		fi, err := d.Info()
		if err != nil {
			return ignoreAbsent(err)
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		id := inode{st.Dev, st.Ino}
		// A blob with a second name lies in an output folder too. In a tree, hard links are ordinary.
		if g.inodes[id] || st.Nlink > 1 && path == g.store.blobName(Digest(digestPrefix+d.Name())) {
			return nil
		}
		g.inodes[id] = true
		g.Bytes += st.Blocks * 512
		return nil
	})
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
