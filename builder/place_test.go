package builder

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mesos-forge/forge/builder/store"
)

// outFolder is an output folder with the store that its results come from.
type outFolder struct {
	t     *testing.T
	dir   string
	store *store.Store
}

func newOutFolder(t *testing.T) *outFolder {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &outFolder{t, filepath.Join(t.TempDir(), "out"), st}
}

func (o *outFolder) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// build places files by their content for the roles, and folders of files, and returns how many results were
// written and the sums.
func (o *outFolder) build(roles []string, files map[string]string, folders map[string]map[string]string) (int, []string) {
	o.t.Helper()
	p, err := openPlacer(o.t.Context(), o.dir, o.store)
	o.must(err)
	defer p.close()
	for _, role := range roles {
		for path, content := range files {
			d, _, err := o.store.PutBlob(o.t.Context(), strings.NewReader(content), "")
			o.must(err)
			o.must(p.file(o.t.Context(), role, path, d))
		}
		for path, content := range folders {
			memory := fstest.MapFS{}
			for name, text := range content {
				memory[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
			}
			note, err := p.place(result{role: role, path: path, from: store.DigestOf([]byte(path + content["a"])), make: func(tmp string) (string, error) {
				return "note of " + path, os.CopyFS(tmp, memory)
			}})
			o.must(err)
			if note != "note of "+path {
				o.t.Errorf("%s: note %q", path, note)
			}
		}
	}
	o.must(p.retire(roles))
	if entries, err := os.ReadDir(p.temp()); err == nil && len(entries) > 0 {
		o.t.Errorf("%s was left", entries[0].Name())
	}
	return p.written, slices.Sorted(maps.Keys(p.sums()))
}

func (o *outFolder) read(name string) string {
	b, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestPlaceWritesWhatIsNotThere(t *testing.T) {
	o := newOutFolder(t)
	files := map[string]string{"debs/a.deb": "a", "slave/disk": "disk"}
	image := map[string]map[string]string{"slave/image": {"a": "1", "b": "2"}}
	steps := []struct {
		name   string
		before func()
		want   int // results written
	}{
		{"the first time", func() {}, 3},
		{"nothing changed", func() {}, 0},
		{"a file is gone", func() { o.must(os.Remove(filepath.Join(o.dir, "debs/a.deb"))) }, 1},
		{"a file changed", func() { o.must(os.WriteFile(filepath.Join(o.dir, "slave/disk"), []byte("DISK"), 0o644)) }, 1},
		{"a file's mode changed", func() { o.must(os.Chmod(filepath.Join(o.dir, "slave/disk"), 0o600)) }, 1},
		{"a file of a folder is gone", func() { o.must(os.Remove(filepath.Join(o.dir, "slave/image/a"))) }, 1},
		{"a file more in a folder", func() { o.must(os.WriteFile(filepath.Join(o.dir, "slave/image/z"), nil, 0o644)) }, 1},
		{"a file in place of a folder", func() {
			o.must(os.RemoveAll(filepath.Join(o.dir, "slave/image")))
			o.must(os.WriteFile(filepath.Join(o.dir, "slave/image"), nil, 0o644))
		}, 1},
		{"a folder in place of a file", func() {
			o.must(os.Remove(filepath.Join(o.dir, "slave/disk")))
			o.must(os.MkdirAll(filepath.Join(o.dir, "slave/disk/x"), 0o755))
		}, 1},
		{"the record is gone", func() { o.must(os.Remove(filepath.Join(o.dir, placedName))) }, 3},
		{"the record is damaged", func() { o.must(os.WriteFile(filepath.Join(o.dir, placedName), []byte(`{"a":`), 0o644)) }, 3},
		{"the content is another", func() { files["slave/disk"], image["slave/image"]["a"] = "new", "new" }, 2},
		{"what a killed forge left", func() {
			o.must(os.MkdirAll(filepath.Join(o.dir, ".forge/tmp/result/x"), 0o755))
			files["slave/disk"] = "newer"
		}, 1},
	}
	for _, s := range steps {
		s.before()
		written, sums := o.build([]string{"slave"}, files, image)
		if written != s.want {
			t.Errorf("%s: %d results were written, want %d", s.name, written, s.want)
		}
		if want := []string{"debs/a.deb", "slave/disk", "slave/image/a", "slave/image/b"}; !slices.Equal(sums, want) {
			t.Errorf("%s: sums of %v, want %v", s.name, sums, want)
		}
		if got := o.read("debs/a.deb") + " " + o.read("slave/disk") + " " + o.read("slave/image/a"); got != "a "+files["slave/disk"]+" "+image["slave/image"]["a"] {
			t.Errorf("%s: the files are %q", s.name, got)
		}
	}
}

func TestPlaceKnowsWhoseResultsAre(t *testing.T) {
	o := newOutFolder(t)
	o.build([]string{"slave"}, map[string]string{"debs/mesos~standin.deb": "1", "debs/both.deb": "2", "slave/disk": "3"}, nil)
	o.build([]string{"master"}, map[string]string{"debs/both.deb": "2", "master/disk": "4"}, nil)
	_, sums := o.build([]string{"master"}, map[string]string{"master/disk": "4"}, nil)
	if want := []string{"debs/both.deb", "debs/mesos~standin.deb", "master/disk", "slave/disk"}; !slices.Equal(sums, want) {
		t.Errorf("sums of %v, want those of the other role too: %v", sums, want)
	}
	_, sums = o.build([]string{"slave"}, map[string]string{"debs/mesos.deb": "5"}, nil)
	if want := []string{"debs/mesos.deb", "master/disk"}; !slices.Equal(sums, want) {
		t.Errorf("sums of %v, want %v", sums, want)
	}
	for name, want := range map[string]bool{"debs/mesos~standin.deb": false, "debs/both.deb": false, "debs/mesos.deb": true, "slave/disk": true} {
		if _, err := os.Stat(filepath.Join(o.dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", name, err == nil, want)
		}
	}
	// What somebody changed is not forge's to remove, and has no sum.
	o.must(os.WriteFile(filepath.Join(o.dir, "debs/mesos.deb"), []byte("mine"), 0o644))
	_, sums = o.build([]string{"slave"}, nil, nil)
	if o.read("debs/mesos.deb") != "mine" || !slices.Equal(sums, []string{"master/disk"}) {
		t.Errorf("a changed file is %q, sums of %v", o.read("debs/mesos.deb"), sums)
	}
}

// TestPlaceLeavesNoWrongSums has a build end before it writes its sums.
func TestPlaceLeavesNoWrongSums(t *testing.T) {
	o := newOutFolder(t)
	sums := filepath.Join(o.dir, SumsName)
	there := func() bool { _, err := os.Stat(sums); return err == nil }
	o.build([]string{"slave"}, map[string]string{"debs/a.deb": "1"}, nil)
	o.must(os.WriteFile(sums, []byte("of a"), 0o644))
	o.build([]string{"slave"}, map[string]string{"debs/a.deb": "1"}, nil)
	if !there() {
		t.Error("the sums went though nothing changed")
	}
	o.build([]string{"slave"}, map[string]string{"debs/a.deb": "2"}, nil)
	if there() {
		t.Error("the sums stayed though a result changed")
	}
	o.must(os.WriteFile(sums, []byte("of a"), 0o644))
	o.build([]string{"slave"}, nil, nil)
	if there() {
		t.Error("the sums stayed though a package went")
	}
}

func TestPlaceLeavesNothingHalf(t *testing.T) {
	o := newOutFolder(t)
	p, err := openPlacer(t.Context(), o.dir, o.store)
	o.must(err)
	defer p.close()
	bad := errors.New("disk full")
	_, err = p.place(result{path: "slave/image", from: "x", make: func(tmp string) (string, error) {
		return "", errors.Join(os.MkdirAll(filepath.Join(tmp, "half"), 0o755), bad)
	}})
	if !errors.Is(err, bad) || !strings.Contains(err.Error(), "slave/image") {
		t.Errorf("error %v, want the result's name and its reason", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, _, err := o.store.PutBlob(t.Context(), strings.NewReader("x"), "")
	o.must(err)
	if err := p.file(ctx, "slave", "slave/disk", d); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after an interrupt", err)
	}
	var left []string
	o.must(filepath.WalkDir(o.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "lock" {
			left = append(left, path)
		}
		return err
	}))
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	wait, cancelWait := context.WithTimeout(t.Context(), 3*lockPause)
	defer cancelWait()
	if _, err := openPlacer(wait, o.dir, o.store); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two forges have one output folder: %v", err)
	}
}
