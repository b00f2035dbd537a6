package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// staging is a machine with one staged step for two directories, /data/nn and
// /nfs/nn, whose command writes a VERSION into each.
type staging struct {
	*machine
	svc  RenderedService
	runs int
	fail error
}

func newStaging(t *testing.T) *staging {
	t.Helper()
	needRoot(t)
	m := &staging{machine: newMachine(t)}
	paths := []string{"/data/nn", "/nfs/nn"}
	step := RenderedInit{Init: Init{Name: "format", User: "hdfs", Staged: true}, Argv: append([]string{"format"}, staged(paths)...), Paths: paths}
	m.svc = RenderedService{Service: Service{Name: "nn"}, Steps: []RenderedInit{step}}
	m.Exec = func(_ context.Context, as User, argv []string) ([]byte, error) {
		m.runs++
		for _, dir := range argv[1:] {
			if info, err := os.Stat(m.path(filepath.Dir(dir))); err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != as.UID {
				t.Errorf("the user can't write to %s: %v", filepath.Dir(dir), err)
			}
			if err := os.Mkdir(m.path(dir), 0o755); err != nil {
				return nil, err
			}
			m.write(dir+"/current/VERSION", fmt.Sprintf("run %d\n", m.runs))
		}
		return nil, m.fail
	}
	return m
}

func (m *staging) initialise() error {
	m.t.Helper()
	s, err := m.loadState()
	if err != nil {
		m.t.Fatal(err)
	}
	acc, err := m.accounts()
	if err != nil {
		m.t.Fatal(err)
	}
	return m.Node.initialise(m.t.Context(), s, m.svc, nil, acc)
}

func (m *staging) versions() string {
	var all []string
	for _, dir := range []string{"/data", "/nfs"} {
		entries, _ := os.ReadDir(m.path(dir))
		for _, e := range entries {
			version, _ := os.ReadFile(m.path(dir + "/" + e.Name() + "/current/VERSION"))
			all = append(all, dir+"/"+e.Name()+" "+strings.TrimSpace(string(version)))
		}
	}
	return strings.Join(all, ", ")
}

func (m *staging) record(how initState) {
	s, err := m.loadState()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.recordInit(s, "nn/format", how); err != nil {
		m.t.Fatal(err)
	}
}

func TestStagedInit(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*staging)
		want   string // what lies in /data and /nfs
		runs   int
		err    string
	}{
		{name: "nothing there", want: "/data/nn run 1, /nfs/nn run 1", runs: 1},
		{name: "empty directories", before: func(m *staging) { _ = os.MkdirAll(m.path("/data/nn"), 0o700) }, want: "/data/nn run 1, /nfs/nn run 1", runs: 1},
		{name: "data without VERSION, the record lost", before: func(m *staging) { m.write("/data/nn/image/fsimage", "x") }, want: "/data/nn"},
		{name: "data in one, the other empty", before: func(m *staging) {
			m.write("/data/nn/current/VERSION", "old")
			_ = os.MkdirAll(m.path("/nfs/nn"), 0o700)
		}, want: "/data/nn old, /nfs/nn"},
		{name: "killed while staging", before: func(m *staging) {
			m.record(initStaging)
			m.write("/data/nn.forge-new/"+stagingMark, "")
			m.write("/data/nn.forge-new/nn/current/VERSION", "half")
		}, want: "/data/nn run 1, /nfs/nn run 1", runs: 1},
		{name: "killed while marking", before: func(m *staging) {
			m.record(initStaging)
			_ = os.MkdirAll(m.path("/data/nn.forge-new"), 0o700)
		}, want: "/data/nn run 1, /nfs/nn run 1", runs: 1},
		{name: "killed while staging, data restored by hand", before: func(m *staging) {
			m.record(initStaging)
			m.write("/data/nn/current/VERSION", "restored")
		}, want: "/data/nn restored"},
		{name: "killed between the two renames", before: func(m *staging) {
			m.record(initPlacing)
			m.write("/data/nn.forge-new/"+stagingMark, "")
			m.write("/data/nn/current/VERSION", "whole")
			m.write("/nfs/nn.forge-new/"+stagingMark, "")
			m.write("/nfs/nn.forge-new/nn/current/VERSION", "whole")
		}, want: "/data/nn whole, /nfs/nn whole"},
		{name: "killed after the renames", before: func(m *staging) {
			m.record(initPlacing)
			m.write("/data/nn/current/VERSION", "whole")
			m.write("/nfs/nn/current/VERSION", "whole")
		}, want: "/data/nn whole, /nfs/nn whole"},
		{name: "data put there between the renames", before: func(m *staging) {
			m.record(initPlacing)
			m.write("/data/nn/current/VERSION", "other")
			m.write("/data/nn.forge-new/nn/current/VERSION", "whole")
		}, want: "/data/nn other, /data/nn.forge-new", err: "init nn/format: it was done in /data/nn.forge-new, but /data/nn holds other data by now"},
		{name: "all lost between the renames", before: func(m *staging) { m.record(initPlacing) }, err: "it was done, but /data/nn is neither in its place nor in /data/nn.forge-new"},
		{name: "somebody else's directory", before: func(m *staging) { m.write("/data/nn.forge-new/precious", "") }, want: "/data/nn.forge-new",
			err: "init nn/format: make room for /data/nn: /data/nn.forge-new holds data that forge did not put there: move it away by hand"},
		{name: "the command fails", before: func(m *staging) { m.fail = errors.New("no space") }, want: "/data/nn.forge-new, /nfs/nn.forge-new", runs: 1, err: "init nn/format: no space"},
		{name: "the command does nothing", before: func(m *staging) {
			m.Exec = func(context.Context, User, []string) ([]byte, error) { return nil, nil }
		}, want: "/data/nn.forge-new, /nfs/nn.forge-new", err: "the step ended well, but left nothing in /data/nn.forge-new/nn, which would have become /data/nn"},
		{name: "done, and gone", before: func(m *staging) { m.record(initDone) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newStaging(t)
			if c.before != nil {
				c.before(m)
			}
			err := m.initialise()
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			trim := func(s string) string { return strings.ReplaceAll(s, " ,", ",") }
			if got := strings.TrimSpace(trim(m.versions())); got != c.want {
				t.Errorf("there is now: %s; want: %s", got, c.want)
			}
			if m.runs != c.runs {
				t.Errorf("the step ran %d times, want %d", m.runs, c.runs)
			}
			if c.err != "" {
				return
			}
			before := m.tree()
			if err := m.initialise(); err != nil || !slices.Equal(before, m.tree()) || m.runs != c.runs {
				t.Errorf("a second run: error %v, the step ran %d times", err, m.runs)
			}
		})
	}
}

// A step that failed runs again, whatever it left.
func TestAFailedStagedInitRunsAgain(t *testing.T) {
	m := newStaging(t)
	m.fail = errors.New("no space")
	if err := m.initialise(); err == nil {
		t.Fatal("no error")
	}
	m.fail = nil
	if err := m.initialise(); err != nil {
		t.Fatal(err)
	}
	if got := m.versions(); got != "/data/nn run 2, /nfs/nn run 2" {
		t.Errorf("there is now: %s", got)
	}
}
