package builder

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/store"
)

// TestFindPaths looks for Mesos's library in packages of both layouts, of both stacks.
func TestFindPaths(t *testing.T) {
	without := func(layout map[string]string, name string) map[string]string {
		m := maps.Clone(layout)
		delete(m, name)
		return m
	}
	both := maps.Clone(oldLayout)
	both["/usr/lib/libmesos.so"] = ""
	for _, tt := range []struct {
		name, stack string
		layout      map[string]string
		link        string // target of /usr/lib/forge/libmesos.so
		version     string // of forge-mesos
		want        string // error
	}{
		{name: "stand-in", stack: "bookworm", link: "../libmesos.so", version: "1.11.0-1"},
		{name: "new", stack: "bookworm", layout: newLayout, link: "../libmesos.so", version: "1.11.0-1"},
		{name: "new without links for old", stack: "bookworm", layout: without(newLayout, "/usr/local/lib/libmesos.so"), link: "../libmesos.so", version: "1.11.0-1"},
		{name: "old where new is usual", stack: "bookworm", layout: oldLayout, link: "../../local/lib/libmesos.so", version: "1.11.0-1+usr.local.lib.libmesos.so"},
		{name: "old stand-in", stack: "cdh5", link: "../../local/lib/libmesos.so", version: "0.19.0-1"},
		{name: "old", stack: "cdh5", layout: oldLayout, link: "../../local/lib/libmesos.so", version: "0.19.0-1"},
		{name: "new where old is usual", stack: "cdh5", layout: without(newLayout, "/usr/local/lib/libmesos.so"), link: "../libmesos.so", version: "0.19.0-1+usr.lib.libmesos.so"},
		{name: "none", stack: "bookworm", layout: map[string]string{"/usr/lib/libmesos-1.11.0.so": ""},
			want: "is not laid out as a package of mesos: it has no /usr/lib/libmesos.so and no /usr/local/lib/libmesos.so"},
		{name: "two", stack: "bookworm", layout: both, want: "it has both /usr/lib/libmesos.so and /usr/local/lib/libmesos.so, two files of which only one can be meant"},
		{name: "a link to nothing", stack: "bookworm", layout: without(newLayout, "/usr/lib/libmesos-1.11.0.so"), want: "its /usr/lib/libmesos.so leads to /usr/lib/libmesos-1.11.0.so, which it does not have"},
		{name: "a circle", stack: "bookworm", layout: map[string]string{"/usr/lib/libmesos.so": "/usr/local/lib/libmesos.so", "/usr/local/lib/libmesos.so": "/usr/lib/libmesos.so"},
			want: "its /usr/lib/libmesos.so is a link that leads nowhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stack, err := recipe.Load(os.DirFS(".."), tt.stack)
			if err != nil {
				t.Fatal(err)
			}
			c := stack.Components["mesos"]
			known := c.Artifacts["mesos-deb"]
			known.SHA256 = nil // of the real package
			c.Artifacts["mesos-deb"] = known
			vendor := t.TempDir()
			if tt.layout != nil {
				version := c.Version + "-9"
				writeFiles(t, vendor, map[string][]byte{"mesos_" + version + "_amd64.deb": mesosDeb(t, version, "amd64", tt.layout)})
			}
			b := &Builder{opt: Options{Vendor: vendor}, stack: stack, operator: map[string]*operatorDeb{}}
			err = b.findOperatorDebs(&recipe.Role{Components: []string{"mesos"}})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), vendor) {
					t.Errorf("error %v; want it to say %s", err, tt.want)
				}
				return
			}
			if got := b.links(c)["/usr/lib/forge/libmesos.so"]; err != nil || got != tt.link || b.packageVersion(c) != tt.version {
				t.Errorf("link to %q, version %s, %v; want %q, %s", got, b.packageVersion(c), err, tt.link, tt.version)
			}
			spec, err := deb.ForComponent(deb.Inputs{Stack: stack, Checkout: "..", Optional: b.told(c), Links: b.links(c)}, c)
			laid := slices.ContainsFunc(spec.Entries, func(e deb.Entry) bool {
				return e.Path == "/usr/lib/forge/libmesos.so" && e.Kind == recipe.EntryLink && e.Target == tt.link
			})
			if err != nil || !laid || spec.Info.Version != tt.version {
				t.Errorf("forge-mesos %s, with the link: %v, %v", spec.Info.Version, laid, err)
			}
		})
	}
}

// TestPathsOfPinned: of a package that only a mirror has, the lock tells where its library is, and the package is held
// to it.
func TestPathsOfPinned(t *testing.T) {
	stack, err := recipe.Load(os.DirFS(".."), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	c := stack.Components["mesos"]
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for version, want := range map[string]int{"1.11.0-1": 0, "1.11.0-1+usr.local.lib.libmesos.so": 1} {
		b := &Builder{stack: stack, store: st, pins: pins{file: "LOCK", lock: &lock.Lock{Packages: []lock.Package{{Name: "forge-mesos", Version: version}}}}}
		o := operatorDeb{Found: b.pinnedPaths(c), Result: deb.Result{Filename: "mesos.deb"}}
		if o.at(0) != want || o.at(1) != 0 {
			t.Errorf("%s: %v, want %d", version, o.Found, want)
		}
		for i, layout := range []map[string]string{newLayout, oldLayout} {
			raw := mesosDeb(t, "1.11.0-9", "amd64", layout)
			d, size, err := st.PutBlob(t.Context(), strings.NewReader(string(raw)), "")
			if err != nil {
				t.Fatal(err)
			}
			o.Size = size
			err = b.comparePaths(t.Context(), source.Result{Digest: d, From: "a mirror"}, c, o)
			if (err == nil) != (i == want) || err != nil && !strings.Contains(err.Error(), "mesos.deb from a mirror has /usr/") {
				t.Errorf("%s, layout %d: %v", version, i, err)
			}
		}
	}
}
