package archive

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names that mean something in an OCI layer (image-spec, layer.md, "Whiteouts").
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// TarOptions say how WriteTar writes a tree.
type TarOptions struct {
	// Clamp is the latest modification time: min(mtime, Clamp). Zero leaves
	// times as they are. All are cut to whole seconds.
	Clamp time.Time
	// Delta says that the tree is an upper layer of overlayfs, mounted with
	// userxattr: a character device 0,0 becomes ".wh.NAME", and a directory
	// with user.overlay.opaque=y gets an entry ".wh..wh..opq".
	Delta bool
	// Top writes an entry for the tree itself ("./").
	Top bool
	// Exclude leaves a path ("usr/bin/su") and all below it out.
	Exclude func(path string) bool
}

// WriteTar writes the tree at dir to w as a tar archive that depends on the
// tree alone: names sorted bytewise, numeric owners without names, whole
// seconds, ustar headers and PAX records (among them SCHILY.xattr.*) only
// where ustar can't say it. Of a hard-linked file the first name has
// the contents. In each directory, marks of removed names come first.
//
// Sockets, names that start with ".wh.", and marks of overlayfs that a layer
// has no words for (redirect, metacopy) are errors. So is a file that changes
// while it is read.
func WriteTar(ctx context.Context, dir string, w io.Writer, o TarOptions) error {
	nodes, err := scan(ctx, dir)
	if err != nil {
		return fmt.Errorf("archive %s: %w", dir, err)
	}
	nodes = exclude(nodes, o.Exclude)
	t := &tarWriting{TarOptions: o, dir: dir, nodes: nodes, leaders: linkLeaders(nodes), tar: tar.NewWriter(w), buf: make([]byte, 256<<10)}
	if o.Delta {
		t.removed = removedNames(nodes)
	}
	for i := range nodes {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("archive %s: %w", dir, err)
		}
		if err := t.node(i); err != nil {
			return fmt.Errorf("archive %s: %s: %w", dir, nodes[i].path, err)
		}
	}
	if err := t.tar.Close(); err != nil {
		return fmt.Errorf("archive %s: %w", dir, err)
	}
	return nil
}

func exclude(nodes []node, excluded func(string) bool) []node {
	if excluded == nil {
		return nodes
	}
	kept := nodes[:0]
	gone := map[string]bool{}
	for _, n := range nodes {
		if n.path != "." && (gone[path.Dir(n.path)] || excluded(n.path)) {
			gone[n.path] = n.isDir()
			continue
		}
		kept = append(kept, n)
	}
	return kept
}

// removedNames maps each directory to the whiteouts in it, as positions.
func removedNames(nodes []node) map[string][]int {
	removed := map[string][]int{}
	for i := range nodes {
		if nodes[i].isWhiteout() {
			parent := path.Dir(nodes[i].path)
			removed[parent] = append(removed[parent], i)
		}
	}
	return removed
}

type tarWriting struct {
	TarOptions
	dir     string
	nodes   []node
	leaders map[int]int
	removed map[string][]int
	tar     *tar.Writer
	buf     []byte
}

func (t *tarWriting) node(i int) error {
	n := &t.nodes[i]
	if n.isWhiteout() {
		if !t.Delta {
			return refuse(ErrType, "device 0,0 marks a removed file, and the tree is no delta")
		}
		return nil // written with its directory
	}
	if strings.HasPrefix(path.Base(n.path), whiteoutPrefix) {
		return refuse(ErrName, "names that start with %q mean removed files in a layer", whiteoutPrefix)
	}
	h := t.header(n)
	if leader, ok := t.leaders[i]; ok {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, t.nodes[leader].path, 0
		return t.tar.WriteHeader(h)
	}
	opaque, err := t.complete(n, h)
	if err != nil {
		return err
	}
	if n.path != "." || t.Top {
		if err := t.tar.WriteHeader(h); err != nil {
			return err
		}
	}
	switch {
	case n.isFile():
		return t.contents(n)
	case n.isDir() && t.Delta:
		return t.marks(n, opaque)
	}
	return nil
}

func (t *tarWriting) header(n *node) *tar.Header {
	when := time.Unix(n.mtime.Sec, 0)
	if !t.Clamp.IsZero() && when.After(t.Clamp) {
		when = t.Clamp.Truncate(time.Second)
	}
	return &tar.Header{
		Name: n.path, Mode: int64(n.mode & 0o7777), Uid: int(n.uid), Gid: int(n.gid), ModTime: when.UTC(),
	}
}

// complete sets what depends on the type, and the extended attributes.
func (t *tarWriting) complete(n *node, h *tar.Header) (opaque bool, err error) {
	full := filepath.Join(t.dir, n.path)
	switch n.format() {
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, n.size
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, n.path+"/"
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = readLink(full); err != nil {
			return false, err
		}
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if n.format() == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(n.rdev)), int64(unix.Minor(n.rdev))
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	default:
		return false, refuse(ErrType, "a socket can't be in an archive")
	}
	xattrs, err := readXattrs(full)
	if err != nil {
		return false, err
	}
	for _, x := range xattrs {
		if note, ok := strings.CutPrefix(x.name, overlayPrefix); ok {
			if err := t.checkNote(note, x.value); err != nil {
				return false, err
			}
			opaque = opaque || note == "opaque"
			continue
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[paxXattr+x.name] = x.value
	}
	return opaque, nil
}

// checkNote refuses the attributes of overlayfs that change what the tree
// means. The others are notes to itself.
func (t *tarWriting) checkNote(note, value string) error {
	switch note {
	case "redirect", "metacopy", "whiteout":
		return refuse(ErrType, "%s%s=%q has no counterpart in a layer", overlayPrefix, note, value)
	case "opaque":
		if !t.Delta || value != "y" {
			return refuse(ErrType, "%s=%q in a tree that is no delta", overlayOpaque, value)
		}
	}
	return nil
}

// marks writes what a directory of a delta hides.
func (t *tarWriting) marks(n *node, opaque bool) error {
	mark := func(base string, from *node) error {
		h := t.header(from)
		h.Typeflag, h.Name, h.Mode, h.Uid, h.Gid = tar.TypeReg, path.Join(n.path, base), 0, 0, 0
		return t.tar.WriteHeader(h)
	}
	if opaque {
		if err := mark(whiteoutOpaque, n); err != nil {
			return err
		}
	}
	for _, i := range t.removed[n.path] {
		if err := mark(whiteoutPrefix+path.Base(t.nodes[i].path), &t.nodes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tarWriting) contents(n *node) error {
	if n.size == 0 {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(t.dir, n.path), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	wrote, err := io.CopyBuffer(onlyWriter{t.tar}, onlyReader{io.LimitReader(f, n.size+1)}, t.buf)
	if err == nil && wrote != n.size {
		err = fmt.Errorf("it changed while it was read: it had %d bytes, now %d", n.size, wrote)
	}
	return err
}

// onlyWriter and onlyReader hide methods that would make io.CopyBuffer
// allocate a small buffer instead of using ours.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)
