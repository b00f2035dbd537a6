package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/step"
)

// TestBuild makes the role slave from nothing with the real apt, mvn, dpkg and go.
func TestBuild(t *testing.T) {
	f := builtForge(t)
	first := shared.result
	if len(first.Roles) != 1 || first.Hits != len(shared.hits) || len(first.Roles[0].Debs) != 8 || len(first.Roles[0].StandIns) != 1 {
		t.Fatalf("result = %+v; want one role, %d hits, 8 packages and one stand-in", first, len(shared.hits))
	}
	for name := range shared.hits {
		if !strings.HasPrefix(name, "index/") {
			t.Errorf("%s was there already; want nothing but package indexes of an earlier run", name)
		}
	}
	again := f.build()
	if again.Ran != 0 || again.Roles[0].Digest != first.Roles[0].Digest {
		t.Errorf("the second build ran %d steps, image %s; want none, %s", again.Ran, again.Roles[0].Digest, first.Roles[0].Digest)
	}
	checkResults(t, f.out, f.store, again)
	f.checkSummary(again)
	inspect, err := exec.Command("skopeo", "inspect", "oci:"+filepath.Join(f.out, again.Roles[0].Image)).CombinedOutput()
	if err != nil || !strings.Contains(string(inspect), `"io.github.mesos-forge.standins": "mesos"`) {
		t.Errorf("skopeo inspect: %v\n%s", err, inspect)
	}

	f.planNamesLockLines(again.Roles[0].Lock)
	sysctl := filepath.Join(f.checkout, "overlays/slave/etc/sysctl.d/60-forge-slave.conf")
	if err := os.WriteFile(sysctl, []byte("vm.swappiness = 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, p := range f.plan() {
		switch name {
		case "deb/forge-role-slave":
			if p.State != step.Miss || len(p.Reasons) != 1 || !strings.HasPrefix(p.Reasons[0], "input overlays/slave/etc/sysctl.d/60-forge-slave.conf changed") {
				t.Errorf("%s: %+v; want a miss that names the overlay's file and nothing else", name, p)
			}
		case "rootfs/base", "layer/base", "solve/base", "sources/hadoop", "deb/forge-hadoop", "deb/mesos", "program/forge-node":
			if p.State != step.Hit {
				t.Errorf("%s: %+v; want a hit: it doesn't depend on the overlay", name, p)
			}
		}
	}
	f.planNames("a mode", filepath.Join(f.checkout, "overlays/slave/overlay.yaml"),
		"summary: x\nfiles:\n  - path: /etc/sysctl.d/60-forge-slave.conf\n    mode: \"0600\"\n",
		"deb/forge-role-slave", "input overlays/slave/overlay.yaml changed")
	name, operator := mesosDeb(t, f.checkout)
	f.planNames("the operator's package", filepath.Join(f.vendor, name), string(operator),
		"deb/mesos", "the step itself: operator-deb, was deb")
	f.planNames("a template", filepath.Join(f.checkout, "recipes/bookworm/templates/hadoop/hadoop-env.sh"), "# changed\n",
		"deb/forge-hadoop", "input recipes/bookworm/templates/hadoop/hadoop-env.sh changed")

	// What is published never changes under its version.
	if _, errs, code := f.run("build", "--role", "slave"); code != 1 || !strings.Contains(errs, "package forge-role-slave 1-1 differs from the one in the lock") {
		t.Errorf("the overlay changed and the revision did not: exit status %d\n%s", code, errs)
	}
	f.edit("recipes/bookworm/roles/slave.yaml", "revision: 1", "revision: 2")
	f.edit("recipes/bookworm/roles/slave.yaml", "changelog:\n", "changelog:\n  - {version: \"1\", revision: 2, date: \"2025-11-24\", changes: [\"Swap less.\"]}\n")
	before := f.keepRole()
	changed := f.build()
	if changed.Roles[0].Digest == first.Roles[0].Digest {
		t.Error("the image is the same after its overlay changed")
	}
	checkResults(t, f.out, f.store, changed) // the role's package has another name now, and steps ran
	f.checkDiff(before)
}

// TestMemory holds forge itself to what a machine for continuous integration can spare.
func TestMemory(t *testing.T) {
	sharedBuild(t)
	const most = 300 << 20
	t.Logf("forge took %d MiB for the whole build", shared.memory>>20)
	if shared.memory <= 0 || shared.memory > most {
		t.Errorf("forge took %d bytes; want %d at most", shared.memory, most)
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	f := newForge(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"build", "--role", "slav"}, 1, `did you mean "slave"?`},
		{[]string{"build", "--stack", "bokworm"}, 1, `did you mean "bookworm"?`},
		{[]string{"build", "--stack", "cdh5"}, 1, "forge: images of the stack cdh5 need a mirror of Ubuntu 14.04 (apt.archives.ubuntu.mirror) and a mirror of CDH 5.1.2 for trusty (apt.archives.cdh.mirror): set it in forge.yaml, or make packages alone with --only packages\n"},
		{[]string{"plan", "--stack", "cdh5", "--only", "images"}, 1, "forge: images of the stack cdh5 need a mirror of Ubuntu 14.04"},
		{[]string{"lock", "--stack", "cdh5"}, 1, "forge: images of the stack cdh5 need a mirror of Ubuntu 14.04"},
		{[]string{"build", "--rol", "slave"}, 2, "unknown flag: --rol"},
		{[]string{"biuld"}, 2, `unknown command "biuld"`},
		{[]string{"build", "--output", "xml"}, 2, "want text or json"},
		{[]string{"load"}, 1, "forge build makes one"},
		{[]string{"build", "--profile", "prod"}, 2, "want lab or production"},
		{[]string{"build", "--format", "qcow3"}, 2, "want one of [qcow2 raw vmdk vhd]"},
		{[]string{"build", "--disk-size", "20"}, 2, "want a size of whole MiB from 1G on"},
		{[]string{"build", "--only", "disks"}, 2, "want one of [packages images]"},
		{[]string{"plan", "--only", "packages", "--format", "raw"}, 2, "--only packages makes no disks, so --format has nothing to say"},
		{[]string{"build", "--only", "images", "--disk-size", "20G"}, 2, "--only images makes no disks, so --disk-size has nothing to say"},
		{[]string{"lock", "--only", "images"}, 2, "want one of [packages]"},
		{[]string{"build", "--lock", "no-such.lock"}, 1, "no-such.lock: no such file"},
		{[]string{"build", "--profile", "production", "--role", "slave"}, 1, "component mesos: no file matches mesos_1.*_amd64.deb"},
	} {
		out, errs, code := f.run(c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("forge %s: exit status %d, output %q, error %q; want %d and %q", strings.Join(c.args, " "), code, out, errs, c.code, c.want)
		}
	}
	elsewhere := *f
	elsewhere.checkout = "/usr"
	if _, errs, code := elsewhere.run("build", "--role", "slave"); code != 1 || !strings.Contains(errs, "/usr has no folder recipes: run forge where the recipes are") {
		t.Errorf("outside of a checkout: exit status %d, error %q", code, errs)
	}
	if _, err := os.Stat(f.out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed command left an output folder: %v", err)
	}
}

// planNamesLockLines changes one line of a lock after another, the stack's and that of a build, and expects
// that the plan names it and nothing else, and that no step misses but the one that the line is for and
// those after it.
func (f *forge) planNamesLockLines(built string) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.out, built))
	if err != nil {
		f.t.Fatal(err)
	}
	copied := filepath.Join(f.checkout, "built.lock")
	if err := os.WriteFile(copied, text, 0o644); err != nil {
		f.t.Fatal(err)
	}
	for _, c := range []struct {
		lock, flag, line, step, reason string
	}{
		{"recipes/bookworm/forge.lock", "--locked=false", "name: hadoop/asm,", "sources/hadoop", "input forge.lock artifacts hadoop/asm changed"},
		{"built.lock", "--lock=" + copied, "name: runit,", "solve/container/slave", "input forge.lock debs container/slave runit:amd64 changed"},
	} {
		f.build(c.flag)
		restore := f.edit(c.lock, `(?m)^(.*`+c.line+`.*sha256: ")[0-9a-f]{4}`, "${1}0000")
		for name, p := range f.plan(c.flag) {
			switch {
			case name == c.step && (p.State != step.Miss || len(p.Reasons) != 1 || !strings.HasPrefix(p.Reasons[0], c.reason)),
				name != c.step && p.State != step.Hit && p.State != step.Pending:
				f.t.Errorf("%s changed, step %s: %s (%s); want that %s alone misses, by %q", c.line, name, p.State, strings.Join(p.Reasons, "; "), c.step, c.reason)
			}
		}
		restore()
	}
}

// edit replaces the first match in a file of the checkout, and returns what undoes that.
func (f *forge) edit(file, pattern, with string) (restore func()) {
	f.t.Helper()
	name := filepath.Join(f.checkout, file)
	text, err := os.ReadFile(name)
	if err != nil {
		f.t.Fatal(err)
	}
	re := regexp.MustCompile(pattern)
	at := re.FindIndex(text)
	if at == nil {
		f.t.Fatalf("%s has no %s", name, pattern)
	}
	write := func(b []byte) {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			f.t.Fatal(err)
		}
	}
	write(slices.Concat(text[:at[0]], re.ReplaceAll(text[at[0]:at[1]], []byte(with)), text[at[1]:]))
	return func() { write(text) }
}
