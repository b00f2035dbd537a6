package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/event"
)

// answering is slave1 in a network where every peer answers, with these
// services up from the time on, after the start of the run, that is given.
func answering(t *testing.T, upAfter map[string]time.Duration) (m *machine, log *[]string) {
	t.Helper()
	needRoot(t)
	m = newMachine(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("Hadoop:service=DataNode,name=FSDatasetState-1 Task Tracker Status"))
	}))
	t.Cleanup(server.Close)
	m.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	ports := map[string][]int{"hadoop-hdfs-datanode": {50010, 50020, 50075}, "hadoop-0.20-mapreduce-tasktracker": {50060}, "mesos-slave": {5051}}
	m.sup.looked = func() {
		m.write("/proc/net/tcp", "  sl  local_address\n")
		for name, after := range upAfter {
			if m.late >= after {
				m.listens(ports[name]...)
			}
		}
	}
	log = &[]string{}
	return m, log
}

func (m *machine) applyInto(log *[]string) error {
	_, err := m.Apply(m.t.Context(), event.Func(func(e event.Event) { *log = append(*log, e.Message) }))
	return err
}

const (
	never = time.Hour
	soon  = 20 * time.Second
)

func TestServicesStartOneAfterTheOther(t *testing.T) {
	m, log := answering(t, map[string]time.Duration{"hadoop-hdfs-datanode": soon, "hadoop-0.20-mapreduce-tasktracker": 2 * soon, "mesos-slave": 0})
	var at []string
	m.sup.called = func(what string) { at = append(at, m.late.String()+" "+what) }
	if err := m.applyInto(log); err != nil {
		t.Fatal(err)
	}
	want := []string{"0s start hadoop-hdfs-datanode", "20s start hadoop-0.20-mapreduce-tasktracker", "40s start mesos-slave"}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	before, late := m.tree(), m.late
	m.sup.looked = nil // a second run finds everything as it is
	m.mustApply()
	if diff := cmp.Diff(before, m.tree()); diff != "" || m.late != late || len(at) != 3 {
		t.Errorf("a second run waited %v, called %q and changed:\n%s", m.late-late, at[3:], diff)
	}
}

func TestAServiceThatDoesNotComeUp(t *testing.T) {
	m, log := answering(t, map[string]time.Duration{"hadoop-hdfs-datanode": never, "hadoop-0.20-mapreduce-tasktracker": 0, "mesos-slave": 0})
	const says = "hadoop-hdfs-datanode was not up 90 s after its start: it does not listen on its data port 50010"
	err := m.applyInto(log)
	if late := new(NotUpError); !errors.As(err, &late) || !OnlyNotUp(err) || err.Error() != says+" (forge-node status says how it is now)" {
		t.Errorf("error %v", err)
	}
	if !slices.Contains(*log, says) {
		t.Errorf("log: %q", *log)
	}
	if diff := cmp.Diff([]string{"start hadoop-hdfs-datanode", "start hadoop-0.20-mapreduce-tasktracker", "start mesos-slave"}, m.sup.calls); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
	if got := m.read(issuePath); !strings.Contains(got, "forge: node slave1, role slave, cluster lab\nforge: "+says) {
		t.Errorf("above the prompt: %s", got)
	}
	for name, uid := range map[string]int{"hadoop-hdfs-datanode": 781, "hadoop-0.20-mapreduce-tasktracker": 782, "mesos-slave": 0} {
		m.process(m.sup.running[name].PID, uid, 60)
	}
	if s := m.Status(t.Context()); s.Level != LevelConfigured || !slices.Contains(s.Pending, says) {
		t.Errorf("status %s, errors %q, pending %q", s.Level, s.Errors, s.Pending)
	}
	m.late = never // it came up after all, and nobody applied again
	if s := m.Status(t.Context()); s.Level != LevelInRole {
		t.Errorf("later: status %s, errors %q, pending %q", s.Level, s.Errors, s.Pending)
	}
}

func TestTheLimitOfAStart(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*machine)
		waits time.Duration
		says  string
	}{
		{"its own limit", func(m *machine) {
			m.replace("/usr/share/forge/components/hdfs.json", `"name": "hadoop-hdfs-datanode",`, `"name": "hadoop-hdfs-datanode", "start_seconds": 30,`)
		}, 30 * time.Second, "hadoop-hdfs-datanode was not up 30 s after its start: it does not listen"},
		{"the limit of all", func(m *machine) {
			m.replace("/usr/share/forge/components/hdfs.json", `"name": "hadoop-hdfs-datanode",`, `"name": "hadoop-hdfs-datanode", "start_seconds": 3000,`)
		}, allStarts, "hadoop-hdfs-datanode was not up 480 s after its start: it does not listen"},
		{"it failed", func(m *machine) { m.sup.started = Failed }, 0, "hadoop-hdfs-datanode was not up 0 s after its start: it is failed"},
		{"a check fails", func(m *machine) {
			m.replace("/usr/share/forge/components/hdfs.json", "FSDatasetState", "Registered")
			m.sup.looked = func() { m.write("/proc/net/tcp", "\n"); m.listens(50010, 50020, 50075, 50060, 5051) }
		}, 90 * time.Second, "hadoop-hdfs-datanode was not up 90 s after its start: registered: GET http://10.162.2.94:50075/jmx: the answer"},
		{"its peer goes", func(m *machine) {
			answers := m.Dial
			m.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasSuffix(address, ":9000") && m.late > soon {
					return nil, errors.New("no route to host")
				}
				return answers(ctx, network, address)
			}
		}, 90 * time.Second, ""},
		{"its peer is silent", func(m *machine) {
			answers := m.Dial
			m.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasSuffix(address, ":9000") {
					return nil, errors.New("no route to host")
				}
				return answers(ctx, network, address)
			}
		}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, log := answering(t, map[string]time.Duration{"hadoop-hdfs-datanode": never, "hadoop-0.20-mapreduce-tasktracker": 0, "mesos-slave": 0})
			c.spoil(m)
			err := m.applyInto(log)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if m.late != c.waits {
				t.Errorf("waited %v, want %v", m.late, c.waits)
			}
			if c.says == "" && !slices.Contains(*log, "hadoop-hdfs-datanode waits for namenode 10.162.2.91:9000") {
				t.Errorf("log: %q", *log)
			}
		})
	}
}

// One ZooKeeper server of three can't serve; a single one needs nobody.
func TestAServerAloneNeedsNobody(t *testing.T) {
	m := newMachine(t)
	r, err := m.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	d := r.Data().Derived
	d.Node = d.ZooKeeper.Nodes[0]
	zk := RenderedService{Service: Service{Name: "zookeeper", Needs: []string{"zookeeper-peer"}}}
	want := []string{"zookeeper-peer 10.162.2.92:3888", "zookeeper-peer 10.162.2.93:3888"}
	if diff := cmp.Diff(want, m.silentPeers(t.Context(), &d, []RenderedService{zk}, nil)["zookeeper"]); diff != "" {
		t.Errorf("of three (-want +got):\n%s", diff)
	}
	d.ZooKeeper.Nodes = d.ZooKeeper.Nodes[:1]
	if got := m.silentPeers(t.Context(), &d, []RenderedService{zk}, nil)["zookeeper"]; len(got) > 0 {
		t.Errorf("alone it waits for %q", got)
	}
}

// A restart is waited for: what the old process answers doesn't count.
func TestARestartIsWaitedFor(t *testing.T) {
	m, log := answering(t, map[string]time.Duration{"hadoop-hdfs-datanode": 0, "hadoop-0.20-mapreduce-tasktracker": 0, "mesos-slave": 0})
	m.mustApply()
	m.replace(inventoryPath, "rack: r1}     #", "rack: r9}     #")
	old := m.sup.running["mesos-slave"]
	looked := m.sup.looked
	m.sup.looked = func() {
		looked()
		if m.late < soon && slices.Contains(m.sup.calls, "restart mesos-slave") {
			m.sup.running["mesos-slave"] = old
		} else if m.late >= soon {
			m.sup.running["mesos-slave"] = Process{Activity: Running, PID: old.PID + 1}
		}
	}
	if err := m.applyInto(log); err != nil || m.late != soon {
		t.Errorf("waited %v, error %v", m.late, err)
	}
}

// withInit is slave1 whose DataNode has a one-time step.
func withInit(t *testing.T, m *machine, step string) {
	t.Helper()
	m.replace("/usr/share/forge/components/hdfs.json", `"name": "hadoop-hdfs-datanode",`, `"name": "hadoop-hdfs-datanode", "init": [`+step+`],`)
}

// unreachable has the peers on a port silent until the time, after the start of the run, that is given.
func unreachable(m *machine, until time.Duration, ends ...string) {
	answers := m.Dial
	m.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(address, end) }) && m.late < until {
			return nil, errors.New("no route to host")
		}
		return answers(ctx, network, address)
	}
}

// A service whose one-time step needs silent peers waits, and keeps no other service from its start.
func TestAnInitWaitsForItsPeers(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	withInit(t, m, `{"name": "znode", "needs": ["zookeeper"], "run": ["make", "znode"]}`)
	_, err := m.Apply(t.Context(), event.Discard)
	const want = "hadoop-hdfs-datanode waits for its first start: hadoop-hdfs-datanode/znode needs zookeeper 10.162.2.91:2181, zookeeper 10.162.2.92:2181, zookeeper 10.162.2.93:2181"
	if err == nil || err.Error() != want || !WaitsForPeers(err) || !OnlyNotUp(err) || m.late < laterWait || m.late > laterWait+retryPause {
		t.Errorf("after %v: %v", m.late, err)
	}
	if diff := cmp.Diff([]string{"start hadoop-0.20-mapreduce-tasktracker", "start mesos-slave"}, m.sup.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got := m.read(issuePath); !strings.Contains(got, "forge: "+want) || strings.Contains(got, "mend what this names") {
		t.Errorf("above the prompt: %s", got)
	}
	for name, uid := range map[string]int{"hadoop-0.20-mapreduce-tasktracker": 782, "mesos-slave": 0} {
		m.process(m.sup.running[name].PID, uid, 60)
	}
	s := m.Status(t.Context())
	if s.Level != LevelConfigured || !slices.Contains(s.Waits, "zookeeper 10.162.2.91:2181") || !slices.Contains(s.Pending, "hadoop-hdfs-datanode waits for its first start") {
		t.Errorf("status %s, waits %q, pending %q, errors %q", s.Level, s.Waits, s.Pending, s.Errors)
	}
}

func TestAnInitIsDoneWhenItsPeersAnswer(t *testing.T) {
	for _, c := range []struct {
		name, needs string
		silent      []string
		runs        int
	}{
		{"one end is enough", `"needs": ["zookeeper"]`, []string{"10.162.2.91:2181", "10.162.2.92:2181"}, 1},
		{"all ends are needed", `"needs_all": ["zookeeper"]`, []string{"10.162.2.92:2181"}, 1},
		{"a peer that listens and does not serve", `"needs": ["zookeeper"]`, nil, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, log := answering(t, map[string]time.Duration{"hadoop-hdfs-datanode": 0, "hadoop-0.20-mapreduce-tasktracker": 0, "mesos-slave": 0})
			withInit(t, m, `{"name": "znode", `+c.needs+`, "run": ["make", "znode"]}`)
			unreachable(m, soon, c.silent...)
			var ran []string
			m.Exec = func(_ context.Context, as User, argv []string) ([]byte, error) {
				ran = append(ran, as.Name+" "+strings.Join(argv, " "))
				if len(ran) < c.runs {
					return nil, errors.New("no quorum")
				}
				return nil, nil
			}
			if err := m.applyInto(log); err != nil {
				t.Fatalf("%v; log: %q", err, *log)
			}
			waited := m.late >= soon
			if wants := c.name == "all ends are needed"; waited != wants {
				t.Errorf("waited %v", m.late)
			}
			m.mustApply()
			if len(ran) != c.runs || ran[0] != "root make znode" {
				t.Errorf("ran: %q", ran)
			}
			if last := m.sup.calls[len(m.sup.calls)-1]; (c.runs > 1 || waited) != (last == "start hadoop-hdfs-datanode") {
				t.Errorf("calls: %q", m.sup.calls)
			}
		})
	}
}

// A step that needs nobody is not tried twice, and one that goes on failing is what is wrong in the end.
func TestAnInitThatFails(t *testing.T) {
	for step, waits := range map[string]bool{`{"name": "znode", "run": ["make", "znode"]}`: false, `{"name": "znode", "needs": ["zookeeper"], "run": ["make", "znode"]}`: true} {
		m, log := answering(t, map[string]time.Duration{"hadoop-hdfs-datanode": 0, "hadoop-0.20-mapreduce-tasktracker": 0, "mesos-slave": 0})
		withInit(t, m, step)
		m.Exec = func(context.Context, User, []string) ([]byte, error) { return nil, errors.New("no space left") }
		err := m.applyInto(log)
		if err == nil || err.Error() != "init hadoop-hdfs-datanode/znode: no space left" || OnlyNotUp(err) || WaitsForPeers(err) {
			t.Errorf("%s: %v", step, err)
		}
		if (m.late >= allStarts) != waits {
			t.Errorf("%s: waited %v", step, m.late)
		}
	}
}

// The question of a check may be one with a query, and be made from the inventory.
func TestACheckWithAQuery(t *testing.T) {
	m, log := answering(t, map[string]time.Duration{"hadoop-hdfs-datanode": 0, "hadoop-0.20-mapreduce-tasktracker": 0, "mesos-slave": 0})
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Query().Get("qry")
		_, _ = w.Write([]byte("FSDatasetState, Task Tracker Status"))
	}))
	t.Cleanup(server.Close)
	m.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	m.replace("/usr/share/forge/components/hdfs.json", `"path": "/jmx",
          "match": "FSDatasetState"`, `"path": "/jmx?qry=Hadoop:service=DataNode,name=FSDatasetState*&of={{ .Node.Name }}",
          "match": "FSDatasetState"`)
	if err := m.applyInto(log); err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "Hadoop:service=DataNode,name=FSDatasetState*" {
		t.Errorf("asked: %q", got)
	}
	r, err := m.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Rendering.Services[0].Health[1].Path; got != "/jmx?qry=Hadoop:service=DataNode,name=FSDatasetState*&of=slave1" {
		t.Errorf("path %q", got)
	}
}

// A port that answers is no peer while its service is known to be down.
func TestAListeningPeerThatIsDown(t *testing.T) {
	m, _ := answering(t, nil)
	r, err := m.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	d := r.Data().Derived
	d.Node = d.ZooKeeper.Nodes[1]
	answers := m.Dial
	m.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.HasPrefix(address, d.Node.Address) {
			return nil, errors.New("no route to host")
		}
		return answers(ctx, network, address)
	}
	needy := []RenderedService{{Service: Service{Name: "mesos-master", Needs: []string{"zookeeper"}}}}
	if got := m.silentPeers(t.Context(), &d, needy, nil)["mesos-master"]; len(got) > 0 {
		t.Errorf("silent: %q", got)
	}
	want := []string{"zookeeper 10.162.2.91:2181", "zookeeper 10.162.2.92:2181", "zookeeper 10.162.2.93:2181"}
	if diff := cmp.Diff(want, m.silentPeers(t.Context(), &d, needy, map[int]bool{2181: true})["mesos-master"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
