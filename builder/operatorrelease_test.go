package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// releaseTGZ is an archive of these executable files, which hold their names.
func releaseTGZ(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(name)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestOperatorRelease looks for a package and for the release archive of Marathon that forge makes it of.
func TestOperatorRelease(t *testing.T) {
	const name, debName, oldName = "marathon-1.5.11.tgz", "marathon_1.5.11-1_all.deb", "marathon-0.6.1.tgz"
	right := releaseTGZ(t, "marathon-1.5.11/bin/marathon", "marathon-1.5.11/lib/mesosphere.marathon.marathon-1.5.11.jar")
	old := releaseTGZ(t, "marathon-0.6.1/bin/start", "marathon-0.6.1/target/scala-2.10/marathon-assembly-0.6.1.jar")
	deb := emptyDeb(t, "marathon", "1.5.11-1", "all")
	other := store.DigestOf([]byte("another"))
	locked := func(artifact, file string, d store.Digest, only, write bool) pins {
		return pins{file: "LOCK", only: only, write: write, lock: &lock.Lock{Artifacts: []lock.Artifact{{Name: "marathon/" + artifact, Kind: "file", File: file, SHA256: d.Hex()}}}}
	}
	for _, tt := range []struct {
		name, stack, profile string
		files                map[string][]byte // below the operator's folder
		known                string            // digest that the recipe knows
		pins                 pins
		mirrors              []string
		version              string   // of the package; "": the stand-in
		want                 []string // parts of the error; none: no error
	}{
		{name: "nothing"},
		{name: "the archive", files: map[string][]byte{name: right}, version: "1.5.11-0forge1"},
		{name: "for production", files: map[string][]byte{"marathon/" + name: right}, profile: ProfileProduction, version: "1.5.11-0forge1"},
		{name: "of old", stack: "cdh5", files: map[string][]byte{oldName: old}, version: "0.6.1-0forge1"},
		{name: "the package", files: map[string][]byte{debName: deb}, version: "1.5.11-1"},
		{name: "both", files: map[string][]byte{name: right, debName: deb},
			want: []string{"component marathon: folder VENDOR has 2 files for the package marathon: " + debName + ", " + name + "; leave the one that is meant"}},
		{name: "two archives", files: map[string][]byte{name: right, "marathon-1.5.9.tgz": right}, want: []string{"has 2 files for the package marathon: " + name + ", marathon-1.5.9.tgz"}},
		{name: "missing for production", profile: ProfileProduction,
			want: []string{"no file matches marathon_1.[5-9]*.deb or marathon_1.1[0-9]*.deb or marathon-1.[5-9]*.tgz or marathon-1.1[0-9]*.tgz in VENDOR"}},
		{name: "of another version than its name", files: map[string][]byte{"marathon-1.5.9.tgz": right},
			want: []string{"component marathon: VENDOR/marathon-1.5.9.tgz: marathon-1.5.9.tgz has the folder marathon-1.5.11, and its name says marathon-1.5.9",
				"; put the right one there, or take it away to build with the stand-in"}},
		{name: "of another version than the stack's", files: map[string][]byte{"marathon-1.4.3.tgz": right},
			want: []string{"VENDOR/marathon-1.4.3.tgz is refused: it is the release of another version than 1.5 or later", "take it away, and put marathon-1.[5-9]*.tgz or marathon-1.1[0-9]*.tgz there"}},
		{name: "new for the old stack", stack: "cdh5", files: map[string][]byte{name: right},
			want: []string{"VENDOR/" + name + " is refused: it is the release of another version than 0.6.1"}},
		{name: "its source", files: map[string][]byte{"marathon-1.5.11.tar.gz": right}, want: []string{"VENDOR/marathon-1.5.11.tar.gz is refused: a release is named marathon-VERSION.tgz"}},
		{name: "a jar", files: map[string][]byte{"marathon-assembly-1.5.11.jar": nil}, want: []string{"marathon-assembly-1.5.11.jar is refused: a jar has neither a service nor scripts"}},
		{name: "a renamed jar", files: map[string][]byte{name: []byte("PK\x03\x04")}, want: []string{"VENDOR/" + name + ": " + name + " is no release of marathon: it is a jar or zip archive under another name"}},
		{name: "without its jar", files: map[string][]byte{name: releaseTGZ(t, "marathon-1.5.11/bin/start")}, want: []string{name + " has no jar lib/*marathon-[0-9]*.jar or target/**marathon-assembly-*.jar below marathon-1.5.11"}},
		{name: "cut off, for production", files: map[string][]byte{name: right[:60]}, profile: ProfileProduction, want: []string{"VENDOR/" + name + ": ", "; put the right one there"}},
		{name: "another digest", files: map[string][]byte{name: right}, known: strings.Repeat("ab", 32), want: []string{"marathon/marathon-tgz", string(store.DigestOf(right)), "is not among those known: sha256:abab"}},
		{name: "as locked", files: map[string][]byte{name: right}, pins: locked("marathon-tgz", name, store.DigestOf(right), true, false), version: "1.5.11-0forge1"},
		{name: "another one than locked", files: map[string][]byte{name: right}, pins: locked("marathon-tgz", name, other, false, false),
			want: []string{"marathon/marathon-tgz", string(other), string(store.DigestOf(right)), "VENDOR/" + name}},
		{name: "a new one for a new lock", files: map[string][]byte{name: right}, pins: locked("marathon-tgz", name, other, false, true), version: "1.5.11-0forge1"},
		{name: "locked with the stand-in", files: map[string][]byte{name: right}, pins: pins{file: "LOCK", only: true, lock: &lock.Lock{}},
			want: []string{"VENDOR/" + name + " is not in lock LOCK, which alone counts"}},
		{name: "locked and missing", pins: locked("marathon-tgz", name, other, true, false),
			want: []string{"lock LOCK has the release " + name + " (sha256 " + other.Hex() + ") for the package marathon, and no file matches"}},
		{name: "locked, in a mirror", pins: locked("marathon-tgz", name, other, true, false), mirrors: []string{"http://127.0.0.1:1"}, version: "1.5.11-0forge1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stackName := tt.stack
			if stackName == "" {
				stackName = "bookworm"
			}
			stack, err := recipe.Load(os.DirFS(".."), stackName)
			if err != nil {
				t.Fatal(err)
			}
			c := stack.Components["marathon"]
			if tt.known != "" {
				a := c.Artifacts["marathon-tgz"]
				a.SHA256 = []string{tt.known}
				c.Artifacts["marathon-tgz"] = a
			}
			vendor := filepath.Join(t.TempDir(), "vendor")
			writeFiles(t, vendor, tt.files)
			b := &Builder{opt: Options{Vendor: vendor, Profile: tt.profile, Mirrors: tt.mirrors}, stack: stack, pins: tt.pins, operator: map[string]*operatorDeb{}, files: map[string]operatorFiles{}}
			r := &recipe.Role{Components: []string{"marathon"}}
			if err = b.findOperatorFiles(r); err == nil {
				err = b.findOperatorDebs(r)
			}
			if len(tt.want) == 0 {
				got := ""
				if o := b.operator["marathon"]; o != nil {
					got = o.Version
				}
				if err != nil || got != tt.version || b.standsIn(c) != (tt.version == "") {
					t.Errorf("version %q, %v; want %q", got, err, tt.version)
				}
				return
			}
			for _, want := range tt.want {
				if want = strings.ReplaceAll(want, "VENDOR", vendor); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v; want it to say %s", err, want)
				}
			}
		})
	}
}

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOperatorReleaseFromMirror makes the package of the release that the lock names and a mirror has; what is not
// laid out as one is refused there too.
func TestOperatorReleaseFromMirror(t *testing.T) {
	const name = "marathon-1.5.11.tgz"
	for want, served := range map[string][]byte{
		"": releaseTGZ(t, "marathon-1.5.11/bin/marathon", "marathon-1.5.11/lib/mesosphere.marathon.marathon-1.5.11.jar"),
		"step deb/marathon: " + name + " has no bin/marathon or bin/start below marathon-1.5.11 to start it": releaseTGZ(t, "marathon-1.5.11/lib/mesosphere.marathon.marathon-1.5.11.jar"),
	} {
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
		line := lock.Artifact{Name: "marathon/marathon-tgz", Kind: "file", File: name, Size: int64(len(served)), SHA256: store.DigestOf(served).Hex()}
		b := &Builder{opt: Options{Checkout: "..", Vendor: filepath.Join(t.TempDir(), "vendor"), Mirrors: []string{server.URL + "/files"}, Jobs: 1}, stack: stack, store: st,
			pins: pins{file: "LOCK", lock: &lock.Lock{Stack: "bookworm", Artifacts: []lock.Artifact{line}}},
			made: map[string]*step.Step{}, operator: map[string]*operatorDeb{}, files: map[string]operatorFiles{}}
		r := &recipe.Role{Components: []string{"marathon"}}
		if err := errors.Join(b.findOperatorFiles(r), b.findOperatorDebs(r)); err != nil || b.standsIn(stack.Components["marathon"]) {
			t.Fatalf("%v; want the release of the lock", err)
		}
		g, err := step.NewGraph(b.upstream("deb/marathon", stack.Components["marathon"]))
		if err != nil {
			t.Fatal(err)
		}
		done, err := (&step.Executor{Store: st, Sink: event.Discard, Jobs: 1, Memory: 1}).Execute(t.Context(), g)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want it to say %s", err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := st.BlobPath(done["deb/marathon"].Outputs["deb"].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("dpkg-deb", "--showformat=${Package} ${Version} ${Architecture}", "--show", raw).Output(); err != nil || string(out) != "marathon 1.5.11-0forge1 all" {
			t.Errorf("dpkg-deb says %s, %v", out, err)
		}
	}
}
