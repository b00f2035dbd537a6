package node

import (
	"maps"
	"os"
	"strings"
	"testing"
)

func TestFixed(t *testing.T) {
	const path, data = "/etc/zookeeper/conf/myid", "/var/lib/zookeeper/version-2"
	const refused = `/etc/zookeeper/conf/myid must not change from "1" to "2" while /var/lib/zookeeper/version-2 holds data: it was written under the old one`
	for _, c := range []struct {
		name   string
		before func(*machine, *state)
		err    string
		warns  string
	}{
		{name: "nothing there"},
		{name: "an old file, no data", before: func(m *machine, _ *state) { m.write(path, "1\n") }},
		{name: "an old record, no data", before: func(m *machine, s *state) { s.Fixed[path] = "1\n"; _ = os.MkdirAll(m.path(data), 0o755) }},
		{name: "the same, with data", before: func(m *machine, s *state) { m.write(path, "2\n"); m.write(data+"/log.1", "x") }},
		{name: "another file, with data", before: func(m *machine, _ *state) { m.write(path, "1\n"); m.write(data+"/log.1", "x") }, err: refused},
		{name: "another record, with data, the file lost", before: func(m *machine, s *state) { s.Fixed[path] = "1\n"; m.write(data+"/log.1", "x") }, err: refused},
		{name: "changed by hand, with data", before: func(m *machine, s *state) {
			s.Fixed[path] = "2\n"
			m.write(path, "1\n")
			m.write(data+"/log.1", "x")
		}, err: refused},
		{name: "data of nobody", before: func(m *machine, _ *state) { m.write(data+"/log.1", "x") },
			warns: `/var/lib/zookeeper/version-2 holds data, and nothing says that it was written under "2"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			s, err := m.loadState()
			if err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before(m, s)
			}
			recorded := maps.Clone(s.Fixed)
			warnings, err := m.checkFixed([]RenderedFile{{Path: "/etc/other", Content: []byte("x")}, {Path: path, Content: []byte("2\n"), Fixed: []string{data}}}, s, nil)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if got := strings.Join(warnings, "\n"); !strings.Contains(got, c.warns) || (c.warns == "") != (got == "") {
				t.Errorf("warnings %q, want %q", got, c.warns)
			}
			if c.err == "" {
				recorded[path] = "2\n"
			}
			if !maps.Equal(recorded, s.Fixed) {
				t.Errorf("recorded %q, want %q", s.Fixed, recorded)
			}
		})
	}
}

// TestFixedOnAnAbsentDisk: what data on a disk that is away was written under is neither recorded
// nor rendered anew, so that the disk fits when it is back.
func TestFixedOnAnAbsentDisk(t *testing.T) {
	const path, data = "/etc/zookeeper/conf/myid", "/data/zk/version-2"
	m := newMachine(t)
	s, err := m.loadState()
	if err != nil {
		t.Fatal(err)
	}
	m.write(path, "1\n")
	s.Fixed[path] = "1\n"
	r := &Resolved{Identity: Identity{Node: "slave1"}, Rendering: &Rendering{Files: []RenderedFile{{Path: path, Content: []byte("2\n"), Mode: 0o644, Fixed: []string{data}}}}}
	acc, err := m.accounts()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.configure(r, s, acc, []absentMount{{path: "/data/zk"}}, &outcome{}); err != nil {
		t.Fatal(err)
	}
	if got := m.read(path); got != "1\n" || s.Fixed[path] != "1\n" {
		t.Errorf("the disk away: the file holds %q, the record is %q; want both as they were", got, s.Fixed[path])
	}
	m.write(data+"/log.1", "x")
	if err := m.configure(r, s, acc, nil, &outcome{}); err == nil || !strings.Contains(err.Error(), "must not change from \"1\" to \"2\" while "+data+" holds data") {
		t.Errorf("the disk back: %v", err)
	}
}
