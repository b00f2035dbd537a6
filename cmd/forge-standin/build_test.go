package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the real forge-standin, built once for all tests as the builder builds it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "forge-standin-test")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "forge-standin")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", out, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return out, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// install lays the binary out as the package does: version file beside it, links elsewhere.
func install(t *testing.T, version string) (sbin string) {
	t.Helper()
	from, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lib, sbin := filepath.Join(dir, "lib"), filepath.Join(dir, "sbin")
	for _, d := range []string{lib, sbin} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(from, filepath.Join(lib, "forge-standin")); err != nil {
		t.Fatal(err)
	}
	if version != "" {
		if err := os.WriteFile(filepath.Join(lib, "version"), []byte(version+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"mesos-master", "mesos-slave", "mesos-agent", "marathon"} {
		if err := os.Symlink("../lib/forge-standin", filepath.Join(sbin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return sbin
}

// daemon is a running stand-in.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan error
	log  *lockedBuffer
}

func start(t *testing.T, path string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, cmd: exec.Command(path, args...), done: make(chan error, 1), log: &lockedBuffer{}}
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.done <- d.cmd.Wait() }()
	t.Cleanup(func() {
		d.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("log of %s %s:\n%s", filepath.Base(path), strings.Join(args, " "), d.log)
		}
	})
	return d
}

// stop sends SIGTERM and returns the exit status.
func (d *daemon) stop() int {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	return d.wait()
}

func (d *daemon) wait() int {
	d.t.Helper()
	select {
	case <-d.done:
		return d.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		d.t.Fatalf("%s does not end", d.cmd.Path)
		return -1
	}
}

// eventually waits until ok returns true; what it waits for is in the failure.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// outcome runs a binary to its end.
func outcome(t *testing.T, env []string, path string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = env
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s %q did not exit:\n%s", path, args, errOut.String())
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
