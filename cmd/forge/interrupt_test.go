package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/event"
)

const interrupted = "forge: interrupted; what was finished is kept for the next run"

// TestInterrupt ends a build as a terminal does, with SIGINT to all of the process group, and as a
// supervisor does, with SIGTERM to forge alone, and as a terminal that is closed.
func TestInterrupt(t *testing.T) {
	for _, c := range []struct {
		name        string
		signal      syscall.Signal
		group       bool
		step, phase string
	}{
		{"Ctrl-C", syscall.SIGINT, true, "rootfs/role/slave", "dpkg configure"},
		{"SIGTERM", syscall.SIGTERM, false, "disk/slave", "mke2fs"},
		{"SIGHUP", syscall.SIGHUP, true, "rootfs/container/slave", "unpack"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := forgeWithout(t, c.step, "image/slave")
			r := f.start("build", "--role", "slave")
			r.at(c.step, c.phase)
			pid := r.cmd.Process.Pid
			if c.group {
				pid = -pid
			}
			if err := syscall.Kill(pid, c.signal); err != nil {
				t.Fatal(err)
			}
			out, code := r.wait()
			if left := f.leftovers(); len(left) > 0 {
				t.Errorf("left after forge ended:\n%s", strings.Join(left, "\n"))
			}
			if code != 130 || out != "" || r.messages() != interrupted {
				t.Errorf("exit status %d, output %q, message %q; want 130, none, %q", code, out, r.messages(), interrupted)
			}
			f.expectTidy()
			f.expectNoOutput()
			f.expectGoesOn(c.step)
		})
	}
}

// expectGoesOn expects that the next build runs the named step again and gives what an undisturbed
// build gives.
func (f *forge) expectGoesOn(step string) {
	f.t.Helper()
	r := f.start("build", "--role", "slave", "--output", "json")
	out, code := r.wait()
	if code != 0 {
		f.t.Fatalf("the next build: exit status %d\n%s", code, r.messages())
	}
	if n := r.count(event.StepDone)[step]; n != 1 {
		f.t.Errorf("%s ran %d times in the next build, want once", step, n)
	}
	if diff := cmp.Diff(shared.digests, f.digests(f.result(out))); diff != "" {
		f.t.Errorf("the digests differ from those of an undisturbed build (-want +got):\n%s", diff)
	}
	f.expectTidy()
}

// TestInterruptUnderGoRun presses Ctrl-C on `go run ./cmd/forge`, in a checkout in which the operator has
// put files into vendor/.
func TestInterruptUnderGoRun(t *testing.T) {
	f := forgeWithout(t, "rootfs/role/slave")
	f.vendor = filepath.Join(f.checkout, "vendor")
	if err := os.Mkdir(f.vendor, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := f.command("build", "--role", "slave", "--progress", "json")
	cmd = exec.Command("go", append([]string{"run", "./cmd/forge"}, cmd.Args[1:]...)...)
	cmd.Dir = f.checkout
	r := f.startCommand(cmd)
	r.at("rootfs/role/slave", "dpkg configure")
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_, code := r.wait()
	if code == 0 || r.messages() != interrupted+"\nexit status 130" { // the second line is Go's
		t.Errorf("exit status %d, message %q; want %q", code, r.messages(), interrupted)
	}
	f.expectNothingLeft()
	f.expectTidy()
}
