package compare

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/archive"
)

func TestFirst(t *testing.T) {
	long := strings.Repeat("0123456789", 40_000)
	changed := long[:300_001] + "x" + long[300_002:]
	same := []entry{dir("usr"), file("usr/a", "a"), file("usr/b", long), link("usr/c", "b")}
	instead := func(i int, e entry) []entry {
		other := slices.Clone(same)
		other[i] = e
		return other
	}
	for _, tt := range []struct {
		name string
		b    []entry
		want string
	}{
		{"nothing", same, ""},
		{"content", instead(2, file("usr/b", changed)), "layer 1: /usr/b: content from byte 300001 on: 400000 bytes in A, 400000 bytes in B"},
		{"a file cut off", instead(2, file("usr/b", long[:5])), "layer 1: /usr/b: content from byte 5 on: 400000 bytes in A, 5 bytes in B"},
		{"mode", instead(1, same[1].with(mode(0o4755))), "layer 1: /usr/a: mode: 0644 in A, 4755 in B"},
		{"owner", instead(1, same[1].with(owner(1, 2))), "layer 1: /usr/a: owner: 0:0 in A, 1:2 in B"},
		{"owner's name", instead(1, same[1].with(user("root"))), "layer 1: /usr/a: owner name: nothing in A, root in B"},
		{"time", instead(1, same[1].with(at(epoch.Add(time.Second)))), "layer 1: /usr/a: time: 2023-11-14T22:13:20Z in A, 2023-11-14T22:13:21Z in B"},
		{"xattrs", instead(1, same[1].with(xattr("security.capability", "\x01"))), "layer 1: /usr/a: xattrs: nothing in A, security.capability=01 in B"},
		{"target", instead(3, link("usr/c", "a")), "layer 1: /usr/c: target: b in A, a in B"},
		{"type", instead(3, file("usr/c", "b")), "layer 1: /usr/c: type: link in A, file in B"},
		{"header", instead(1, file("./usr/a", "a")), `layer 1: /usr/a: header: USTAR name "usr/a" in A, USTAR name "./usr/a" in B`},
		{"one more at the end", append(slices.Clone(same), file("usr/d", "")), "layer 1: /usr/d: file: nothing in A, file in B"},
		{"one less at the end", same[:3], "layer 1: /usr/c: file: link in A, nothing in B"},
		{"one more between", slices.Insert(slices.Clone(same), 2, file("usr/aa", "")), "layer 1: /usr/aa: file: nothing in A, file in B"},
		{"one less between", slices.Delete(slices.Clone(same), 1, 2), "layer 1: /usr/a: file: file in A, nothing in B"},
		{"order", []entry{same[0], same[2], same[1], same[3]}, "layer 1: /usr/a: order: at this place in A, after /usr/b in B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := First(t.Context(), []Layer{layer(t, same...)}, []Layer{layer(t, tt.b...)}, Limits{})
			got := ""
			if d != nil {
				got = d.Text("A", "B")
			}
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// TestFirstOfImages: the lowest layer that differs is named; what no entry says differs too.
func TestFirstOfImages(t *testing.T) {
	one, two, three := layer(t, file("a", "1")), layer(t, file("b", "2")), layer(t, file("b", "3"))
	two.Made, three.Made = "role/slave", "role/slave"
	content := tarOf(t, file("b", "2"))
	padded := layerOf(append(slices.Clone(content), make([]byte, 512)...))
	dirty := slices.Clone(content)
	dirty[512+100] = 1 // after the end of the file's content
	packed := two
	packed.Digest = "sha256:other"
	broken := layerOf([]byte("no tar"))
	for _, tt := range []struct {
		name string
		a, b []Layer
		want string
	}{
		{"the same", []Layer{one, two}, []Layer{one, two}, ""},
		{"not read where digests are equal", []Layer{broken, two}, []Layer{broken, three}, "layer 2 (role/slave): /b: content from byte 0 on: 1 bytes in A, 1 bytes in B"},
		{"number", []Layer{one, two}, []Layer{one}, "layer 2: layers: 2 in A, 1 in B"},
		{"compression", []Layer{two}, []Layer{packed}, "layer 1 (role/slave): compression: " + two.Digest + " in A, sha256:other in B"},
		{"padding", []Layer{two}, []Layer{padded}, "layer 1 (role/slave): tar from byte 2048 on: one form in A, another in B"},
		{"bytes between entries", []Layer{two}, []Layer{layerOf(dirty)}, "layer 1 (role/slave): tar from byte 612 on: one form in A, another in B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := First(t.Context(), tt.a, tt.b, Limits{})
			got := ""
			if d != nil {
				got = d.Text("A", "B")
			}
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestFirstRefuses(t *testing.T) {
	good := layer(t, file("a", "1"))
	other := layer(t, file("a", "1"), file("b", ""))
	lies := layer(t, file("a", "1"), file("b", ""))
	lies.DiffID, lies.Digest = "sha256:other", "sha256:other"
	cut := layerOf(tarOf(t, file("a", strings.Repeat("1", 5000)))[:3000])
	for name, tt := range map[string]struct {
		a, b   Layer
		limits Limits
		want   error
	}{
		"a layer that is cut off":            {layer(t, file("a", strings.Repeat("1", 5000))), cut, Limits{}, io.ErrUnexpectedEOF},
		"a name that leads out":              {good, layer(t, file("../a", "1")), Limits{}, archive.ErrEscape},
		"more entries than may be":           {other, layer(t, file("a", "1"), file("b", "").with(mode(0o600))), Limits{Archive: archive.Limits{Entries: 1}}, archive.ErrLimit},
		"headers without end":                {good, layer(t, file("a", "2")), Limits{Stream: 100}, archive.ErrLimit},
		"a trailer without end":              {good, layerOf(append(tarOf(t, file("a", "1")), make([]byte, 1<<20)...)), Limits{Trailer: 1024}, archive.ErrLimit},
		"a layer that isn't what it says":    {other, lies, Limits{}, ErrDamaged},
		"a type that nobody knows":           {good, layer(t, file("a", "1").with(func(h *tar.Header) { h.Typeflag = 'V' })), Limits{}, archive.ErrType},
		"no tar":                             {good, layerOf(bytes.Repeat([]byte("x"), 1024)), Limits{}, archive.ErrMalformed},
		"a folder that a tree can't be of":   {good, TreeLayer("tree", "/nowhere"), Limits{}, os.ErrNotExist},
		"a tree with a name like a whiteout": {good, TreeLayer("tree", folder(t, ".wh.x")), Limits{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := First(t.Context(), []Layer{tt.a}, []Layer{tt.b}, tt.limits)
			if err == nil || d != nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%+v, %v; want %v", d, err, tt.want)
			}
		})
	}
}

func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFirstOfTrees: folders compare as layers do.
func TestFirstOfTrees(t *testing.T) {
	a, b := folder(t, "x", "y"), folder(t, "x", "y")
	for _, dir := range []string{a, b} {
		for _, name := range []string{"x", "y", "."} {
			if err := os.Chtimes(filepath.Join(dir, name), epoch, epoch); err != nil {
				t.Fatal(err)
			}
		}
	}
	if d, err := First(t.Context(), []Layer{TreeLayer("a", a)}, []Layer{TreeLayer("b", b)}, Limits{}); err != nil || d != nil {
		t.Fatalf("%+v, %v", d, err)
	}
	if err := os.Chmod(filepath.Join(b, "y"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := First(t.Context(), []Layer{TreeLayer("a", a)}, []Layer{TreeLayer("b", b)}, Limits{})
	want := &Difference{Layer: 1, Name: "b", Path: "/y", What: "mode", A: "0644", B: "0600", Offset: -1}
	if diff := cmp.Diff(want, d); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
