package compare

import (
	"archive/tar"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/archive"
)

func paths(t *Tree) []string {
	var out []string
	for _, f := range t.Files() {
		line := f.Path
		if f.SameAs != "" {
			line += " = " + f.SameAs
		}
		if f.Type == "file" {
			line += fmt.Sprintf(" (%d)", f.Size)
		}
		out = append(out, line)
	}
	return out
}

func TestTree(t *testing.T) {
	lower := []entry{dir("./"), dir("etc"), file("etc/a", "a"), file("etc/b", "b"), dir("etc/d"), file("etc/d/x", "x"), file("etc/d/y", "y"), hard("etc/d/z", "etc/d/y")}
	for _, tt := range []struct {
		name  string
		upper []entry
		want  string
	}{
		{"nothing", nil, "/|/etc|/etc/a (1)|/etc/b (1)|/etc/d|/etc/d/x (1)|/etc/d/y (1)|/etc/d/z = /etc/d/y (1)"},
		{"a file instead", []entry{file("etc/a", "longer")}, "/|/etc|/etc/a (6)|/etc/b (1)|/etc/d|/etc/d/x (1)|/etc/d/y (1)|/etc/d/z = /etc/d/y (1)"},
		{"a whiteout", []entry{dir("etc"), file("etc/.wh.a", "")}, "/|/etc|/etc/b (1)|/etc/d|/etc/d/x (1)|/etc/d/y (1)|/etc/d/z = /etc/d/y (1)"},
		{"a whiteout of a folder", []entry{file("etc/.wh.d", "")}, "/|/etc|/etc/a (1)|/etc/b (1)"},
		{"of one name of two", []entry{file("etc/d/.wh.y", "")}, "/|/etc|/etc/a (1)|/etc/b (1)|/etc/d|/etc/d/x (1)|/etc/d/z (1)"},
		{"a whiteout and the file again", []entry{file("etc/a", "new"), file("etc/.wh.a", "")}, "/|/etc|/etc/a (3)|/etc/b (1)|/etc/d|/etc/d/x (1)|/etc/d/y (1)|/etc/d/z = /etc/d/y (1)"},
		{"an opaque folder", []entry{dir("etc/d"), file("etc/d/new", ""), file("etc/d/.wh..wh..opq", "")}, "/|/etc|/etc/a (1)|/etc/b (1)|/etc/d|/etc/d/new (0)"},
		{"an opaque top", []entry{file(".wh..wh..opq", ""), file("x", "")}, "/|/x (0)"},
		{"a file instead of a folder", []entry{file("etc/d", "f")}, "/|/etc|/etc/a (1)|/etc/b (1)|/etc/d (1)"},
		{"a link instead of a folder", []entry{link("etc", "usr/etc")}, "/|/etc"},
		{"a folder instead of a file", []entry{dir("etc/a"), file("etc/a/x", "")}, "/|/etc|/etc/a|/etc/a/x (0)|/etc/b (1)|/etc/d|/etc/d/x (1)|/etc/d/y (1)|/etc/d/z = /etc/d/y (1)"},
		{"a hard link to a lower layer's file", []entry{hard("etc/c", "etc/a"), file("etc/d/.wh.x", ""), file("etc/.wh.b", "")}, "/|/etc|/etc/a (1)|/etc/c = /etc/a (1)|/etc/d|/etc/d/y (1)|/etc/d/z = /etc/d/y (1)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Reading
			tree, err := r.Tree(t.Context(), []Layer{layer(t, lower...), layer(t, tt.upper...)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(tt.want, "|"), paths(tree)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTreeRefuses(t *testing.T) {
	short := func(r *Reading) { r.Limits.Metadata = 10 }
	for _, tt := range []struct {
		name    string
		entries []entry
		set     func(*Reading)
		want    error
	}{
		{"a name twice", []entry{file("a", ""), file("a", "")}, nil, archive.ErrExists},
		{"a link and a file of one name", []entry{hard("b", "a"), file("b", "")}, nil, archive.ErrExists},
		{"a folder over a file", []entry{file("a", ""), dir("a")}, nil, archive.ErrExists},
		{"a file in a file", []entry{file("a", ""), file("a/b/c", "")}, nil, archive.ErrMalformed},
		{"a file in a link", []entry{file("a/b", ""), link("a", "b")}, nil, archive.ErrMalformed},
		{"a hard link to nothing", []entry{hard("b", "a")}, nil, archive.ErrMalformed},
		{"a hard link to a folder", []entry{dir("a"), hard("b", "a")}, nil, archive.ErrMalformed},
		{"overlayfs's own whiteout", []entry{{Header: tar.Header{Name: "a", Typeflag: tar.TypeChar}}}, nil, archive.ErrType},
		{"a whiteout of nothing", []entry{file(".wh.", "")}, nil, archive.ErrName},
		{"a whiteout of the folder above", []entry{file("a/.wh...", "")}, nil, archive.ErrName},
		{"an unknown mark", []entry{file(".wh..wh.plnk", "")}, nil, archive.ErrName},
		{"a folder that is a mark", []entry{dir(".wh.a")}, nil, archive.ErrType},
		{"a file in a mark", []entry{file("b/.wh.a/x", "")}, nil, archive.ErrName},
		{"names that are too long together", []entry{file("abcdef", ""), file("ghijk", "")}, short, archive.ErrLimit},
		{"marks that are too long together", []entry{file(".wh.abcdefghi", "")}, short, archive.ErrLimit},
		{"attributes that are too long", []entry{file("a", "").with(xattr("user.x", "12345"))}, short, archive.ErrLimit},
		{"a kept file that is too large", []entry{file("a", "abc")}, func(r *Reading) {
			r.Limits.Kept, r.Keep = 2, func(string) bool { return true }
		}, archive.ErrLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Reading
			if tt.set != nil {
				tt.set(&r)
			}
			if _, err := r.Tree(t.Context(), []Layer{layer(t, tt.entries...)}); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
	r := Reading{Limits: Limits{Archive: archive.Limits{Entries: 2}}}
	if _, err := r.Tree(t.Context(), []Layer{layer(t, file("a", ""), file("b", "")), layer(t, file("c", ""))}); !errors.Is(err, archive.ErrLimit) {
		t.Errorf("more paths than may be: %v", err)
	}
	l := layer(t, file("a", ""))
	l.DiffID = "sha256:other"
	if _, err := r.Tree(t.Context(), []Layer{l}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged layer: %v", err)
	}
}

func FuzzTree(f *testing.F) {
	f.Add(tarOf(f, dir("a"), file("a/b", "x"), file("a/.wh.c", ""), hard("a/d", "a/b")), tarOf(f, dir("a"), file("a/.wh..wh..opq", ""), link("b", "a")))
	f.Add(tarOf(f, file("a", "").with(xattr("user.a", "b"))), tarOf(f, file("a/b", "")))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		limits := Limits{Archive: archive.Limits{Entries: 100, Bytes: 1 << 20, FileBytes: 1 << 20, Depth: 8}, Metadata: 1 << 16, Stream: 4 << 20, Kept: 1 << 16}
		r := Reading{Limits: limits, Keep: func(string) bool { return true }}
		x, errX := r.Tree(t.Context(), []Layer{layerOf(a)})
		y, errY := r.Tree(t.Context(), []Layer{layerOf(a), layerOf(b)})
		d, err := First(t.Context(), []Layer{layerOf(a)}, []Layer{layerOf(b)}, limits)
		if err == nil && (d == nil) != (string(a) == string(b)) {
			t.Errorf("first difference %+v", d)
		}
		if errX != nil || errY != nil {
			return
		}
		for _, tree := range []*Tree{x, y} {
			all := tree.Files()
			if len(all) > 100 || !slices.IsSortedFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) }) {
				t.Errorf("%d files, or not sorted", len(all))
			}
			for name := range maps.Keys(tree.nodes) {
				if strings.Contains("/"+name, "/.wh.") || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "..") {
					t.Errorf("a file called %q", name)
				}
			}
		}
	})
}
