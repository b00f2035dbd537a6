package compare

import (
	"maps"
	"slices"
)

// Change says what became of something.
type Change string

// What can become of something.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// FileChange is a path that is not the same in two trees.
type FileChange struct {
	Path    string   `json:"path"`
	Change  Change   `json:"change"`
	What    []string `json:"what,omitempty"`    // of a changed one: "type", "mode", "owner", "size", "content", "target", "device", "xattrs", "hard link"
	Package string   `json:"package,omitempty"` // that it belongs to, in B if it is there, else in A
	A       *File    `json:"a,omitempty"`
	B       *File    `json:"b,omitempty"`
}

// Files lists the paths that differ between two trees, sorted by path. Times don't count.
func Files(a, b *Tree) []FileChange {
	ownersA, ownersB := a.owners(), b.owners()
	var out []FileChange
	for _, name := range union(a.nodes, b.nodes) {
		c := FileChange{Path: absolute(name), A: a.file(name), B: b.file(name), Package: ownersB[name]}
		switch {
		case c.A == nil:
			c.Change = Added
		case c.B == nil:
			c.Change, c.Package = Removed, ownersA[name]
		default:
			if c.Change, c.What = Changed, c.A.differing(c.B); c.What == nil {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// Value is a setting that is not the same: a label, an environment variable, a field.
type Value struct {
	Name   string `json:"name"`
	Change Change `json:"change"`
	A      string `json:"a,omitempty"`
	B      string `json:"b,omitempty"`
}

// Values lists what differs between two sets of settings, sorted by name.
func Values(a, b map[string]string) []Value {
	var out []Value
	for _, name := range union(a, b) {
		x, inA := a[name]
		y, inB := b[name]
		switch {
		case !inA:
			out = append(out, Value{Name: name, Change: Added, B: y})
		case !inB:
			out = append(out, Value{Name: name, Change: Removed, A: x})
		case x != y:
			out = append(out, Value{Name: name, Change: Changed, A: x, B: y})
		}
	}
	return out
}

// LayerChange is one place in the stack of an image's layers.
type LayerChange struct {
	Layer   int    `json:"layer"`          // from 1, the lowest
	Made    string `json:"made,omitempty"` // what made it, as the history says
	Same    bool   `json:"same"`
	DigestA string `json:"digest_a,omitempty"`
	DigestB string `json:"digest_b,omitempty"`
	SizeA   int64  `json:"size_a,omitempty"` // as it is kept, compressed, in bytes
	SizeB   int64  `json:"size_b,omitempty"`
}

// Layers sets the layers of two images side by side, all of them.
func Layers(a, b []Layer) []LayerChange {
	var out []LayerChange
	for i := range max(len(a), len(b)) {
		c := LayerChange{Layer: i + 1}
		if i < len(a) {
			c.Made, c.DigestA, c.SizeA = a[i].Made, a[i].Digest, a[i].Size
		}
		if i < len(b) {
			c.Made, c.DigestB, c.SizeB = b[i].Made, b[i].Digest, b[i].Size
		}
		c.Same = c.DigestA == c.DigestB
		out = append(out, c)
	}
	return out
}

func union[A, B any](a map[string]A, b map[string]B) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}
