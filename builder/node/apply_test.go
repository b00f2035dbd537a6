package node

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mesos-forge/forge/builder/event"
)

func TestApplyMakesTheNode(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	m.mustApply()
	for path, want := range map[string]string{
		"/etc/hostname":                     "slave1\n",
		"/etc/mesos/zk":                     "zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos\n",
		"/etc/mesos-slave/ip":               "10.162.2.94\n",
		"/etc/mesos-slave/attributes/rack":  "r1\n",
		"/etc/default/hadoop-hdfs-datanode": "# " + header + "\nHADOOP_HEAPSIZE=\"608\"\nHADOOP_IDENT_STRING=\"hdfs\"\nHADOOP_LOG_DIR=\"/var/log/hadoop-hdfs\"\n",
	} {
		if got := m.read(path); got != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	if m.name != "slave1" {
		t.Errorf("the kernel's host name is %q", m.name)
	}
	for path, want := range map[string]string{"/data/1/dfs/dn": "700 781:781", "/var/lib/hadoop-mapred/local": "755 782:782", "/var/lib/hadoop/tmp": "1777 0:0", "/data/1": "755 0:0"} {
		info, err := os.Stat(m.path(path))
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		if got := fmt.Sprintf("%o %d:%d", st.Mode&0o7777, st.Uid, st.Gid); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	want := []string{"start hadoop-hdfs-datanode", "start hadoop-0.20-mapreduce-tasktracker", "start mesos-slave"}
	if diff := cmp.Diff(want, m.sup.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestApplyAgainChangesNothing(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	m.mustApply()
	before := m.tree()
	m.sup.calls = nil
	m.mustApply()
	if diff := cmp.Diff(before, m.tree()); diff != "" {
		t.Errorf("inodes, times or owners changed:\n%s", diff)
	}
	if len(m.sup.calls) != 0 {
		t.Errorf("calls: %q", m.sup.calls)
	}
}

func TestApplyRestartsWhatReadsAChangedFile(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	m.mustApply()
	m.sup.calls = nil
	m.replace("/etc/forge/cluster.yaml", "rack: r1}     #", "zone: z}      #")
	m.mustApply()
	if diff := cmp.Diff([]string{"restart mesos-slave"}, m.sup.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(m.path("/etc/mesos-slave/attributes/rack")); !os.IsNotExist(err) {
		t.Errorf("the flag of an attribute that is gone: %v", err)
	}
	if got := m.read("/etc/mesos-slave/attributes/zone"); got != "z\n" {
		t.Errorf("zone: %q", got)
	}
}

// Everything that a node has, and one attribute of its Mesos agent changes: nothing else does.
func TestAChangeTouchesOnlyWhatDependsOnIt(t *testing.T) {
	m := newMortal(t)
	m.mustApply()
	before := m.tree()
	m.replace(inventoryPath, "rack: r1}     #", "rack: r9}     #")
	m.mustApply()
	path := func(line string) string { name, _, _ := strings.Cut(line, " "); return name }
	var changed []string
	for _, line := range m.tree() {
		if !slices.Contains(before, line) {
			changed = append(changed, path(line))
		}
	}
	want := []string{"/etc/forge/cluster.yaml", "/etc/mesos-slave/attributes", "/etc/mesos-slave/attributes/rack", "/var/lib/forge", "/var/lib/forge/state.json"}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"start hadoop-hdfs-datanode", "start hadoop-0.20-mapreduce-tasktracker", "start mesos-slave", "restart mesos-slave"}, m.diskSupervisor().calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// The restart is lost when the run dies between the file and the restart, unless
// the next run knows what the service was started with.
func TestAFailedRestartIsDoneByTheNextRun(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	m.mustApply()
	m.replace("/etc/forge/cluster.yaml", "rack: r1}     #", "rack: r9}     #")
	m.sup.calls, m.sup.fail = nil, "restart mesos-slave"
	if _, err := m.Apply(t.Context(), event.Discard); err == nil || !strings.Contains(err.Error(), "start mesos-slave: no more processes") {
		t.Fatalf("error %v", err)
	}
	if s := m.Status(t.Context()); s.Level != LevelFailed || !slices.Contains(s.Errors, "start mesos-slave: no more processes") {
		t.Errorf("status %s, errors %q", s.Level, s.Errors)
	}
	m.sup.calls, m.sup.fail = nil, ""
	m.mustApply()
	if diff := cmp.Diff([]string{"restart mesos-slave"}, m.sup.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestApplyStopsOtherRolesServices(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	m.sup.running["mesos-master"] = Process{Activity: Running, PID: 7}
	m.mustApply()
	if m.sup.calls[0] != "stop mesos-master" {
		t.Errorf("calls: %q", m.sup.calls)
	}
}

func TestApplyRefuses(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		name  string
		spoil func(*machine)
		want  string
	}{
		{"no inventory", func(m *machine) { _ = os.Remove(m.path(inventoryPath)) }, "no inventory: /etc/forge/cluster.yaml does not exist"},
		{"bad inventory", func(m *machine) { m.replace(inventoryPath, "znode: /mesos", "znode: /") }, "mesos.znode is /, which Mesos refuses [F06]"},
		{"foreign address", func(m *machine) {
			m.Addresses = func() ([]netip.Addr, bool, error) {
				return []netip.Addr{netip.MustParseAddr("192.168.2.94")}, true, nil
			}
		}, "the inventory gives node slave1 the address 10.162.2.94, but no interface has it (they have 192.168.2.94) [F07]"},
		{"no role in the image", func(m *machine) { _ = os.Remove(m.path("/usr/share/forge/roles/slave.json")) }, "this image holds no role"},
		{"missing user", func(m *machine) { m.replace("/etc/passwd", "hdfs:", "hdsf:") }, `user "hdfs" does not exist`},
		{"missing unit", func(m *machine) { m.sup.missing["mesos-slave"] = true }, "start mesos-slave: its unit does not exist"},
		{"directory in a file's place", func(m *machine) { _ = os.MkdirAll(m.path("/etc/mesos/zk"), 0o755) }, "is a directory where a file should be"},
		{"file in a directory's place", func(m *machine) { m.write("/data/1/dfs/dn", "x") }, "directory /data/1/dfs/dn:"},
		{"state of another version", func(m *machine) { m.write(statePath, `{"version":2}`) }, "was not written by this version"},
		{"no supervisor", func(m *machine) { m.Supervisor = nil }, "neither systemd, upstart nor runit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.spoil(m)
			_, err := m.Apply(t.Context(), event.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			s := m.Status(t.Context())
			if s.Level != LevelFailed || !strings.Contains(strings.Join(s.Errors, "\n"), c.want) {
				t.Errorf("status %s, errors %q", s.Level, s.Errors)
			}
		})
	}
}

func TestTwoRunsAreKeptApart(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	unlock, err := m.lock(t.Context(), event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	m.Sleep = func(_ context.Context, d time.Duration) error {
		if m.late += d; m.late == 3*time.Second {
			unlock() // the other run ends
		}
		return nil
	}
	log := &[]string{}
	if err := m.applyInto(log); err != nil || m.late != 3*time.Second || (*log)[0] != "another forge-node apply is at work; this one begins when that ends" {
		t.Errorf("after %v: %v; log %q", m.late, err, *log)
	}
}

func TestApplyWarns(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		name  string
		spoil func(*machine)
		want  string
	}{
		{"no link", func(m *machine) {
			m.Addresses = func() ([]netip.Addr, bool, error) { return nil, false, nil }
		}, "no network interface has a link: nobody can reach this node at 10.162.2.94"},
		{"copied disk", func(m *machine) { m.write(statePath, `{"version":1,"node":"slave2"}`) }, "this disk belonged to node slave2 before"},
		{"container's address", func(m *machine) {
			m.Container, m.Getenv = true, func(string) string { return "" }
			m.Addresses = func() ([]netip.Addr, bool, error) {
				return []netip.Addr{netip.MustParseAddr("172.17.0.2")}, true, nil
			}
		}, "the container has not the address 10.162.2.94 of node slave1, but 172.17.0.2"},
		{"container's host name", func(m *machine) {
			m.Container, m.SetHostname = true, func(string) error { return syscall.EPERM }
		}, "start it with --hostname slave1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.spoil(m)
			m.mustApply()
			if s := m.Status(t.Context()); !strings.Contains(strings.Join(s.Warnings, "\n"), c.want) {
				t.Errorf("warnings %q, want %q", s.Warnings, c.want)
			}
		})
	}
}

// contentsOf lists files with content, mode and owner, without what a run that
// died may leave behind unseen: a temporary file, and the lock.
func contentsOf(t *testing.T, m *machine) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(m.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		content := ""
		if d.Type().IsRegular() {
			content = m.read(strings.TrimPrefix(path, m.Root))
		}
		all = append(all, fmt.Sprintf("%s %v %d:%d %s", strings.TrimPrefix(path, m.Root), info.Mode(), st.Uid, st.Gid, content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
