package builder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/report"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// rebuild places the results of the role slave that lie in dir, and returns what the report says about it.
func (o *outFolder) rebuild(ctx context.Context, dir string) ([]report.Changes, error) {
	o.t.Helper()
	p, err := openPlacer(o.t.Context(), o.dir, o.store)
	o.must(err)
	defer func() { o.must(p.close()) }()
	names, err := os.ReadDir(filepath.Join(dir, "slave"))
	o.must(err)
	for _, e := range names {
		from := filepath.Join(dir, "slave", e.Name())
		r := result{role: "slave", path: "slave/" + e.Name()}
		if e.IsDir() {
			index, err := os.ReadFile(filepath.Join(from, "index.json"))
			o.must(err)
			r.from, r.make = store.DigestOf(index), func(tmp string) (string, error) { return "", os.CopyFS(tmp, os.DirFS(from)) }
		} else {
			content, err := os.ReadFile(from)
			o.must(err)
			r.from, r.make = store.DigestOf(content), func(tmp string) (string, error) { return "", os.WriteFile(tmp, content, 0o644) }
		}
		_, err = p.place(r)
		o.must(err)
	}
	return p.pageChanges(ctx, []role{{name: "slave", image: &step.Step{}}, {name: "master", image: &step.Step{}}})
}

// TestReportKnowsTheFormerBuild replaces a build by another one in an output folder.
func TestReportKnowsTheFormerBuild(t *testing.T) {
	a, b := diffBuilds(t)
	o := newOutFolder(t)
	first, err := o.rebuild(t.Context(), a)
	if err != nil || first != nil {
		t.Errorf("the first build: %+v, %v; want nothing", first, err)
	}
	again, err := o.rebuild(t.Context(), a)
	if err != nil || len(again) != 1 || !again[0].Same() || again[0].Role != "slave" {
		t.Errorf("the same build: %+v, %v; want that nothing changed", again, err)
	}
	got, err := o.rebuild(t.Context(), b)
	if err != nil || len(got) != 1 {
		t.Fatalf("another build: %+v, %v", got, err)
	}
	if diff := cmp.Diff([]report.Changed{
		{Sign: "~", Name: "linux-image", Before: "6.1 sha256 222222222222", After: "6.1 sha256 333333333333"},
		{Sign: "~", Name: "tool", Before: "1.2-1", After: "1.3-1"},
	}, got[0].Packages); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	files := map[string]report.Changed{}
	for _, f := range got[0].Files {
		files[f.Name] = f
	}
	if diff := cmp.Diff(report.Changed{Sign: "~", Name: "/usr/bin/su", Package: "util-linux", After: "mode 0644 -> 4755, owner 0:0 -> 1:0, size 6 bytes -> 5 bytes, xattrs none -> security.capability=0102"}, files["/usr/bin/su"]); diff != "" {
		t.Errorf("/usr/bin/su (-want +got):\n%s", diff)
	}
	if c := got[0]; c.Added != 3 || c.Removed != 6 || c.Altered != 5 || len(c.Files) != 14 || len(c.Layers) != 1 || len(c.Settings) != 6 || len(c.Grown) != 5 || c.Grown[0].Package != "tool" || c.After >= c.Before {
		t.Errorf("%+v", c)
	}
	if _, err := os.Stat(filepath.Join(o.dir, ".forge", "former")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the former build was left in the output folder: %v", err)
	}
	if again, err = o.rebuild(t.Context(), b); err != nil || !again[0].Same() {
		t.Errorf("the same build again: %+v, %v", again, err)
	}
}

// TestReportWithDamagedFormerBuild: a former build that can't be read costs the report's section, nothing else.
func TestReportWithDamagedFormerBuild(t *testing.T) {
	a, b := diffBuilds(t)
	o := newOutFolder(t)
	if _, err := o.rebuild(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	o.must(os.WriteFile(filepath.Join(o.dir, "slave/image/index.json"), []byte("{"), 0o644))
	got, err := o.rebuild(t.Context(), b)
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Failed, "index.json") || got[0].Same() {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.rebuild(ctx, a); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
