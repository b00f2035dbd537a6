package node

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// systemctlScript answers as systemctl would, and keeps what it was asked.
type systemctlScript struct {
	show  string
	asked []string
}

func (s *systemctlScript) exec(_ context.Context, _ User, argv []string) ([]byte, error) {
	if argv[0] != "systemctl" {
		return nil, errors.New("unexpected program " + argv[0])
	}
	s.asked = append(s.asked, strings.Join(argv[2:], " "))
	if argv[2] == "show" {
		return []byte(s.show), nil
	}
	return nil, nil
}

const shown = `Id=mesos-slave.service
LoadState=loaded
ActiveState=active
SubState=running
MainPID=412
NRestarts=2
UnitFileState=enabled-runtime

MainPID=0
NRestarts=0
Id=hadoop-hdfs-datanode.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
UnitFileState=disabled

MainPID=0
Id=zookeeper.service
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=enabled

Id=soon.service
LoadState=loaded
ActiveState=inactive
Job=77

Id=broken.service
LoadState=loaded
ActiveState=failed

Id=absent.service
LoadState=not-found
ActiveState=inactive
`

func TestSystemd(t *testing.T) {
	script := &systemctlScript{show: shown}
	s := &Systemd{Exec: script.exec}
	names := []string{"mesos-slave", "hadoop-hdfs-datanode", "zookeeper", "soon", "broken", "absent"}
	got, err := s.States(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Process{
		"mesos-slave": {Activity: Running, PID: 412, Restarts: 2}, "hadoop-hdfs-datanode": {Activity: Starting},
		"zookeeper": {Activity: Stopped, Enabled: true}, "soon": {Activity: Starting}, "broken": {Activity: Failed}, "absent": {Activity: Missing},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	script.asked = nil
	if err := s.Start(t.Context(), names[:5]); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, a := range script.asked {
		if !strings.HasPrefix(a, "show ") {
			asked = append(asked, a)
		}
	}
	wantAsked := []string{
		"enable --runtime --no-reload --quiet zookeeper.service broken.service", "start --no-block zookeeper.service", "start --no-block broken.service",
		"disable --quiet --now mesos-slave.service", "disable --quiet --now hadoop-hdfs-datanode.service", "disable --quiet --now zookeeper.service",
		"disable --quiet --now soon.service", "disable --quiet --now broken.service",
	}
	if diff := cmp.Diff(wantAsked, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestSystemdReloadsOnlyWhenAUnitChanged(t *testing.T) {
	services := []RenderedService{{Service: Service{Name: "a"}}}
	for show, want := range map[string]int{"NeedDaemonReload=no\n": 1, "NeedDaemonReload=yes\n": 2} {
		script := &systemctlScript{show: show}
		if err := (&Systemd{Exec: script.exec}).Reload(t.Context(), services); err != nil || len(script.asked) != want {
			t.Errorf("%q: asked %q, error %v", show, script.asked, err)
		}
	}
}

// The real runit: a service is started, told to restart, stopped, and told to
// end by Shutdown, which it notes in a file.
func TestRunit(t *testing.T) {
	if _, err := exec.LookPath("runsvdir"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("runit is not installed: apt-get install runit")
		}
		t.Skip("runit is not installed")
	}
	dir := t.TempDir()
	r := &Runit{Dir: filepath.Join(dir, "runit"), Exec: runAs}
	notes := filepath.Join(dir, "notes")
	svc := RenderedService{Service: Service{Name: "svc"}, Script: "#!/bin/sh\necho started >>" + notes + "\ntrap 'echo ended >>" + notes + "; exit 0' TERM\nwhile :; do sleep 0.05; done\n"}
	if err := r.Reload(t.Context(), []RenderedService{svc}); err != nil {
		t.Fatal(err)
	}
	expect := func(want Activity) Process {
		t.Helper()
		var p Process
		for range 200 {
			states, err := r.States(t.Context(), []string{"svc"})
			if err != nil {
				t.Fatal(err)
			}
			if p = states["svc"]; p.Activity == want {
				return p
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("the service is %s, not %s", p.Activity, want)
		return p
	}
	expect(Missing)
	if err := r.Start(t.Context(), []string{"svc"}); err != nil {
		t.Fatal(err)
	}
	expect(Starting) // nobody looks after it yet
	runsvdir := exec.Command("runsvdir", r.ServiceDir())
	if err := runsvdir.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = runsvdir.Process.Signal(syscall.SIGHUP) // it tells each runsv to end, and doesn't wait for it
		_ = runsvdir.Wait()
		for range 200 {
			if !r.watched("svc") {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error("runsv does not end")
	})
	first := expect(Running)
	noted := func(want string) {
		t.Helper()
		var got []byte
		for range 200 {
			if got, _ = os.ReadFile(notes); string(got) == want {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("notes %q, want %q", got, want)
	}
	noted("started\n")
	if err := r.Restart(t.Context(), "svc"); err != nil {
		t.Fatal(err)
	}
	noted("started\nended\nstarted\n")
	if again := expect(Running); again.PID == first.PID || again.Restarts != -1 {
		t.Errorf("after the restart: %+v, before: %+v", again, first)
	}
	if out, err := exec.Command("sv", "-w", "20", "down", r.sv("svc")).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	expect(Stopped)
	if err := r.Start(t.Context(), []string{"svc"}); err != nil {
		t.Fatal(err)
	}
	expect(Running)
	noted("started\nended\nstarted\nended\nstarted\n")
	if err := r.Shutdown(t.Context(), 20); err != nil {
		t.Fatal(err)
	}
	noted("started\nended\nstarted\nended\nstarted\nended\n")
	expect(Stopped)
	if err := r.Stop(t.Context(), []string{"svc"}); err != nil {
		t.Fatal(err)
	}
	expect(Missing)
}

func TestRunitNeedsAScript(t *testing.T) {
	r := &Runit{Dir: t.TempDir()}
	err := r.Reload(t.Context(), []RenderedService{{Service: Service{Name: "x"}}})
	if err == nil || !strings.Contains(err.Error(), "service x has no runit script") {
		t.Errorf("error %v", err)
	}
}
