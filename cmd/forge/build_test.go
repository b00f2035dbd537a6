package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/step"
)

// TestBuild makes the role slave from nothing with the real apt, mvn, dpkg and go.
func TestBuild(t *testing.T) {
	f := builtForge(t)
	first := shared.result
	if len(first.Roles) != 1 || first.Hits != shared.indexes || len(first.Roles[0].Debs) != 7 || len(first.Roles[0].StandIns) != 1 {
		t.Fatalf("result = %+v; want one role, %d hits, 7 packages and one stand-in", first, shared.indexes)
	}
	again := f.build()
	if again.Ran != 0 || again.Roles[0].Digest != first.Roles[0].Digest {
		t.Errorf("the second build ran %d steps, image %s; want none, %s", again.Ran, again.Roles[0].Digest, first.Roles[0].Digest)
	}
	inspect, err := exec.Command("skopeo", "inspect", "oci:"+filepath.Join(f.out, again.Roles[0].Image)).CombinedOutput()
	if err != nil || !strings.Contains(string(inspect), `"io.github.mesos-forge.standins": "mesos"`) {
		t.Errorf("skopeo inspect: %v\n%s", err, inspect)
	}

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
	f.planNames("the operator's package", filepath.Join(f.vendor, "mesos_1.11.0-2_amd64.deb"), "not read by a plan",
		"deb/forge-mesos", "setting StandIn changed: false, was true")
	if changed := f.build(); changed.Roles[0].Digest == first.Roles[0].Digest {
		t.Error("the image is the same after its overlay changed")
	}
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
	if _, err := os.Stat(f.out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed command left an output folder: %v", err)
	}
}
