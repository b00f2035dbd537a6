package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/step"
)

// TestOnly: what is left out is neither planned nor built nor named by sums and report, and what is made is
// what a whole build makes.
func TestOnly(t *testing.T) {
	f := builtForge(t)
	whole := f.build()
	f.out = filepath.Join(f.dir, "packages")
	packages := f.build("--only", "packages")
	if r := packages.Roles[0]; r.Image+r.Digest+r.Packages+r.SBOM != "" || len(r.Disks) > 0 {
		t.Errorf("--only packages made %+v", r)
	}
	if got, want := packages.Roles[0].Debs, whole.Roles[0].Debs; !slices.Equal(got, want) {
		t.Errorf("--only packages made %v, a whole build makes %v", got, want)
	}
	if got := packages.Roles[0].StandIns; !slices.Equal(got, []string{"mesos"}) {
		t.Errorf("stand-ins %v, want mesos", got)
	}
	want := append([]string{"slave/forge.lock", "slave/provenance.json"}, whole.Roles[0].Debs...)
	for _, deb := range whole.Roles[0].Debs {
		want = append(want, deb+builder.SBOMSuffix)
	}
	f.holds(want)
	for name, p := range f.plan("--only", "packages") {
		if kind, _, _ := strings.Cut(name, "/"); p.State != step.Hit || slices.Contains([]string{"index", "solve", "rootfs", "image", "disk"}, kind) {
			t.Errorf("the plan has %+v", p)
		}
	}
	if again := f.build("--locked", "--lock", filepath.Join(f.out, "slave/forge.lock"), "--only", "packages"); again.Written != 0 {
		t.Errorf("from the lock of packages, %d results differ", again.Written)
	}

	f.out = filepath.Join(f.dir, "images")
	images := f.build("--only", "images")
	if r := images.Roles[0]; r.Digest != whole.Roles[0].Digest || len(r.Disks) > 0 {
		t.Errorf("--only images made %s and %v; a whole build makes the image %s", r.Digest, r.Disks, whole.Roles[0].Digest)
	}
	for name := range f.plan("--only", "images") {
		if strings.HasPrefix(name, "disk") || strings.HasPrefix(name, "solve/boot") || name == "solve/tools" {
			t.Errorf("--only images plans %s", name)
		}
	}
	for _, want := range []string{"forge load --role slave", "mesos_1.*_amd64.deb"} {
		if page, err := os.ReadFile(filepath.Join(f.out, images.Report)); err != nil || !strings.Contains(string(page), want) {
			t.Errorf("the report lacks %q: %v", want, err)
		}
	}
}

// holds checks that the sums cover these files and no others, that the files are right, and that nothing
// else is in the folder.
func (f *forge) holds(want []string) {
	f.t.Helper()
	cmd := exec.Command("sh", "-c", `sha256sum --check --strict --quiet SHA256SUMS && sed 's/^.*  //' SHA256SUMS &&
		find . -type f ! -path './.forge/*' ! -name SHA256SUMS ! -name report.html | sed 's,^./,found ,' | LC_ALL=C sort`)
	cmd.Dir = f.out
	out, err := cmd.CombinedOutput()
	want = slices.Sorted(slices.Values(want))
	for _, name := range slices.Clone(want) {
		want = append(want, "found "+name)
	}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); err != nil || !slices.Equal(got, want) {
		f.t.Errorf("in %s, %v:\n%s\nwant\n%s", f.out, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
