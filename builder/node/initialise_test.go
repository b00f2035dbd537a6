package node

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestInit(t *testing.T) {
	needRoot(t)
	const dirA, dirB = "/data/nn", "/nfs/nn"
	for _, c := range []struct {
		name    string
		before  func(*machine)
		was     initState
		ran     bool
		state   initState
		wantErr string
	}{
		{name: "nothing there", before: func(*machine) {}, ran: true, state: initDone},
		{name: "done before", before: func(*machine) {}, was: initDone, state: initDone},
		{name: "found before, gone now", before: func(*machine) {}, was: initFound, state: initFound},
		{name: "data in one of two", before: func(m *machine) { m.write(dirA+"/current/edits", "x") }, state: initFound},
		{name: "data without VERSION", before: func(m *machine) { m.write(dirB+"/x", "") }, state: initFound},
		{name: "one holds data, one is empty", before: func(m *machine) { m.write(dirB+"/x", ""); _ = os.MkdirAll(m.path(dirA), 0o755) }, state: initFound},
		{name: "a file in the directory's place", before: func(m *machine) { m.write(dirA, "") }, state: initFound},
		{name: "empty directories", before: func(m *machine) { _ = os.MkdirAll(m.path(dirA), 0o755) }, ran: true, state: initDone},
		{name: "a link to data", before: func(m *machine) {
			m.write("/srv/nn/x", "")
			_ = os.MkdirAll(m.path("/data"), 0o755)
			_ = os.Symlink("../srv/nn", m.path(dirA))
		}, state: initFound},
		{name: "a link to nothing", before: func(m *machine) { _ = os.MkdirAll(m.path("/data"), 0o755); _ = os.Symlink("../srv/nn", m.path(dirA)) },
			wantErr: "init nn/format: /data/nn is a symbolic link to nothing, or to an empty directory"},
		{name: "the top of a disk", before: func(m *machine) { _ = os.MkdirAll(m.path(dirA+"/lost+found"), 0o700) }, wantErr: "/data/nn is the top of an empty file system"},
		{name: "killed before it wrote", before: func(*machine) {}, was: initBegun, ran: true, state: initDone},
		{name: "killed half-way", before: func(m *machine) { m.write(dirA+"/current/fsimage", "half") }, was: initBegun, state: initBegun, wantErr: "was interrupted, and /data/nn holds data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.before(m)
			before := contentsOf(t, m)
			var ran []string
			m.Exec = func(_ context.Context, as User, argv []string) ([]byte, error) {
				if _, err := os.Stat(m.path(dirA)); err == nil {
					t.Error("the directory exists while the step runs")
				}
				if s, err := m.loadState(); err != nil || s.Init["nn/format"] != initBegun {
					t.Errorf("not recorded as begun: %v %v", s, err)
				}
				ran = append(ran, as.Name+": "+strings.Join(argv, " "))
				return nil, nil
			}
			s, err := m.loadState()
			if err != nil {
				t.Fatal(err)
			}
			if c.was != "" {
				s.Init["nn/format"] = c.was
			}
			acc, err := m.accounts()
			if err != nil {
				t.Fatal(err)
			}
			step := RenderedInit{Init: Init{Name: "format", User: "hdfs"}, Argv: []string{"format", "-now"}, Paths: []string{dirA, dirB}}
			err = m.initialise(t.Context(), s, RenderedService{Service: Service{Name: "nn"}, Steps: []RenderedInit{step}}, nil, acc)
			if c.wantErr == "" && err != nil || c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
				t.Errorf("error %v, want %q", err, c.wantErr)
			}
			if got := slices.Equal(ran, []string{"hdfs: format -now"}); got != c.ran {
				t.Errorf("ran: %q", ran)
			}
			if s.Init["nn/format"] != c.state {
				t.Errorf("state %q, want %q", s.Init["nn/format"], c.state)
			}
			if !c.ran { // what was there is there, byte for byte
				after := contentsOf(t, m)
				for _, line := range before {
					if !slices.Contains(after, line) {
						t.Errorf("gone or changed: %s", line)
					}
				}
			}
		})
	}
}

// A directory that is gone is made again beside one that holds data, for the service to fill: a NameNode does
// not start while one of its directories is absent.
func TestInitCompletesCopies(t *testing.T) {
	needRoot(t)
	const dirA, dirB = "/data/nn", "/nfs/nn"
	for _, c := range []struct {
		name   string
		copies bool
		before func(*machine)
		was    initState
		made   bool
	}{
		{"a copy is gone", true, func(m *machine) { m.write(dirB+"/x", "") }, initDone, true},
		{"a fresh node with the other copy", true, func(m *machine) { m.write(dirB+"/x", "") }, "", true},
		{"they are no copies", false, func(m *machine) { m.write(dirB+"/x", "") }, initDone, false},
		{"both are gone", true, func(*machine) {}, initDone, false},
		{"a file in the copy's place", true, func(m *machine) { m.write(dirB, "") }, initDone, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.before(m)
			if err := os.Chown(m.path(dirB), 7, 8); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			s, err := m.loadState()
			if err != nil {
				t.Fatal(err)
			}
			if c.was != "" {
				s.Init["nn/format"] = c.was
			}
			step := RenderedInit{Init: Init{Name: "format", Copies: c.copies}, Argv: []string{"format"}, Paths: []string{dirA, dirB}}
			if err := m.initialise(t.Context(), s, RenderedService{Service: Service{Name: "nn"}, Steps: []RenderedInit{step}}, nil, nil); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(m.path(dirA))
			if made := err == nil; made != c.made || len(entries) > 0 {
				t.Fatalf("made: %v, with %v; want %v and nothing in it", made, entries, c.made)
			}
			if !c.made {
				return
			}
			fi, err := os.Stat(m.path(dirA))
			if err != nil {
				t.Fatal(err)
			}
			if is := fi.Sys().(*syscall.Stat_t); is.Uid != 7 || is.Gid != 8 {
				t.Errorf("it belongs to %d:%d, want its copy's 7:8", is.Uid, is.Gid)
			}
		})
	}
}
