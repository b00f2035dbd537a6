package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEnterAsRootAndRootless(t *testing.T) {
	uid, gid := testUser(t)
	for _, c := range []struct {
		name     string
		uid, gid uint32
		want     string
	}{
		{"root", 0, 0, "inside=true uid=0 umask=0022 map=[0 0 4294967295]"},
		{"rootless", uid, gid, "inside=true uid=0 umask=0022 map=[0 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := program(t, c.uid, c.gid, "facts").CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 7 {
				t.Fatalf("err = %v, want exit status 7; output:\n%s", err, out)
			}
			if !strings.HasPrefix(string(out), c.want) {
				t.Errorf("output %q, want prefix %q", out, c.want)
			}
		})
	}
}

func TestEnterWithoutSubordinateIDs(t *testing.T) {
	const nobody = 65534
	out, err := program(t, nobody, nobody, "facts").CombinedOutput()
	if err == nil {
		t.Fatalf("no error; output:\n%s", out)
	}
	for _, want := range []string{"/etc/subuid gives nobody 0 subordinate ids", "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 nobody"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("message %q lacks %q", out, want)
		}
	}
}

// TestInterruptArrivesOnce sends SIGINT as a terminal does: to the whole process group.
func TestInterruptArrivesOnce(t *testing.T) {
	cmd := program(t, 0, 0, "signals")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("first line %q, %v", line, err)
	}
	if err := unix.Kill(-cmd.Process.Pid, unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	if _, err := rest.ReadFrom(out); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := rest.String(); got != "interrupts 1\n" {
		t.Errorf("output %q, want one interrupt", got)
	}
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit status %d, want 130", code)
	}
}

// TestSecondInterruptKills sends SIGINT to a program that does not end at the first.
func TestSecondInterruptKills(t *testing.T) {
	cmd := program(t, 0, 0, "stubborn")
	startReady(t, cmd)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	for {
		select {
		case <-ended:
			if code := cmd.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit status %d, want 130", code)
			}
			return
		case <-time.After(50 * time.Millisecond): // signals of one kind that wait together are one
			_ = cmd.Process.Signal(os.Interrupt)
		}
	}
}

// TestIgnoredHangupStaysIgnored runs a program as nohup does.
func TestIgnoredHangupStaysIgnored(t *testing.T) {
	cmd := program(t, 0, 0, "stubborn")
	cmd.Args = append([]string{"env", "--ignore-signal=HUP", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/usr/bin/env"
	startReady(t, cmd)
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil || !regexp.MustCompile(`(?m)^SigIgn:\s+[0-9a-f]*[13579bdf]$`).Match(b) { // bit 0 is signal 1
		t.Errorf("SIGHUP is not ignored (%v):\n%s", err, b)
	}
}

// startReady starts a program and waits until it says that it is ready.
func startReady(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(pipe).ReadString('\n'); line != "ready\n" {
		t.Fatalf("first line %q, %v", line, err)
	}
}

// TestKillTakesEverythingAlong kills the outer process alone and looks for its namespace.
func TestKillTakesEverythingAlong(t *testing.T) {
	uid, gid := testUser(t)
	for _, c := range []struct {
		name     string
		uid, gid uint32
	}{{"root", 0, 0}, {"rootless", uid, gid}} {
		t.Run(c.name, func(t *testing.T) {
			dir := openDir(t)
			cmd := program(t, c.uid, c.gid, "linger", dir)
			cmd.Stderr = os.Stderr
			pipe, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ns, err := bufio.NewReader(pipe).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			ns = strings.TrimSpace(ns)
			if n := len(inNamespace(t, ns)); n != 2 {
				t.Fatalf("%d processes in %s before the kill, want 2 (forge and sleep)", n, ns)
			}
			if err := unix.Kill(cmd.Process.Pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			deadline := time.Now().Add(5 * time.Second)
			for len(inNamespace(t, ns)) > 0 {
				if time.Now().After(deadline) {
					t.Fatalf("still there 5 s after the kill: %v", inNamespace(t, ns))
				}
				time.Sleep(20 * time.Millisecond)
			}
			if b, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(b, []byte(dir)) {
				t.Errorf("a mount on %s is visible on the host (%v)", dir, err)
			}
		})
	}
}

// inNamespace lists the processes whose mount namespace is ns.
func inNamespace(t *testing.T, ns string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range links {
		if got, err := os.Readlink(l); err == nil && got == ns {
			out = append(out, l)
		}
	}
	return out
}
