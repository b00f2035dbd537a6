package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// node is one daemon of a test cluster with its address.
type node struct {
	*daemon
	port int
}

func (n node) get(path string) (int, string, http.Header) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", n.port, path))
	if err != nil {
		return 0, "", nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", nil
	}
	return resp.StatusCode, string(body), resp.Header
}

type state struct {
	Standin   bool              `json:"standin"`
	Version   string            `json:"version"`
	ID        string            `json:"id"`
	PID       string            `json:"pid"`
	Leader    string            `json:"leader"`
	Master    string            `json:"master_hostname"`
	Activated *int              `json:"activated_slaves"`
	Flags     map[string]string `json:"flags"`
	Resources map[string]any    `json:"resources"`
}

func (n node) state(t *testing.T, path string) (s state) {
	t.Helper()
	status, body, _ := n.get(path)
	if status != http.StatusOK {
		return s
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, body)
	}
	return s
}

func startNode(t *testing.T, path string, args ...string) node {
	t.Helper()
	port := freePort(t)
	args = append(args, "--ip=127.0.0.1", fmt.Sprintf("--port=%d", port), "--work_dir="+t.TempDir())
	return node{start(t, path, args...), port}
}

func activated(n node, t *testing.T) int {
	s := n.state(t, "/master/state")
	if s.Activated == nil {
		return -1
	}
	return *s.Activated
}

// TestCluster runs two masters and an agent against a ZooKeeper that starts last, stops the
// leader, and expects the agent to follow.
func TestCluster(t *testing.T) {
	z := startZooKeeper(t)
	z.kill()
	sbin := install(t, "")
	masterArgs := []string{"--zk=" + z.url(), "--quorum=2", "--zk_session_timeout=3secs", "--hostname=master"}
	agent := startNode(t, filepath.Join(sbin, "mesos-slave"), "--master="+z.url(), "--zk_session_timeout=3secs",
		"--resources=cpus:3;mem(role):512;ports:[31000-31010]", "--attributes=rack:2;u:1")
	first := startNode(t, filepath.Join(sbin, "mesos-master"), masterArgs...)
	for _, n := range []node{agent, first} {
		for _, path := range []string{"/health", map[bool]string{true: "/slave(1)/health", false: "/master/health"}[n == agent]} {
			eventually(t, path+" without ZooKeeper", func() bool { status, _, _ := n.get(path); return status == 200 })
		}
	}
	eventually(t, "the agent says that it waits", func() bool { return strings.Contains(agent.log.String(), "No leading master") })
	if status, body, _ := first.get("/master/state"); status != http.StatusServiceUnavailable || !strings.Contains(body, "No leader elected") {
		t.Errorf("/master/state without ZooKeeper: %d %s", status, body)
	}

	z.start()
	eventually(t, "the first master waits for its quorum", func() bool {
		return strings.Contains(first.log.String(), "Waiting for 1/2 replicas of the registry")
	})
	if n := activated(first, t); n != 0 {
		t.Errorf("activated_slaves without a quorum is %d", n)
	}
	second := startNode(t, filepath.Join(sbin, "mesos-master"), masterArgs...)
	eventually(t, "the agent is activated", func() bool { return activated(first, t) == 1 })
	checkState(t, first, second, agent)
	checkZnodes(t, z, first)

	if status := first.stop(); status != 0 {
		t.Errorf("leader's exit status after SIGTERM is %d", status)
	}
	third := startNode(t, filepath.Join(sbin, "mesos-master"), masterArgs...)
	eventually(t, "the second master leads and has the agent", func() bool {
		return second.state(t, "/master/state").Leader == fmt.Sprintf("master@127.0.0.1:%d", second.port) && activated(second, t) == 1
	})
	if status := agent.stop(); status != 0 {
		t.Errorf("agent's exit status after SIGTERM is %d", status)
	}
	eventually(t, "the agent is not activated any more", func() bool { return activated(second, t) == 0 })
	for _, n := range []node{second, third} {
		if status := n.stop(); status != 0 {
			t.Errorf("exit status after SIGTERM is %d", status)
		}
	}
}

func checkState(t *testing.T, leader, other, agent node) {
	t.Helper()
	s := leader.state(t, "/master/state.json")
	if want := fmt.Sprintf("master@127.0.0.1:%d", leader.port); s.Leader != want || s.PID != want {
		t.Errorf("leader %q, pid %q, want %q", s.Leader, s.PID, want)
	}
	if !s.Standin || s.Version != "1.11.0" || s.Flags["quorum"] != "2" || s.Flags["registry"] != "replicated_log" {
		t.Errorf("state of the leader: %+v", s)
	}
	eventually(t, "the other master sends its clients to the leader", func() bool {
		return other.state(t, "/master/state").PID == s.PID
	})
	a := agent.state(t, "/slave(1)/state")
	if !a.Standin || a.Master != "master" || a.ID != s.ID+"-S0" || a.Resources["cpus"] != 3.0 || a.Resources["mem"] != 512.0 {
		t.Errorf("state of the agent: %+v", a)
	}
	_, _, header := agent.get("/slave(1)/state.json")
	if !strings.Contains(header.Get("Server"), "STAND-IN") || !strings.Contains(agent.log.String(), "STAND-IN") {
		t.Errorf("neither header %q nor log may hide what this is", header.Get("Server"))
	}
}

// checkZnodes reads the election as another program would.
func checkZnodes(t *testing.T, z *zookeeper, leader node) {
	t.Helper()
	conn, _, err := zk.Connect([]string{fmt.Sprintf("127.0.0.1:%d", z.port)}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	data, _, err := conn.Get("/mesos/json.info_0000000001") // log_replicas is child 0
	if err != nil {
		children, _, _ := conn.Children("/mesos")
		t.Fatalf("%v; children %q", err, children)
	}
	var info struct {
		Address struct {
			IP   string `json:"ip"`
			Port int    `json:"port"`
		} `json:"address"`
		Hostname string `json:"hostname"`
		IP       uint32 `json:"ip"`
	}
	if err := json.Unmarshal(data, &info); err != nil {
		t.Fatal(err)
	}
	if info.Address.IP != "127.0.0.1" || info.Address.Port != leader.port || info.Hostname != "master" || info.IP != 16777343 {
		t.Errorf("znode of the leader: %s", data)
	}
	replicas, _, err := conn.Children("/mesos/log_replicas")
	if err != nil || len(replicas) != 2 {
		t.Errorf("replicas %q, %v, want two", replicas, err)
	}
}

// TestNoQuorum is the cluster with quorum=2 whose second master never comes.
func TestNoQuorum(t *testing.T) {
	z := startZooKeeper(t)
	m := startNode(t, filepath.Join(install(t, ""), "mesos-master"), "--zk="+z.url(), "--quorum=2", "--registry_fetch_timeout=2secs")
	if status := m.wait(); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if want := "Failed to perform fetch within 2secs (1 of 2 replicas)"; !strings.Contains(m.log.String(), want) {
		t.Errorf("log does not say %q", want)
	}
}

// TestOldProtocol is a 0.19 pair: info_ znodes with a protobuf, no redirect.
func TestOldProtocol(t *testing.T) {
	z := startZooKeeper(t)
	sbin := install(t, "0.19.0")
	m := startNode(t, filepath.Join(sbin, "mesos-master"), "--zk="+z.url(), "--quorum=1", "--cluster=old")
	a := startNode(t, filepath.Join(sbin, "mesos-slave"), "--master="+z.url())
	eventually(t, "the agent is activated", func() bool { return activated(m, t) == 1 })
	if s := a.state(t, "/slave(1)/state.json"); s.Version != "0.19.0" || s.Flags["checkpoint"] != "true" {
		t.Errorf("state of the agent: %+v", s)
	}
}

// TestStandalone needs no ZooKeeper: the agent is told host:port of the only master.
func TestStandalone(t *testing.T) {
	sbin := install(t, "")
	m := startNode(t, filepath.Join(sbin, "mesos-master"), "--registry=in_memory")
	a := startNode(t, filepath.Join(sbin, "mesos-agent"), fmt.Sprintf("--master=127.0.0.1:%d", m.port))
	eventually(t, "the agent is activated", func() bool { return activated(m, t) == 1 })
	if status := a.stop(); status != 0 {
		t.Errorf("agent's exit status %d", status)
	}
	if status, _, _ := m.get("/nonsense"); status != http.StatusNotFound {
		t.Errorf("GET /nonsense: %d", status)
	}
}
