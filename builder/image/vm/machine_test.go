package vm

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// answers says one after the other to "status", the last one again and again.
func answers(lines ...string) func(string) string {
	var n atomic.Int64
	return func(q string) string {
		switch q {
		case "status":
			return lines[min(int(n.Add(1)), len(lines))-1]
		case "facts":
			return `{"hostname": "slave1", "machine_id": "0123", "host_keys": {"ED25519": "SHA256:x"}, "root_bytes": 20}`
		case "log 3":
			return `{"lines": ["a", "b", "c"]}`
		}
		return unknown(q)
	}
}

const (
	starting   = `{"level": "starting", "node": "slave1", "role": "slave", "pending": ["renders"]}`
	configured = `{"level": "configured", "node": "slave1", "role": "slave", "waits": ["a", "b", "c", "d", "e"]}`
	failed     = `{"level": "failed", "errors": ["no inventory"]}`
)

func start(t *testing.T, f *fakeQEMU, change func(*Spec)) *Machine {
	t.Helper()
	s := sound(t)
	s.Programs = f.programs()
	if change != nil {
		change(&s)
	}
	m, err := Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	})
	return m
}

func TestWaitForConfigured(t *testing.T) {
	t.Parallel()
	f := &fakeQEMU{agent: answers(starting, failed, configured), powers: true}
	var rec event.Recorder
	m := start(t, f, func(s *Spec) { s.Events, s.DiskSize = &rec, 20<<30 })
	got, err := m.WaitFor(t.Context(), node.LevelConfigured)
	if err != nil || got.Level != node.LevelConfigured || len(got.Waits) != 5 {
		t.Fatalf("got %+v, %v", got, err)
	}
	said := ""
	for _, e := range rec.Events() {
		said += e.Message + "\n"
	}
	for _, want := range []string{"slave1 boots by bios under tcg", "slave1: starting, node slave1, role slave; pending: renders", "slave1: configured, node slave1, role slave; waits for: a, b, c, and 2 more"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	facts, err := m.Facts(t.Context())
	if err != nil || facts.MachineID != "0123" || facts.RootBytes != 20 || facts.HostKeys["ED25519"] != "SHA256:x" {
		t.Errorf("facts %+v, %v", facts, err)
	}
	if lines, err := m.Log(t.Context(), 3); err != nil || strings.Join(lines, "") != "abc" {
		t.Errorf("log %q, %v", lines, err)
	}
	if f.count("qemu-img create -q -f qcow2 -F qcow2 -b "+m.spec.Disk.Path) != 1 || f.count("disk.qcow2 21474836480") != 1 {
		t.Errorf("no overlay of 20 GB: %q", f.runs)
	}
	if err := m.PowerOff(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := m.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "machine slave1 has powered off") {
		t.Errorf("status after the end: %v", err)
	}
}

func TestWaitForGivesUp(t *testing.T) {
	t.Parallel()
	const console = "[    1.0] \x1b[0;32mbooting\x1b[0m\r\n\r\n"
	for _, test := range []struct {
		name  string
		f     *fakeQEMU
		limit time.Duration
		says  []string
		is    error
	}{
		{"silent", &fakeQEMU{console: console, agent: func(string) string { return "" }}, 100 * time.Millisecond,
			[]string{"machine slave1 is not configured after", "the time is over", "the node's agent never answered", "serial.log):\n  | [    1.0] booting"}, context.DeadlineExceeded},
		{"slow", &fakeQEMU{agent: answers(starting)}, time.Second,
			[]string{"the time is over", "the node's last answer: starting, node slave1, role slave; pending: renders", "\n  | (nothing)"}, context.DeadlineExceeded},
		{"failed", &fakeQEMU{agent: answers(failed)}, time.Minute, []string{"the node says that it failed", "errors: no inventory"}, nil},
		{"panic", &fakeQEMU{console: console + "Kernel panic - not syncing: VFS\n---[ end", agent: func(string) string { return "" }}, time.Minute,
			[]string{"its kernel panicked", "  | Kernel panic - not syncing: VFS"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := start(t, test.f, nil)
			ctx, cancel := context.WithTimeout(t.Context(), test.limit)
			defer cancel()
			_, err := m.WaitFor(ctx, node.LevelConfigured)
			var wait *WaitError
			if !errors.As(err, &wait) || test.is != nil && !errors.Is(err, test.is) {
				t.Fatalf("got %v", err)
			}
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("no %q in\n%v", s, err)
				}
			}
		})
	}
}

func TestQEMUEndsAtOnce(t *testing.T) {
	end := &sandbox.ExitError{Args: []string{qemu, "..."}, Code: 1, Tail: "qemu: -device x: no such device"}
	s := sound(t)
	s.Programs = (&fakeQEMU{end: end}).programs()
	_, err := Start(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), "vm: machine slave1: QEMU ended: ") || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// When the caller's context ends, QEMU and its files go without a call of Close.
func TestCancel(t *testing.T) {
	s := sound(t)
	s.Programs = (&fakeQEMU{agent: func(string) string { return "" }}).programs()
	ctx, cancel := context.WithCancel(t.Context())
	m, err := Start(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = m.WaitFor(ctx, node.LevelInRole)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-m.Done()
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestPowerOffRefused(t *testing.T) {
	m := start(t, &fakeQEMU{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := m.PowerOff(ctx)
	if err == nil || !strings.Contains(err.Error(), "machine slave1 did not power off and was killed") {
		t.Errorf("got %v", err)
	}
	<-m.Done()
}

func TestAttach(t *testing.T) {
	m := start(t, &fakeQEMU{}, nil)
	in, keys := io.Pipe()
	screen, out := io.Pipe()
	ends := make(chan error)
	go func() { ends <- m.Attach(t.Context(), in, out) }()
	go func() { _, _ = io.WriteString(keys, "root\n") }()
	line, err := bufio.NewReader(screen).ReadString('\n')
	if err != nil || line != "login: root\n" {
		t.Errorf("screen %q, %v", line, err)
	}
	go func() { _, _ = keys.Write([]byte{'x', Detach, 'y'}) }()
	go func() { _, _ = io.Copy(io.Discard, screen) }()
	if err := <-ends; err != nil {
		t.Error(err)
	}
}

func TestDeadEnd(t *testing.T) {
	for _, test := range []struct{ console, want string }{
		{"", ""},
		{"[  1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n", "its kernel panicked"},
		{"\r\nYou are in emergency mode. After logging in", "it is in systemd's emergency mode"},
		{"BusyBox v1.35.0\r\n\x1b[6n(initramfs) ", "its initramfs did not find the root file system"},
		{"(initramfs) mount\nand on it goes\n", ""},
		{"error: no such device\r\ngrub rescue> ", "GRUB did not find its files"},
		{"\x1b[0m\x1b[30mgrub> ", "GRUB has no configuration"},
	} {
		if got := deadEnd(write(t, "log", []byte(test.console))); got != test.want {
			t.Errorf("%q: %q", test.console, got)
		}
	}
	if got := deadEnd("/none"); got != "" {
		t.Errorf("no file: %q", got)
	}
}

func TestConsoleTail(t *testing.T) {
	log := write(t, "log", []byte(strings.Repeat("x", tailBytes)+"\n\x1b]0;title\x07one\r\n \x1b[1;31mtwo\x1b[0m \x00\r\n\n\x1b(Bthree\xff"))
	if got := consoleTail(log, 3); strings.Join(got, "|") != "one| two|three" {
		t.Errorf("got %q", got)
	}
	if got := consoleTail(filepath.Join(t.TempDir(), "none"), 3); len(got) != 0 {
		t.Errorf("no file: %q", got)
	}
}
