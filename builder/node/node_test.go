package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/event"
)

const exampleInventory = "../../cluster.example.yaml"

var testMachine = cluster.Machine{RAM: 4096, CPUs: 2}

func testImage(t testing.TB) *Image {
	t.Helper()
	img, err := LoadImage("testdata/image")
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func testInventory(t testing.TB) *cluster.Inventory {
	t.Helper()
	inv, err := cluster.Load(exampleInventory)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// supervisor keeps services in memory and writes down what it was asked for.
type supervisor struct {
	running map[string]Process
	missing map[string]bool
	calls   []string
	fail    string // the call that fails
	called  func(what string)
	looked  func()   // before states are told
	started Activity // what a service is after its start; "": running
}

func (s *supervisor) call(what string) error {
	s.calls = append(s.calls, what)
	if s.called != nil {
		s.called(what)
	}
	if what == s.fail {
		return errors.New("no more processes")
	}
	return nil
}

func (s *supervisor) Reload(context.Context, []RenderedService) error { return nil }

func (s *supervisor) States(_ context.Context, names []string) (map[string]Process, error) {
	if s.looked != nil {
		s.looked()
	}
	states := map[string]Process{}
	for _, n := range names {
		p, ok := s.running[n]
		if !ok {
			p.Activity = Stopped
		}
		if s.missing[n] {
			p.Activity = Missing
		}
		states[n] = p
	}
	return states, nil
}

func (s *supervisor) Start(_ context.Context, names []string) error {
	for _, n := range names {
		if err := s.call("start " + n); err != nil {
			return err
		}
		s.running[n] = Process{Activity: orActivity(s.started, Running), PID: 1000 + len(s.running)}
	}
	return nil
}

func (s *supervisor) Restart(_ context.Context, name string) error {
	if err := s.call("restart " + name); err != nil {
		return err
	}
	s.running[name] = Process{Activity: Running, PID: s.running[name].PID + 1000}
	return nil
}

func (s *supervisor) Stop(_ context.Context, names []string) error {
	for _, n := range names {
		if s.running[n].Activity == Running {
			if err := s.call("stop " + n); err != nil {
				return err
			}
			delete(s.running, n)
		}
	}
	return nil
}

// machine is a node below a temporary root: slave1 of the example, with an
// address, in a network where nobody answers.
type machine struct {
	*Node
	t    *testing.T
	sup  *supervisor
	name string        // the kernel's host name
	late time.Duration // how much later it is than at the start: waiting takes no time
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, sup: &supervisor{running: map[string]Process{}, missing: map[string]bool{}}, name: "debian"}
	m.Node = &Node{
		Root: t.TempDir(), Getenv: func(string) string { return "" }, Supervisor: m.sup,
		Neighbour: func(context.Context, netip.Addr) (string, error) { return "", nil },
		Addresses: func() ([]netip.Addr, bool, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.162.2.94")}, true, nil
		},
		SetHostname: func(name string) error { m.name = name; return nil },
		Hostname:    func() (string, error) { return m.name, nil },
		Exec: func(_ context.Context, as User, argv []string) ([]byte, error) {
			return nil, fmt.Errorf("unexpected program: %s as %s", strings.Join(argv, " "), as.Name)
		},
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("network is unreachable")
		},
		Now:   func() time.Time { return time.Unix(0, 0).Add(m.late) },
		Sleep: func(ctx context.Context, d time.Duration) error { m.late += d; return ctx.Err() },
		// Tests never wait: an address that is not there now never comes.
		Patience: 0, Settle: 10 * time.Second, SettleAgain: 60 * time.Second,
	}
	if err := os.CopyFS(m.Root, os.DirFS("testdata/image")); err != nil {
		t.Fatal(err)
	}
	inventory, err := os.ReadFile(exampleInventory)
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	m.write("/etc/forge/cluster.yaml", string(inventory))
	m.write("/etc/forge/node.yaml", "node: slave1\n")
	m.write("/etc/passwd", fmt.Sprintf("root:x:%d:%d::/root:/bin/sh\nhdfs:x:781:781::/var/lib/hadoop-hdfs:/usr/sbin/nologin\nmapred:x:782:782::/:/bin/sh\n", uid, gid))
	m.write("/etc/group", fmt.Sprintf("root:x:%d:\nhadoop:x:780:hdfs,mapred\nhdfs:x:781:\nmapred:x:782:\n", gid))
	m.write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 debian slave1\n")
	m.write("/proc/meminfo", "MemTotal:        4194304 kB\nMemFree: 1 kB\n")
	m.write("/proc/cpuinfo", "processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n")
	m.write("/proc/uptime", "1000.00 1900.00\n")
	m.write("/proc/net/tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n")
	m.write("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=LABEL=root ro console=ttyS0\n")
	return m
}

func (m *machine) write(path, content string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(path)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(path), []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(path string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.path(path))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

func (m *machine) replace(path, old, new string) {
	m.t.Helper()
	now := m.read(path)
	if !strings.Contains(now, old) {
		m.t.Fatalf("%s does not hold %q", path, old)
	}
	m.write(path, strings.Replace(now, old, new, 1))
}

func (m *machine) mustApply() {
	m.t.Helper()
	if _, err := m.Apply(m.t.Context(), event.Discard); err != nil {
		m.t.Fatal(err)
	}
}

// tree lists everything below the root with its inode, times of change and owner.
func (m *machine) tree() []string {
	m.t.Helper()
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
		all = append(all, fmt.Sprintf("%s inode %d, changed %v %v, %d:%d", strings.TrimPrefix(path, m.Root), st.Ino, st.Mtim, st.Ctim, st.Uid, st.Gid))
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// needRoot is for tests that give files to other users.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test gives files to other users: run the suite as root")
	}
}
