package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mesos-forge/forge/builder/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// need skips, or in CI fails, a test for a program that is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", p)
			}
			t.Skipf("SKIPPED: %s is missing", p)
		}
	}
}

// write makes a file in a directory of the test.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeQEMU takes QEMU's place: it opens the sockets that the command line names.
type fakeQEMU struct {
	version string
	kvm     error                 // how the boot sector ends under KVM; nil hangs
	console string                // what the guest prints
	end     error                 // with it, QEMU ends at once
	agent   func(q string) string // the agent's answer, "" for none
	powers  bool                  // the guest obeys its power button

	mu   sync.Mutex
	runs [][]string
}

func (f *fakeQEMU) programs() Programs { return Programs{Run: f.run} }

func (f *fakeQEMU) count(has string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, argv := range f.runs {
		if strings.Contains(strings.Join(argv, " "), has) {
			n++
		}
	}
	return n
}

func (f *fakeQEMU) run(ctx context.Context, s sandbox.Spec) error {
	f.mu.Lock()
	f.runs = append(f.runs, s.Args)
	f.mu.Unlock()
	line := strings.Join(s.Args, " ")
	switch {
	case s.Args[0] == qemuImg:
		return os.WriteFile(s.Args[9], nil, 0o600)
	case s.Args[1] == "--version":
		fmt.Fprintf(s.Stdout, "QEMU emulator version %s\nCopyright\n", f.version)
		return nil
	case strings.Contains(line, "isa-debug-exit") && strings.Contains(line, "-accel tcg"):
		return &sandbox.ExitError{Args: s.Args, Code: probeStatus}
	case strings.Contains(line, "isa-debug-exit"):
		if f.kvm == nil {
			<-ctx.Done()
			return fmt.Errorf("qemu: %w", context.Cause(ctx))
		}
		return f.kvm
	case f.end != nil:
		return f.end
	}
	return f.guest(ctx, s.Args)
}

// guest serves the sockets until ctx ends or the guest powers off.
func (f *fakeQEMU) guest(ctx context.Context, argv []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, arg := range argv {
		options := map[string]string{}
		for _, kv := range strings.Split(arg, ",") {
			k, v, _ := strings.Cut(kv, "=")
			options[k] = v
		}
		if log := options["logfile"]; log != "" {
			if err := os.WriteFile(log, []byte(f.console), 0o600); err != nil {
				return err
			}
		}
		serve := map[string]func(net.Conn){
			"channel": f.serveAgent,
			"serial":  func(c net.Conn) { _, _ = c.Write([]byte("login: ")); _, _ = bufio.NewReader(c).WriteTo(c) },
			"qmp":     func(c net.Conn) { f.serveQMP(c, cancel) },
		}[options["id"]]
		if serve == nil || options["path"] == "" {
			continue
		}
		l, err := net.Listen("unix", options["path"])
		if err != nil {
			return err
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					context.AfterFunc(ctx, func() { c.Close() })
					serve(c)
				}()
			}
		}()
	}
	<-ctx.Done()
	if errors.Is(context.Cause(ctx), errPowerOff) {
		return nil
	}
	return fmt.Errorf("qemu: %w", context.Cause(ctx))
}

var errPowerOff = errors.New("power off")

func (f *fakeQEMU) serveAgent(c net.Conn) {
	in := bufio.NewScanner(c)
	for in.Scan() {
		if in.Text() == "" {
			continue
		}
		if answer := f.agent(in.Text()); answer != "" {
			fmt.Fprintln(c, answer)
		}
	}
}

func (f *fakeQEMU) serveQMP(c net.Conn, cancel context.CancelCauseFunc) {
	fmt.Fprintln(c, `{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}}`)
	in := json.NewDecoder(c)
	for {
		var m struct{ Execute string }
		if in.Decode(&m) != nil {
			return
		}
		fmt.Fprintln(c, `{"timestamp": {"seconds": 1}, "event": "RTC_CHANGE"}`)
		fmt.Fprintln(c, `{"return": {}}`)
		if m.Execute == "system_powerdown" && f.powers {
			cancel(errPowerOff)
		}
	}
}

// unknown is what the agent says to a word that it does not know.
func unknown(q string) string {
	out, _ := json.Marshal(map[string]string{"error": fmt.Sprintf("unknown request %.40q; there are: status", q)})
	return string(out)
}
