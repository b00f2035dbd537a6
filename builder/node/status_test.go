package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// process puts a process into the machine's /proc: 1000 s after its boot, of
// that age.
func (m *machine) process(pid, uid, age int) {
	m.write(fmt.Sprintf("/proc/%d/status", pid), fmt.Sprintf("Name:\tjava\nUid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid))
	m.write(fmt.Sprintf("/proc/%d/stat", pid), fmt.Sprintf("%d (a ) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", pid, (1000-age)*clockTicks))
}

// settled is slave1 after apply, with its services up for a minute.
func settled(t *testing.T) *machine {
	t.Helper()
	needRoot(t)
	m := newMachine(t)
	m.mustApply()
	for name, uid := range map[string]int{"hadoop-hdfs-datanode": 781, "hadoop-0.20-mapreduce-tasktracker": 782, "mesos-slave": 0} {
		m.process(m.sup.running[name].PID, uid, 60)
	}
	return m
}

// listens adds listening ports to the machine's /proc/net/tcp.
func (m *machine) listens(ports ...int) {
	text := m.read("/proc/net/tcp")
	for i, p := range ports {
		text += fmt.Sprintf("%4d: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000   781        0 1 1 0 100 0 0 10 0\n", i, p)
	}
	m.write("/proc/net/tcp", text)
}

func TestALoneSlaveIsConfigured(t *testing.T) {
	m := settled(t)
	s := m.Status(t.Context())
	if s.Level != LevelConfigured {
		t.Fatalf("level %s, errors %q, pending %q", s.Level, s.Errors, s.Pending)
	}
	want := []string{
		"namenode 10.162.2.91:9000", "jobtracker 10.162.2.92:9001",
		"zookeeper 10.162.2.91:2181", "zookeeper 10.162.2.92:2181", "zookeeper 10.162.2.93:2181",
		"mesos-master 10.162.2.91:5050", "mesos-master 10.162.2.92:5050", "mesos-master 10.162.2.93:5050",
	}
	if diff := cmp.Diff(want, s.Waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	dn := s.Services[0]
	if dn.Name != "hadoop-hdfs-datanode" || dn.User != "hdfs" || !dn.Stable || dn.HeapMiB != 608 || len(dn.Ports) != 3 || dn.Ports[0].Listening || !slices.Equal(dn.Waits, want[:1]) {
		t.Errorf("the DataNode: %+v", dn)
	}
	if s.Node != "slave1" || s.Role != "slave" || s.Cluster != "lab" || s.Address != "10.162.2.94" || !slices.Equal(s.Standins, []string{"mesos"}) {
		t.Errorf("status: %+v", s)
	}
}

// inRole lets every peer answer and every check pass.
func inRole(t *testing.T) *machine {
	t.Helper()
	m := settled(t)
	m.listens(50010, 50020, 50075, 50060, 5051)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages := map[string]string{"/jmx": "Hadoop:service=DataNode,name=FSDatasetState-1", "/tasktracker.jsp": "<h1>x Task Tracker Status</h1>", "/slave(1)/health": ""}
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
		}
		_, _ = fmt.Fprint(w, page)
	}))
	t.Cleanup(server.Close)
	m.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return m
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*machine)
		level Level
		says  string
	}{
		{"all is well", func(*machine) {}, LevelInRole, ""},
		{"a port is missing", func(m *machine) { m.replace("/proc/net/tcp", ":C35A", ":0016") }, LevelConfigured, "hadoop-hdfs-datanode does not listen on its data port 50010"},
		{"just started", func(m *machine) { m.process(m.sup.running["mesos-slave"].PID, 0, 2) }, LevelStarting, "mesos-slave has only just started"},
		{"wrong user", func(m *machine) { m.process(m.sup.running["hadoop-hdfs-datanode"].PID, 0, 60) }, LevelFailed, "hadoop-hdfs-datanode runs as root, not as hdfs"},
		{"stopped", func(m *machine) { delete(m.sup.running, "mesos-slave") }, LevelFailed, "mesos-slave is stopped"},
		{"crash loop", func(m *machine) {
			p := m.sup.running["mesos-slave"]
			p.Restarts = 5
			m.sup.running["mesos-slave"] = p
			m.process(p.PID, 0, 15)
		}, LevelFailed, "mesos-slave ends again and again (5 restarts)"},
		{"another role's port", func(m *machine) { m.listens(2181) }, LevelFailed, "something listens on 0.0.0.0 port 2181, which belongs to another role"},
		{"another role's service", func(m *machine) { m.sup.running["mesos-master"] = Process{Activity: Running} }, LevelFailed, "mesos-master runs, but does not belong to the role slave"},
		{"changed by hand", func(m *machine) { m.write("/etc/mesos/zk", "zk:10.162.2.91:2181") }, LevelInRole, "not as the inventory says: /etc/mesos/zk; run forge-node apply"},
		{"not applied in this boot", func(m *machine) { m.write(outcomePath, "{") }, LevelFailed, outcomePath},
		{"a check fails", func(m *machine) {
			m.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				s := httptest.NewServer(http.NotFoundHandler())
				m.t.Cleanup(s.Close)
				return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
			}
		}, LevelConfigured, "hadoop-hdfs-datanode: registered: GET http://10.162.2.94:50075/jmx answers 404, not 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := inRole(t)
			c.spoil(m)
			s := m.Status(t.Context())
			said := strings.Join(slices.Concat(s.Errors, s.Pending, s.Warnings), "\n")
			if s.Level != c.level || !strings.Contains(said, c.says) {
				t.Errorf("level %s, want %s; it says:\n%s\nwant %q", s.Level, c.level, said, c.says)
			}
		})
	}
}

func TestOneAnsweringZooKeeperIsEnough(t *testing.T) {
	m := newMachine(t)
	r, err := m.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	d := r.Data()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	refused := m.Dial
	m.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "10.162.2.93:2181" {
			return (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
		}
		return refused(ctx, network, address)
	}
	needs := []RenderedService{{Service: Service{Name: "a", Needs: []string{"zookeeper"}}}, {Service: Service{Name: "b", Needs: []string{"namenode", "hive"}}}}
	want := map[string][]string{"a": nil, "b": {"namenode 10.162.2.91:9000", "hive (forge-node does not know this peer)"}}
	if diff := cmp.Diff(want, m.silentPeers(t.Context(), &d.Derived, needs, nil)); diff != "" {
		t.Errorf("silent peers (-want +got):\n%s", diff)
	}
}

func TestZooKeeperCheck(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	answers := make(chan string, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			asked := make([]byte, 4)
			if _, err := conn.Read(asked); err == nil && string(asked) == "srvr" {
				_, _ = fmt.Fprint(conn, <-answers)
			}
			_ = conn.Close()
		}
	}()
	m := newMachine(t)
	m.Dial = (&net.Dialer{}).DialContext
	svc := RenderedService{PortOf: map[string]int{"client": listener.Addr().(*net.TCPAddr).Port}}
	check := Check{Kind: CheckZK, Port: "client"}
	answers <- "Zookeeper version: 3.8.0\nMode: follower\nNode count: 5\n"
	if err := m.check(t.Context(), svc, check, "127.0.0.1"); err != nil {
		t.Error(err)
	}
	answers <- "This ZooKeeper instance is not currently serving requests\n"
	if err := m.check(t.Context(), svc, check, "127.0.0.1"); err == nil || !strings.Contains(err.Error(), `"This ZooKeeper instance is not currently serving requests" does not match`) {
		t.Errorf("error %v", err)
	}
}

// TestCommandCheck asks by a program, and has a node fail by name for what waiting does not mend.
func TestCommandCheck(t *testing.T) {
	m := newMachine(t)
	m.Exec = runAs
	check := Check{Kind: CheckExec, Run: []string{"sh", "-c", "echo 1; exit 0"}, Match: "^1\n$"}
	if err := m.check(t.Context(), RenderedService{}, check, ""); err != nil {
		t.Error(err)
	}
	check.Run[2] = "echo 10"
	if err := m.check(t.Context(), RenderedService{}, check, ""); err == nil || !strings.Contains(err.Error(), `the answer "10" does not match`) {
		t.Errorf("error %v", err)
	}
	check.Run[2] = "echo Access denied >&2; exit 1"
	if err := m.check(t.Context(), RenderedService{}, check, ""); err == nil || !strings.Contains(err.Error(), "exit status 1: Access denied") {
		t.Errorf("error %v", err)
	}
	check.User = "azkaban"
	if err := m.check(t.Context(), RenderedService{}, check, ""); err == nil || !strings.Contains(err.Error(), `user "azkaban" does not exist`) {
		t.Errorf("error %v", err)
	}
}

func TestFatalCheck(t *testing.T) {
	for _, c := range []struct {
		name     string
		fatal    bool
		waits    []string
		starting bool
		level    Level
	}{
		{"it is", true, nil, false, LevelFailed},
		{"it may come", false, nil, false, LevelConfigured},
		{"a peer is silent", true, []string{"mariadb 10.162.2.93:3306"}, false, LevelConfigured},
		{"forge-node still works", true, nil, true, LevelStarting},
	} {
		s := &Status{Services: []ServiceStatus{{Name: "azkaban-web", State: Running, Stable: true, Waits: c.waits,
			Health: []CheckStatus{{Name: "data base", Message: "Access denied", Fatal: c.fatal}}}}, Waits: c.waits}
		if level := s.judge(c.starting); level != c.level {
			t.Errorf("%s: level %s, want %s", c.name, level, c.level)
		}
		if told := slices.Contains(s.Errors, "azkaban-web: data base: Access denied"); told != (c.level == LevelFailed) {
			t.Errorf("%s: errors %q", c.name, s.Errors)
		}
	}
}

func TestStatusBeforeApply(t *testing.T) {
	m := newMachine(t)
	s := m.Status(t.Context())
	if s.Level != LevelStarting || !strings.Contains(strings.Join(s.Pending, "\n"), "has not finished since this machine started") {
		t.Errorf("level %s, errors %q, pending %q", s.Level, s.Errors, s.Pending)
	}
}

func TestListeners(t *testing.T) {
	m := newMachine(t)
	m.listens(50010)
	m.write("/proc/net/tcp6", "  sl  local_address\n   0: 00000000000000000000000000000000:0016 0:0 0A 0:0 0:0 0 0 0 1\n   1: 0000000000000000FFFF00005E02A20A:13BB 0:0 0A 0:0 0:0 0 782 0 1\n   2: 0000000000000000FFFF00005E02A20A:13BC 0:0 01 0:0 0:0 0 782 0 1\nbad line\n")
	got, err := m.Listeners()
	if err != nil {
		t.Fatal(err)
	}
	want := []Listener{{"::", 22, "root"}, {"10.162.2.94", 5051, "mapred"}, {"0.0.0.0", 50010, "hdfs"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseSocket(f *testing.F) {
	f.Add("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1")
	f.Add("0: :: x 0A a b c 0")
	f.Fuzz(func(t *testing.T, line string) {
		l, _, ok := parseSocket(line)
		if ok && (l.Port < 0 || l.Port > 65535 || net.ParseIP(l.Address) == nil) {
			t.Errorf("%+v", l)
		}
	})
}

func TestFacts(t *testing.T) {
	m := newMachine(t)
	m.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	m.write("/proc/sys/kernel/random/boot_id", "b\n")
	m.write("/proc/sys/kernel/osrelease", "6.1\n")
	m.write(instanceDataPath, cloudSlave1)
	m.write("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f root@x\n")
	f := m.Facts()
	if len(f.Errors) != 0 {
		t.Errorf("errors: %q", f.Errors)
	}
	if f.MachineID != "0123456789abcdef0123456789abcdef" || f.InstanceID != "i-1" || f.Hostname != "debian" || f.Machine != testMachine || f.RootBytes == 0 || !f.Link {
		t.Errorf("facts: %+v", f)
	}
	if got := f.HostKeys["ssh-ed25519"]; !strings.HasPrefix(got, "SHA256:") || len(got) != 50 {
		t.Errorf("fingerprint %q", got)
	}
}
