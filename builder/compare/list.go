package compare

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// The names of whiteouts (OCI image specification, layer.md).
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// listing is what one layer holds.
type listing struct {
	nodes   map[string]*inode
	links   map[string]string // hard links to files of lower layers
	removed map[string]bool   // paths of lower layers that it hides
	opaque  map[string]bool   // directories of which it hides all that lower layers have in them
}

// list reads a layer, unless this Reading has read it before.
func (r *Reading) list(ctx context.Context, layer Layer) (*listing, error) {
	r.mu.Lock()
	known := r.listed[layer.DiffID]
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	s, err := layer.stream(ctx, r.Limits)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	limits := s.limit
	l := &lister{limits: &limits, keep: r.Keep, buf: make([]byte, chunk), listing: listing{nodes: map[string]*inode{},
		links: map[string]string{}, removed: map[string]bool{}, opaque: map[string]bool{}}}
	for item, err := range archive.ReadTar(ctx, s, limits.tarOptions(layer.Name)) {
		if err == nil {
			if err = l.entry(item); err != nil {
				err = &archive.EntryError{Archive: layer.Name, Entry: item.Header.Name, Err: err}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if err := l.checkParents(); err != nil {
		return nil, fmt.Errorf("%s: %w", layer.Name, err)
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listed == nil {
		r.listed = map[string]*listing{}
	}
	if layer.DiffID != "" {
		r.listed[layer.DiffID] = &l.listing
	}
	return &l.listing, nil
}

type lister struct {
	listing
	limits *Limits // what is left of them
	keep   func(string) bool
	buf    []byte
}

func (l *lister) entry(x archive.Item) error {
	if marked, err := l.mark(x); marked || err != nil {
		return err
	}
	if have := l.nodes[x.Name]; (have != nil || l.links[x.Name] != "") && (x.Type != tar.TypeDir || have == nil || have.Type != "dir") {
		return fmt.Errorf("%w: the layer has this name twice", archive.ErrExists)
	}
	if err := l.spend(x); err != nil {
		return err
	}
	if x.Type == tar.TypeLink {
		if to := l.nodes[x.Target]; to == nil {
			l.links[x.Name] = x.Target
		} else if to.Type == "dir" {
			return fmt.Errorf("%w: a hard link to a directory", archive.ErrMalformed)
		} else {
			l.nodes[x.Name] = to
		}
		return nil
	}
	n := &inode{File: File{Type: typeName(x.Type), Mode: Mode(x.Mode), UID: x.UID, GID: x.GID, Device: deviceText(x.Header)}}
	switch {
	case x.Type == tar.TypeSymlink:
		n.Target = x.Target
	case x.Type == tar.TypeChar && n.Device == "0,0":
		return fmt.Errorf("%w: device 0,0 is overlayfs's mark for a removed file", archive.ErrType)
	}
	for name, value := range x.Xattrs() {
		if n.Xattrs == nil {
			n.Xattrs = map[string][]byte{}
		}
		n.Xattrs[name] = []byte(value)
	}
	l.nodes[x.Name] = n
	if x.Type != tar.TypeReg {
		return nil
	}
	return l.content(n, x)
}

// mark takes down what a whiteout hides.
func (l *lister) mark(x archive.Item) (bool, error) {
	dir, name := path.Split(x.Name)
	dir = path.Clean(dir) // "." for the top
	if strings.HasPrefix(dir, whiteoutPrefix) || strings.Contains(dir, "/"+whiteoutPrefix) {
		return false, fmt.Errorf("%w: a folder can't be called %q", archive.ErrName, whiteoutPrefix)
	}
	hidden, is := strings.CutPrefix(name, whiteoutPrefix)
	switch {
	case !is:
		return false, nil
	case x.Type != tar.TypeReg:
		return false, fmt.Errorf("%w: a mark for a removed file that is a %s", archive.ErrType, typeName(x.Type))
	case name == whiteoutOpaque:
		l.opaque[dir] = true
	case hidden == "" || hidden == "." || hidden == ".." || strings.HasPrefix(hidden, whiteoutPrefix):
		return false, fmt.Errorf("%w: not a mark for a removed file that is known", archive.ErrName)
	default:
		l.removed[path.Join(dir, hidden)] = true
	}
	return true, l.spend(x)
}

// spend accounts for what is kept of an entry.
func (l *lister) spend(x archive.Item) error {
	l.limits.Metadata -= int64(len(x.Name) + len(x.Target))
	for name, value := range x.Xattrs() {
		l.limits.Metadata -= int64(len(name) + len(value))
	}
	if l.limits.Metadata < 0 {
		return fmt.Errorf("%w: names and attributes take too much memory", archive.ErrLimit)
	}
	return nil
}

// content hashes a file, and keeps it if it is to be kept.
func (l *lister) content(n *inode, x archive.Item) error {
	sum := sha256.New()
	var to io.Writer = sum
	var kept strings.Builder
	keep := l.keep != nil && l.keep(x.Name)
	if keep {
		if l.limits.Kept -= x.Size; l.limits.Kept < 0 {
			return fmt.Errorf("%w: files to read take too much memory", archive.ErrLimit)
		}
		to = io.MultiWriter(sum, &kept)
	}
	size, err := io.CopyBuffer(to, struct{ io.Reader }{x.Content}, l.buf)
	if err != nil {
		return fmt.Errorf("%w: %w", archive.ErrMalformed, err)
	}
	n.Size, n.Digest = size, "sha256:"+hex.EncodeToString(sum.Sum(nil))
	if keep {
		n.content = []byte(kept.String())
	}
	return nil
}

// checkParents refuses a file that lies in something that is no directory.
func (l *lister) checkParents() error {
	for _, name := range slices.Sorted(maps.Keys(l.nodes)) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if p := l.nodes[dir]; p != nil && p.Type != "dir" {
				return fmt.Errorf("%w: %s lies in %s, which is a %s", archive.ErrMalformed, absolute(name), absolute(dir), p.Type)
			}
		}
	}
	return nil
}

// hides tells whether a path of lower layers is not there any more.
func (l *listing) hides(name string) bool {
	if l.removed[name] {
		return true
	}
	for name != "." {
		name = path.Dir(name)
		n := l.nodes[name]
		if l.removed[name] || l.opaque[name] || n != nil && n.Type != "dir" || l.links[name] != "" {
			return true
		}
	}
	return false
}
