package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/step"
)

// forge is the real program, compiled once, with a store and an output folder of its own.
type forge struct {
	t             *testing.T
	program       string
	checkout, dir string
}

func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{t: t, dir: t.TempDir()}
	f.program = filepath.Join(f.dir, "forge")
	if out, err := exec.Command("go", "build", "-o", f.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	f.checkout = filepath.Join(f.dir, "checkout")
	if err := os.CopyFS(f.checkout, os.DirFS("../..")); err != nil {
		t.Fatal(err)
	}
	return f
}

// run returns standard output, standard error and the exit status.
func (f *forge) run(args ...string) (string, string, int) {
	f.t.Helper()
	cmd := exec.Command(f.program, append(args, "--checkout", f.checkout, "--store", filepath.Join(f.dir, "store"),
		"--out", filepath.Join(f.dir, "out"), "--vendor", filepath.Join(f.dir, "vendor"))...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (f *forge) build(flags ...string) builder.Result {
	f.t.Helper()
	out, errs, code := f.run(append([]string{"build", "--role", "slave", "--output", "json"}, flags...)...)
	if code != 0 {
		f.t.Fatalf("forge build: exit status %d\n%s", code, errs)
	}
	var res builder.Result
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		f.t.Fatalf("%v in %q", err, out)
	}
	return res
}

func (f *forge) plan(flags ...string) map[string]step.Planned {
	f.t.Helper()
	out, errs, code := f.run(append([]string{"plan", "--role", "slave", "--output", "json"}, flags...)...)
	var plan []step.Planned
	if err := json.Unmarshal([]byte(out), &plan); err != nil || code != 0 {
		f.t.Fatalf("forge plan: exit status %d, %v\n%s", code, err, errs)
	}
	m := map[string]step.Planned{}
	for _, p := range plan {
		m[p.Step] = p
	}
	return m
}

// planNames changes a file, expects that the plan gives the reason for the step, and puts the file back.
func (f *forge) planNames(what, path, content, name, reason string) {
	f.t.Helper()
	before, readErr := os.ReadFile(path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		f.t.Fatal(err)
	}
	if p := f.plan()[name]; p.State != step.Miss || !strings.Contains(strings.Join(p.Reasons, "; "), reason) {
		f.t.Errorf("%s changed: %+v; want a miss that says %q", what, p, reason)
	}
	err := os.Remove(path)
	if readErr == nil {
		err = os.WriteFile(path, before, 0o644)
	}
	if err != nil {
		f.t.Fatal(err)
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
		{[]string{"build", "--rol", "slave"}, 2, "unknown flag: --rol"},
		{[]string{"biuld"}, 2, `unknown command "biuld"`},
		{[]string{"build", "--output", "xml"}, 2, "want text or json"},
		{[]string{"load"}, 2, "exactly one --role"},
	} {
		out, errs, code := f.run(c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("forge %s: exit status %d, output %q, error %q; want %d and %q", strings.Join(c.args, " "), code, out, errs, c.code, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(f.dir, "out")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed command left an output folder: %v", err)
	}
}

// TestBuild makes the role slave from nothing with the real apt, mvn, dpkg and go.
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a whole role")
	}
	f := newForge(t)
	first := f.build()
	if len(first.Roles) != 1 || first.Hits != 0 || len(first.Roles[0].Debs) != 7 || len(first.Roles[0].StandIns) != 1 {
		t.Fatalf("result = %+v; want one role, no hits, 7 packages and one stand-in", first)
	}
	inspect, err := exec.Command("skopeo", "inspect", "oci:"+filepath.Join(f.dir, "out", first.Roles[0].Image)).CombinedOutput()
	if err != nil || !strings.Contains(string(inspect), `"io.github.mesos-forge.standins": "mesos"`) {
		t.Errorf("skopeo inspect: %v\n%s", err, inspect)
	}

	// A build leaves no garbage, and all that it needs is found to be needed.
	if out, errs, code := f.run("gc"); code != 0 || !strings.Contains(out, ", 0 files, 0 trees, 0 logs, 0 temporary folders") {
		t.Errorf("forge gc after a build: exit status %d\n%s%s", code, out, errs)
	}
	if again := f.build(); again.Ran != 0 || again.Roles[0].Digest != first.Roles[0].Digest {
		t.Errorf("the second build ran %d steps, image %s; want none, %s", again.Ran, again.Roles[0].Digest, first.Roles[0].Digest)
	}

	f.planNamesLockLines()
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
	f.planNames("the operator's package", filepath.Join(f.dir, "vendor", "mesos_1.11.0-2_amd64.deb"), "not read by a plan",
		"deb/forge-mesos", "setting StandIn changed: false, was true")
	f.planNames("a template", filepath.Join(f.checkout, "recipes/bookworm/templates/hadoop/hadoop-env.sh"), "# changed\n",
		"deb/forge-hadoop", "input recipes/bookworm/templates/hadoop/hadoop-env.sh changed")

	// What is published never changes under its version.
	if _, errs, code := f.run("build", "--role", "slave"); code != 1 || !strings.Contains(errs, "package forge-role-slave 1-1 differs from the one in the lock") {
		t.Errorf("the overlay changed and the revision did not: exit status %d\n%s", code, errs)
	}
	f.edit("recipes/bookworm/roles/slave.yaml", "revision: 1", "revision: 2")
	f.edit("recipes/bookworm/roles/slave.yaml", "changelog:\n", "changelog:\n  - {version: \"1\", revision: 2, date: \"2025-11-24\", changes: [\"Swap less.\"]}\n")
	if changed := f.build(); changed.Roles[0].Digest == first.Roles[0].Digest {
		t.Error("the image is the same after its overlay changed")
	}
}

// planNamesLockLines changes one line of the lock after another, and expects that the plan names it and
// nothing else, and that no step misses but the one that the line is for and those after it.
func (f *forge) planNamesLockLines() {
	f.t.Helper()
	f.build("--locked")
	for _, c := range []struct {
		flag, line, step, reason string
	}{
		{"--locked=false", "name: hadoop/asm,", "sources/hadoop", "input forge.lock artifacts hadoop/asm changed"},
		{"--locked", "name: runit,", "solve/container/slave", "input forge.lock debs container/slave runit:amd64 changed"},
	} {
		f.build(c.flag)
		restore := f.edit("recipes/bookworm/forge.lock", `(?m)^(.*`+c.line+`.*sha256: ")[0-9a-f]{4}`, "${1}0000")
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
