package builder

import (
	"bytes"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goreleaser/nfpm/v2"
	nfpmdeb "github.com/goreleaser/nfpm/v2/deb"
	nfpmfiles "github.com/goreleaser/nfpm/v2/files"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// emptyDeb is a package with nothing in it.
func emptyDeb(t *testing.T, name, version, arch string) []byte {
	t.Helper()
	var b bytes.Buffer
	err := nfpmdeb.Default.Package(&nfpm.Info{Name: name, Version: version, Arch: arch, Platform: "linux", VersionSchema: "none",
		Maintainer: "A Test <test@example.invalid>", Description: "test input", MTime: time.Unix(1_700_000_000, 0)}, &b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// mesosDeb is a package with the wrapper of Mesos and these files; one with a target is a link.
func mesosDeb(t *testing.T, version, arch string, more map[string]string) []byte {
	t.Helper()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	info := &nfpm.Info{Name: "mesos", Version: version, Arch: arch, Platform: "linux", VersionSchema: "none",
		Maintainer: "A Test <test@example.invalid>", Description: "test input", MTime: time.Unix(1_700_000_000, 0)}
	add := func(at, target string) {
		c := &nfpmfiles.Content{Source: empty, Destination: at, FileInfo: &nfpmfiles.ContentFileInfo{Mode: 0o755, MTime: info.MTime}}
		if target != "" {
			c.Source, c.Type = target, nfpmfiles.TypeSymlink
		}
		info.Contents = append(info.Contents, c)
	}
	add("/usr/bin/mesos-init-wrapper", "")
	for _, at := range sortedNames(more) {
		add(at, more[at])
	}
	var b bytes.Buffer
	if err := nfpmdeb.Default.Package(info, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// newLayout and oldLayout are where packages of Mesos from 0.21.1 on, and older ones, have the library.
var (
	newLayout = map[string]string{"/usr/lib/libmesos-1.11.0.so": "", "/usr/lib/libmesos.so": "libmesos-1.11.0.so", "/usr/local/lib/libmesos.so": "/usr/lib/libmesos.so"}
	oldLayout = map[string]string{"/usr/local/lib/libmesos-0.19.0.so": "", "/usr/local/lib/libmesos.so": "libmesos-0.19.0.so"}
)

func TestOperatorDeb(t *testing.T) {
	right := mesosDeb(t, "1.11.0-2.0.1", "amd64", newLayout)
	const name = "mesos_1.11.0-2.0.1_amd64.deb"
	locked := func(d store.Digest, only, write bool) pins {
		return pins{file: "LOCK", only: only, write: write, lock: &lock.Lock{Stack: "bookworm", Artifacts: []lock.Artifact{{Name: "mesos/mesos-deb", Kind: "file", File: name, SHA256: d.Hex()}}}}
	}
	other := store.DigestOf([]byte("another"))
	tests := []struct {
		name    string
		files   map[string][]byte // below the operator's folder
		profile string
		recipe  func(*recipe.Component)
		pins    pins
		want    []string // parts of the error; none: no error
		standIn bool
	}{
		{name: "no folder", standIn: true},
		{name: "other files", files: map[string][]byte{"mesos_0.19.0_amd64.deb": right, "hadoop.jar": nil}, standIn: true},
		{name: "the package", files: map[string][]byte{name: right}},
		{name: "for production", files: map[string][]byte{name: right}, profile: ProfileProduction},
		{name: "in a folder of its own", files: map[string][]byte{"mesos/1.11/" + name: right}},
		{name: "missing for production", profile: ProfileProduction,
			want: []string{"component mesos: no file matches mesos_1.*_amd64.deb in VENDOR, and stand-ins are for the profile lab only", "put the operator's package mesos there, or build with --profile lab"}},
		{name: "missing without a stand-in", recipe: func(c *recipe.Component) { c.Upstream.Standin = nil },
			want: []string{"component mesos: no file matches mesos_1.*_amd64.deb in VENDOR, and nothing stands in for the package mesos"}},
		{name: "two", files: map[string][]byte{name: right, "old/mesos_1.9.0-1_amd64.deb": right},
			want: []string{"component mesos: folder VENDOR has 2 files for the package mesos: mesos_1.11.0-2.0.1_amd64.deb, old/mesos_1.9.0-1_amd64.deb; leave the one that is meant"}},
		{name: "no package", files: map[string][]byte{name: []byte("<html>404</html>")},
			want: []string{"component mesos: VENDOR/" + name + " is no package: ", "it should be the Debian package mesos for amd64; put the right one there, or take it away to build with the stand-in"}},
		{name: "no package for production", files: map[string][]byte{name: nil}, profile: ProfileProduction,
			want: []string{"is no package: ", "for amd64; put the right one there"}},
		{name: "cut off", files: map[string][]byte{name: right[:len(right)/2]}, want: []string{name + " is no package: "}},
		{name: "another package", files: map[string][]byte{name: emptyDeb(t, "marathon", "1.11.0-2.0.1", "amd64")},
			want: []string{"VENDOR/" + name + " holds the package marathon: it should be the Debian package mesos for amd64"}},
		{name: "another architecture", files: map[string][]byte{name: emptyDeb(t, "mesos", "1.11.0-2.0.1", "arm64")},
			want: []string{"VENDOR/" + name + " is for the architecture arm64: it should be the Debian package mesos for amd64"}},
		{name: "renamed", files: map[string][]byte{"mesos_1.11.0-9_amd64.deb": right},
			want: []string{"VENDOR/mesos_1.11.0-9_amd64.deb holds the version 1.11.0-2.0.1, which its name does not say"}},
		{name: "forge's stand-in", files: map[string][]byte{"mesos_1.11.0-1~standin1_amd64.deb": emptyDeb(t, "mesos", "1.11.0-1~standin1", "amd64")},
			want: []string{"is itself a stand-in, version 1.11.0-1~standin1"}},
		{name: "as locked", files: map[string][]byte{name: right}, pins: locked(store.DigestOf(right), true, false)},
		{name: "locked and missing", pins: locked(other, true, false),
			want: []string{"lock LOCK has the operator's package " + name + " (sha256 " + other.Hex() + "), and no file matches"}},
		{name: "another one than locked", files: map[string][]byte{name: right}, pins: locked(other, false, false),
			want: []string{"mesos/mesos-deb", string(other), string(store.DigestOf(right)), "VENDOR/" + name}},
		{name: "a new one for a new lock", files: map[string][]byte{name: right}, pins: locked(other, false, true)},
		{name: "locked with the stand-in", files: map[string][]byte{name: right}, pins: pins{file: "LOCK", only: true, lock: &lock.Lock{Stack: "bookworm"}},
			want: []string{"VENDOR/" + name + " is not in lock LOCK, which alone counts: take it away, or make a lock with it"}},
		{name: "unknown digest", files: map[string][]byte{name: right},
			recipe: func(c *recipe.Component) {
				c.Artifacts[c.Upstream.Artifact] = recipe.Artifact{Sources: c.Artifacts[c.Upstream.Artifact].Sources, SHA256: []string{strings.Repeat("ab", 32)}}
			},
			want: []string{string(store.DigestOf(right)), "is not among those known: sha256:abab"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stack, err := recipe.Load(os.DirFS(".."), "bookworm")
			if err != nil {
				t.Fatal(err)
			}
			if tt.recipe != nil {
				tt.recipe(stack.Components["mesos"])
			}
			vendor := filepath.Join(t.TempDir(), "vendor")
			for path, content := range tt.files {
				path = filepath.Join(vendor, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			b := &Builder{opt: Options{Vendor: vendor, Profile: tt.profile}, stack: stack, pins: tt.pins, operator: map[string]*operatorDeb{}}
			err = b.findOperatorDebs(stack.Roles["slave"])
			if len(tt.want) == 0 {
				if err != nil || b.standsIn(stack.Components["mesos"]) != tt.standIn {
					t.Fatalf("error %v, stands in %v, want %v", err, !tt.standIn, tt.standIn)
				}
				if o := b.operator["mesos"]; !tt.standIn && (o.Version != "1.11.0-2.0.1" || o.Filename != name || o.Digest != store.DigestOf(right)) {
					t.Errorf("found %+v", o)
				}
				return
			}
			for _, want := range tt.want {
				if want = strings.ReplaceAll(want, "VENDOR", vendor); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
		})
	}
}

// TestOperatorDebOutside: a link doesn't lead out of the folder, whatever it is called.
func TestOperatorDebOutside(t *testing.T) {
	stack, err := recipe.Load(os.DirFS(".."), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	vendor := filepath.Join(dir, "vendor")
	if err := os.Mkdir(vendor, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), emptyDeb(t, "mesos", "1.11.0-2", "amd64"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(vendor, "mesos_1.11.0-2_amd64.deb")); err != nil {
		t.Fatal(err)
	}
	b := &Builder{opt: Options{Vendor: vendor}, stack: stack, operator: map[string]*operatorDeb{}}
	if err := b.findOperatorDebs(stack.Roles["slave"]); err == nil || !strings.Contains(err.Error(), "mesos_1.11.0-2_amd64.deb: path escapes") {
		t.Errorf("error %v, want one that names the link", err)
	}
}

// TestOperatorDebFromMirror takes the package that the lock names from the operator's mirror, and
// nothing else that lies there under its name.
func TestOperatorDebFromMirror(t *testing.T) {
	right := mesosDeb(t, "1:1.11.0-2", "amd64", newLayout)
	const name = "mesos_1%3a1.11.0-2_amd64.deb"
	served := right
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if path.Base(r.URL.Path) != name {
			nethttp.NotFound(w, r)
			return
		}
		w.Write(served)
	}))
	defer server.Close()
	stack, err := recipe.Load(os.DirFS(".."), "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	line := lock.Artifact{Name: "mesos/mesos-deb", Kind: "file", File: name, Size: int64(len(right)), SHA256: store.DigestOf(right).Hex()}
	b := &Builder{opt: Options{Vendor: filepath.Join(t.TempDir(), "vendor"), Mirrors: []string{server.URL + "/debs"}}, stack: stack, store: st,
		pins: pins{file: "LOCK", lock: &lock.Lock{Stack: "bookworm", Artifacts: []lock.Artifact{line}}}, operator: map[string]*operatorDeb{}}
	if err := b.findOperatorDebs(stack.Roles["slave"]); err != nil || b.standsIn(stack.Components["mesos"]) {
		t.Fatalf("error %v, stands in %v; want the package of the lock", err, b.standsIn(stack.Components["mesos"]))
	}
	if o := b.operator["mesos"]; o.Name != "mesos" || o.Version != "1:1.11.0-2" || o.Arch != "amd64" {
		t.Errorf("the lock's file is taken for %+v", o.Result)
	}
	run := func() error {
		g, err := step.NewGraph(b.upstream("deb/mesos", stack.Components["mesos"]))
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&step.Executor{Store: st, Sink: event.Discard, Jobs: 1, Memory: 1}).Execute(t.Context(), g)
		return err
	}
	served = append(bytes.Clone(right[:len(right)-1]), right[len(right)-1]^1)
	if err := run(); err == nil || !strings.Contains(err.Error(), server.URL+"/debs") || !strings.Contains(err.Error(), line.SHA256) ||
		!strings.Contains(err.Error(), store.DigestOf(served).Hex()) {
		t.Errorf("a changed package: error %v; want one with the mirror and both digests", err)
	}
	served = right
	if err := run(); err != nil || !st.HasBlob(store.DigestOf(right)) {
		t.Errorf("the right package: error %v, in the store %v", err, st.HasBlob(store.DigestOf(right)))
	}
}
