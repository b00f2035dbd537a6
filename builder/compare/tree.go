package compare

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/archive"
)

// inode is a file that has one name or more.
type inode struct {
	File           // without Path and SameAs
	content []byte // of a file that is kept
}

// Tree is the file system that the layers of an image make together.
type Tree struct {
	nodes map[string]*inode // by relative path, as in the layers; "." is the top
	names map[*inode]string // the first name of each inode that has several
	owned map[string]string // by relative path, the package that a file belongs to; see owners
}

// Reading says how trees are read. What one Reading has read it reads no second time.
type Reading struct {
	Limits Limits
	// Keep tells which files are kept for reading ("var/lib/dpkg/status"); nil keeps none.
	Keep func(name string) bool

	mu     sync.Mutex
	listed map[string]*listing // by DiffID
}

// Ahead reads layers side by side, for [Reading.Tree] to find them read.
func (r *Reading) Ahead(ctx context.Context, layers ...Layer) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	begun := map[string]bool{}
	for _, layer := range layers {
		if layer.DiffID != "" && !begun[layer.DiffID] {
			begun[layer.DiffID] = true
			group.Go(func() error {
				_, err := r.list(ctx, layer)
				return err
			})
		}
	}
	return group.Wait()
}

// Tree reads the layers of an image, the lowest first, and puts them together.
func (r *Reading) Tree(ctx context.Context, layers []Layer) (*Tree, error) {
	t := &Tree{nodes: map[string]*inode{}}
	for _, layer := range layers {
		l, err := r.list(ctx, layer)
		if err != nil {
			return nil, err
		}
		if err := t.add(l); err != nil {
			return nil, fmt.Errorf("%s: %w", layer.Name, err)
		}
		if limit := r.Limits.withDefaults().Archive.Entries; len(t.nodes) > limit {
			return nil, fmt.Errorf("%s: %w: more than %d paths", layer.Name, archive.ErrLimit, limit)
		}
	}
	t.nameLinks()
	return t, nil
}

// add lays a layer over the tree.
func (t *Tree) add(l *listing) error {
	linked := map[string]*inode{}
	for name, target := range l.links {
		if linked[name] = l.nodes[target]; linked[name] == nil {
			linked[name] = t.nodes[target]
		}
		if to := linked[name]; to == nil || to.Type == "dir" {
			return fmt.Errorf("%w: %s is a hard link to %s, which is no file below it", archive.ErrMalformed, absolute(name), absolute(target))
		}
	}
	for name := range t.nodes {
		if l.hides(name) {
			delete(t.nodes, name)
		}
	}
	maps.Copy(t.nodes, l.nodes)
	maps.Copy(t.nodes, linked)
	return nil
}

func (t *Tree) nameLinks() {
	t.names = map[*inode]string{}
	count := map[*inode]int{}
	for name, n := range t.nodes {
		count[n]++
		if first, ok := t.names[n]; !ok || name < first {
			t.names[n] = name
		}
	}
	maps.DeleteFunc(t.names, func(n *inode, _ string) bool { return count[n] < 2 })
}

// file returns what the tree says of a name; nil if it isn't there.
func (t *Tree) file(name string) *File {
	n := t.nodes[name]
	if n == nil {
		return nil
	}
	f := n.File
	f.Path = absolute(name)
	if first := t.names[n]; first != "" && first != name {
		f.SameAs = absolute(first)
	}
	return &f
}

// Len is the number of paths.
func (t *Tree) Len() int { return len(t.nodes) }

// Files returns all files, sorted by path.
func (t *Tree) Files() []File {
	out := make([]File, 0, len(t.nodes))
	for _, name := range slices.Sorted(maps.Keys(t.nodes)) {
		out = append(out, *t.file(name))
	}
	return out
}

// Read returns the content of a file that was kept, such as "var/lib/dpkg/status".
func (t *Tree) Read(name string) ([]byte, bool) {
	n := t.nodes[name]
	if n == nil || n.Type != "file" || n.content == nil {
		return nil, false
	}
	return n.content, true
}
