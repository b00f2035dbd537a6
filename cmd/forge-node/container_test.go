package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/node"
)

// enter makes what a container engine makes, out of the host's programs and a
// prepared root, and starts PID 1 in it.
const enter = `set -e
for d in usr/bin usr/sbin usr/lib usr/lib64; do
	[ -d /$d ] || continue
	mkdir -p "$1/$d"
	mount --bind /$d "$1/$d"
done
for d in bin sbin lib lib64; do ln -s usr/$d "$1/$d"; done
mkdir -p "$1/proc" "$1/run" "$1/tmp" "$1/dev"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
touch "$1/engine-hosts" "$1/etc/hosts"
mount --bind "$1/engine-hosts" "$1/etc/hosts"
exec chroot "$1" /forge-node container-init`

// The service notes its start, leaves an orphan behind for PID 1 to reap, and
// takes its time to end.
const service = `#!/bin/sh
trap 'sleep 0.3; echo ended >>/notes; exit 0' TERM
(sleep 0.01 & )
echo "started as $(id -un)" >>/notes
while :; do sleep 0.1; done
`

func TestContainer(t *testing.T) {
	needContainer(t)
	root := t.TempDir()
	layRoot(t, root, service)
	build := exec.Command("go", "build", "-o", filepath.Join(root, "forge-node"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	engine := exec.Command("unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "sh", "-c", enter, "sh", root)
	engine.Stdout, engine.Stderr = log, log
	engine.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- engine.Wait() }()
	t.Cleanup(func() { _ = engine.Process.Kill() })

	wait(t, "the service", log.Name(), func() bool { return strings.HasPrefix(content(filepath.Join(root, "notes")), "started as root\n") })
	first := firstProcess(t, engine.Process.Pid)
	var s node.Status
	wait(t, "level configured", log.Name(), func() bool {
		out, _ := exec.Command("nsenter", "--target", first, "--mount", "--pid", "--net", "--root", "--wd", "/forge-node", "status", "--json").Output()
		return json.Unmarshal(out, &s) == nil && s.Level == node.LevelConfigured
	})
	if s.Node != "s" || len(s.Waits) != 1 || s.Waits[0] != "namenode 10.0.0.1:8020" || s.Services[0].User != "root" {
		t.Errorf("status: %+v", s)
	}
	if hosts := content(filepath.Join(root, "engine-hosts")); !strings.Contains(hosts, "10.0.0.2 s\n") {
		t.Errorf("the engine's /etc/hosts was not written in place: %q", hosts)
	}
	// One that has only just ended is no sign; an orphan that nobody reaps would stay.
	wait(t, "a moment without processes that nobody has reaped", log.Name(), func() bool {
		out, err := exec.Command("nsenter", "--target", first, "--mount", "--pid", "--root", "--wd", "/bin/sh", "-c", "cat /proc/[0-9]*/stat").Output()
		return err == nil && strings.Contains(string(out), "(runsvdir)") && !strings.Contains(string(out), ") Z ")
	})
	if out, err := exec.Command("kill", "-TERM", first).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	if err := <-ended; err != nil {
		t.Errorf("PID 1 ended with %v:\n%s", err, content(log.Name()))
	}
	if notes := content(filepath.Join(root, "notes")); notes != "started as root\nended\n" {
		t.Errorf("notes: %q", notes)
	}
	if !strings.Contains(content(log.Name()), "forge-node: all services stopped") {
		t.Errorf("log:\n%s", content(log.Name()))
	}
}

// needContainer tells whether namespaces and runit are there.
func needContainer(t *testing.T) {
	t.Helper()
	var missing []string
	for _, program := range []string{"runsvdir", "unshare", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if out, err := exec.Command("unshare", "--mount", "--pid", "--net", "--fork", "true").CombinedOutput(); err != nil {
		missing = append(missing, fmt.Sprintf("the right to make namespaces (%v: %s)", err, bytes.TrimSpace(out)))
	}
	if len(missing) == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: ", strings.Join(missing, ", "))
	}
	t.Skip("missing: ", strings.Join(missing, ", "))
}

// firstProcess is the host's number of the PID 1 that unshare started.
func firstProcess(t *testing.T, unshare int) string {
	t.Helper()
	children := strings.Fields(content(fmt.Sprintf("/proc/%d/task/%d/children", unshare, unshare)))
	if len(children) != 1 {
		t.Fatalf("unshare has the children %q", children)
	}
	return children[0]
}

func content(file string) string {
	data, _ := os.ReadFile(file)
	return string(data)
}

func wait(t *testing.T, what, log string, ready func() bool) {
	t.Helper()
	for range 400 {
		if ready() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("never came: %s; log:\n%s", what, content(log))
}
