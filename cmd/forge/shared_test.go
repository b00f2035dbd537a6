package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/step"
)

// shared is the one undisturbed build of the role slave of this test process: what other builds are
// compared with, and the store that they begin from. Nothing of it is changed but by adding to its
// store.
var shared struct {
	sync.Once
	store   string
	result  builder.Result
	lock    string // what went in, as the build wrote it
	digests map[string]string
	hits    map[string]int // steps whose results were there already
	memory  int64          // forge's own, at most, in bytes
}

// sharedBuild makes the role slave as root, the first time that it is called, from nothing but what
// earlier test processes downloaded.
func sharedBuild(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a whole role")
	}
	shared.Do(func() {
		dir := filepath.Join(work, "shared")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		f := newForgeIn(t, dir)
		warmDownloads(t, f.store)
		r := f.start("build", "--role", "slave", "--output", "json")
		shared.memory = r.watchMemory()
		if out, code := r.wait(); code != 0 {
			t.Fatalf("forge build: exit status %d\n%s", code, r.messages())
		} else {
			shared.result = f.result(out)
		}
		shared.hits = r.count(event.StepHit)
		shared.digests = f.digests(shared.result)
		shared.lock = filepath.Join(dir, "forge.lock")
		copyAll(t, filepath.Join(f.out, shared.result.Roles[0].Lock), shared.lock)
		keepDownloads(t, f.store)
		if err := os.RemoveAll(f.out); err != nil {
			t.Fatal(err)
		}
		shared.store = f.store
	})
	if shared.store == "" {
		t.Fatal("the build that the tests share failed")
	}
}

// builtForge is a forge on the store of the shared build: everything is a hit until its checkout is
// changed.
func builtForge(t *testing.T) *forge {
	t.Helper()
	sharedBuild(t)
	f := newForge(t)
	f.store = shared.store
	f.flags = []string{"--offline"} // uses the indexes however old they are by now
	return f
}

// builtRole is builtForge with the results in its output folder.
func builtRole(t *testing.T) (*forge, builder.Result) {
	t.Helper()
	f := builtForge(t)
	return f, f.build()
}

// missing ends a test that needs something that this machine has not.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}

// forgeWithout is a forge whose store has everything of the shared build but the results of the
// named steps. What is there is links to the shared store, so that it takes no time and no space.
func forgeWithout(t *testing.T, steps ...string) *forge {
	t.Helper()
	sharedBuild(t)
	f := newForge(t)
	f.flags = []string{"--offline"}
	linkStore(t, f.store, steps...)
	return f
}

func linkStore(t *testing.T, to string, without ...string) {
	t.Helper()
	out, err := exec.Command("sh", "-c", `set -e
		mkdir -p "$2/blobs/sha256" "$2/trees"
		cp -a "$1/FORMAT" "$1/results" "$1/last" "$2/"
		for d in "$1"/blobs/sha256/*; do
			mkdir "$2/blobs/sha256/${d##*/}"
			ln -s "$d"/* "$2/blobs/sha256/${d##*/}/"
		done
		ln -s "$1"/trees/* "$2/trees/"`, "sh", shared.store, to).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	recs := results(t, to)
	for _, name := range without {
		found := false
		for path, rec := range recs {
			if rec.Step != name {
				continue
			}
			found = true
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			for _, o := range rec.Outputs {
				if o.Type == step.Tree {
					err = os.Remove(filepath.Join(to, "trees", o.Digest.Hex()))
				} else {
					err = os.Remove(blobPath(to, o.Digest.Hex()))
				}
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
		}
		if !found {
			t.Fatalf("the shared build has no step called %s", name)
		}
	}
}

func blobPath(store, hex string) string { return filepath.Join(store, "blobs", "sha256", hex[:2], hex) }

// results returns the results of a store, by the path of their file.
func results(t *testing.T, store string) map[string]step.Record {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(store, "results", "*"))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]step.Record{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		var rec step.Record
		if err == nil {
			err = json.Unmarshal(b, &rec)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m[name] = rec
	}
	return m
}
