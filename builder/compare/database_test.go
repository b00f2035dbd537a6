package compare

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/archive"
)

func treeOf(t *testing.T, entries ...entry) *Tree {
	t.Helper()
	r := Reading{Keep: KeepDatabase}
	tree, err := r.Tree(t.Context(), []Layer{layer(t, entries...)})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

const dpkgStatus = `Package: libx
Status: install ok installed
Architecture: i386
Version: 1
Installed-Size: 3

Package: libx
Status: hold ok installed
Architecture: amd64
Version: 1
Installed-Size: 4

Package: old
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: a
Status: install ok installed
Architecture: all
Version: 2:1.0-1
`

// TestDatabase reads a tree as dpkg left it: its lists have paths that go through links, and name folders, and
// what isn't there any more.
func TestDatabase(t *testing.T) {
	tree := treeOf(t, link("lib", "usr/lib"), link("bin", "/usr/bin"), link("loop", "loop"), dir("usr"), dir("usr/lib"), dir("usr/bin"), file("usr/lib/x.so", "12345"), hard("usr/lib/y.so", "usr/lib/x.so"), file("usr/bin/a", "123"),
		file("etc/own", "1"), file("var/lib/dpkg/status", dpkgStatus), file("var/lib/dpkg/info/libx:amd64.list", "/.\n/lib\n/lib/x.so\n/usr/lib/y.so\n/loop/z\n"),
		file("var/lib/dpkg/info/a.list", "/.\n/usr\n/usr/bin\n/bin/a\n/../../etc/gone\n\n"), file("var/lib/dpkg/info/format", "1"), file("var/lib/dpkg/info/a.postinst", "#!/bin/sh\n"))
	packages, err := tree.Packages()
	want := []Package{{Name: "a", Version: "2:1.0-1", Architecture: "all"}, {Name: "libx", Version: "1", Architecture: "amd64", Installed: 4096}, {Name: "libx", Version: "1", Architecture: "i386", Installed: 3072}}
	if diff := cmp.Diff(want, packages); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(map[string]string{"usr/lib/x.so": "libx", "usr/lib/y.so": "libx", "usr/bin/a": "a", "var/lib/dpkg/info/libx:amd64.list": "libx",
		"var/lib/dpkg/info/a.list": "a", "var/lib/dpkg/info/a.postinst": "a"}, tree.owners()); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	lists := func(name string) int64 { return tree.nodes["var/lib/dpkg/info/"+name].Size }
	usage := tree.usage(packages)
	if got := usage["libx"]; got != (Usage{Installed: 7168, Bytes: 5 + lists("libx:amd64.list"), Files: 3}) {
		t.Errorf("libx: %+v", got)
	}
	if got := usage["a"]; got != (Usage{Bytes: 3 + 10 + lists("a.list"), Files: 3}) {
		t.Errorf("a: %+v", got)
	}
	if got := usage[""]; got.Files != 6 { // three links, /etc/own, the status file, the format
		t.Errorf("no package: %+v", got)
	}
	for name, status := range map[string]string{"no field": "nonsense", "a size that is none": strings.Replace(dpkgStatus, ": 3", ": -3", 1)} {
		if got, err := treeOf(t, file("var/lib/dpkg/status", status)).Packages(); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got, err := treeOf(t, file("x", "")).Packages(); err != nil || got != nil {
		t.Errorf("without dpkg: %v, %v", got, err)
	}
}

func TestPackages(t *testing.T) {
	a := []Package{{Name: "both", Version: "1", Architecture: "amd64"}, {Name: "both", Version: "1", Architecture: "i386"}, {Name: "gone", Version: "1"}, {Name: "moved", Version: "1", Architecture: "all"},
		{Name: "other", Version: "1", SHA256: "aa"}, {Name: "same", Version: "1", SHA256: "aa"}, {Name: "unknown", Version: "1", SHA256: "aa"}}
	b := []Package{{Name: "both", Version: "2", Architecture: "amd64"}, {Name: "moved", Version: "1", Architecture: "amd64"}, {Name: "new", Version: "1"},
		{Name: "other", Version: "1", SHA256: "bb"}, {Name: "same", Version: "1", SHA256: "aa"}, {Name: "unknown", Version: "1"}}
	want := []PackageChange{
		{Name: "both", Change: Changed, What: []string{"version"}, A: &a[0], B: &b[0]},
		{Name: "both", Change: Removed, A: &a[1]},
		{Name: "gone", Change: Removed, A: &a[2]},
		{Name: "moved", Change: Changed, What: []string{"architecture"}, A: &a[3], B: &b[1]},
		{Name: "new", Change: Added, B: &b[2]},
		{Name: "other", Change: Changed, What: []string{"content"}, A: &a[4], B: &b[3]},
	}
	if diff := cmp.Diff(want, Packages(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSizes(t *testing.T) {
	with := func(entries ...entry) *Tree {
		return treeOf(t, append(entries, file("var/lib/dpkg/info/a.list", "/etc/x\n"), file("var/lib/dpkg/info/b.list", "/etc/y\n"), file("var/lib/dpkg/info/c.list", ""))...)
	}
	a := with(file("etc/x", "1"), file("etc/y", "12345"), file("z", "1"))
	b := with(file("etc/x", "123456"), file("etc/y", "123"), file("z", "2"))
	whole, got := Sizes(a, b, []Package{{Name: "c", Installed: 1024}}, []Package{{Name: "c", Installed: 2048}})
	var names []string
	for _, s := range got {
		names = append(names, s.Package)
	}
	if diff := cmp.Diff([]string{"a", "c", "b"}, names); diff != "" || got[0].Growth() != 5 || got[2].Growth() != -2 || whole.Growth() != 3 || whole.A.Files != 6 || whole.B.Installed != 2048 {
		t.Errorf("%+v %+v (-want +got):\n%s", whole, got, diff)
	}
}

// TestDebSettings names what a package says of itself, and nothing that dpkg-deb made from it.
func TestDebSettings(t *testing.T) {
	d := &archive.Deb{Control: archive.Paragraph{{Name: "Package", Value: "a"}, {Name: "Depends", Value: "b"}}, Conffiles: []string{"/etc/a"},
		Files: map[string][]byte{"control": nil, "md5sums": []byte("x"), "conffiles": []byte("/etc/a\n"), "postinst": []byte("#!"), "triggers": bytes.Repeat([]byte("t"), 3)}}
	want := map[string]string{"field Package": "a", "field Depends": "b", "conffile /etc/a": "listed",
		"script postinst": "2 bytes, sha256 3612ddaf46e1", "control file triggers": "3 bytes, sha256 3f7c54571fae"}
	if diff := cmp.Diff(want, DebSettings(d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
