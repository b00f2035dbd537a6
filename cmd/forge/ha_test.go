package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/node"
)

// pairInventory has what a pair of NameNodes needs, and one DataNode.
const pairInventory = `name: ha
networks: [{cidr: 10.162.8.0/24}]
nodes:
  - {name: master1, address: 10.162.8.91, role: master}
  - {name: master2, address: 10.162.8.92, role: master}
  - {name: master3, address: 10.162.8.93, role: master}
  - {name: slave1, address: 10.162.8.94, role: slave, attributes: {rack: r1}}
hdfs: {ha: {}}
extra:
  hdfs-site: {dfs.heartbeat.interval: "1"}
`

// TestPairOfNameNodes brings up the stack bookworm-ha, all nodes at once: which of them formats, which
// copies and which waits is theirs to find out.
func TestPairOfNameNodes(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	c := startCluster(t, e, pairInventory, stackImages(t, e, "bookworm-ha"))
	c.inRole()
	t.Run("zookeeper", func(t *testing.T) { testEnsemble(t, c.in(t)) })
	t.Run("mesos", func(t *testing.T) { testMesos(t, c.in(t)) })
	t.Run("marathon", func(t *testing.T) { testMarathon(t, c.in(t)) })
	t.Run("hdfs", func(t *testing.T) { testPair(t, c.in(t)) })
	t.Run("hdfs-files", func(t *testing.T) { testHomes(t, c.in(t)) })
	t.Run("spark", func(t *testing.T) { testSparkHDFS(t, c.in(t)) })
	t.Run("failover", func(t *testing.T) { testFailover(t, c.in(t)) })
}

// stackImages builds the images of a stack other than the one that the tests share.
func stackImages(t *testing.T, e *engine, stack string) map[string]string {
	t.Helper()
	f := builtForge(t)
	f.flags = []string{"--stack", stack}
	if _, errs, code := f.run("build", "--only", "images"); code != 0 {
		t.Fatalf("forge build: exit status %d\n%s", code, errs)
	}
	keepDownloads(t, f.store)
	images := map[string]string{"master": "", "slave": ""}
	for role := range images {
		images[role] = e.load(f, role, filepath.Join("forge-test", stack+"-"+role+":1"))
	}
	return images
}

// testEnsemble writes a znode through one server and reads it through each other.
func testEnsemble(t *testing.T, c *testCluster) {
	t.Helper()
	const value = "written by the test of the ensemble"
	b := c.boxes["master1"]
	b.must("zookeeper-client", "-server", "master1:2181", "create", "/forge-test", value)
	var modes []string
	for _, name := range []string{"master1", "master2", "master3"} {
		if got := b.must("zookeeper-client", "-server", name+":2181", "get", "-s", "/forge-test"); !strings.Contains(got, value) {
			t.Errorf("%s holds %q, want %q", name, got, value)
		}
		srvr := c.boxes[name].must("bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/2181; printf srvr >&3; cat <&3`)
		_, mode, _ := strings.Cut(srvr, "Mode: ")
		modes = append(modes, strings.Fields(mode)[0])
		if myid := strings.TrimSpace(c.boxes[name].must("cat", "/var/lib/zookeeper/myid")); myid != strings.TrimPrefix(name, "master") {
			t.Errorf("%s has myid %s", name, myid)
		}
	}
	slices.Sort(modes)
	if want := "follower follower leader"; strings.Join(modes, " ") != want {
		t.Errorf("servers are %q, want %s", modes, want)
	}
}

// states says which of the pair is active and which stands by, by node.
func (c *testCluster) states() map[string]string {
	c.t.Helper()
	is := map[string]string{}
	for id, name := range map[string]string{"nn1": "master1", "nn2": "master2"} {
		out, _, code := c.boxes["master3"].run("hdfs", "haadmin", "-getServiceState", id)
		if code == 0 {
			is[name] = strings.TrimSpace(out)
		}
	}
	return is
}

// oneActive waits until one NameNode is active and the other stands by, and returns the first.
func (c *testCluster) oneActive() string {
	c.t.Helper()
	var active string
	eventually(c.t, "pair of an active NameNode and one that stands by", func() bool {
		active = ""
		standby := 0
		for name, state := range c.states() {
			if state == "active" {
				active = name
			} else if state == "standby" {
				standby++
			}
		}
		return active != "" && standby == 1
	})
	return active
}

// testPair puts a file on one node and gets it on another.
func testPair(t *testing.T, c *testCluster) {
	t.Helper()
	c.oneActive()
	sum := c.putRandom("slave1", "/tmp/random", 20<<20)
	c.boxes["slave1"].as("hdfs", "hadoop", "fs", "-mkdir", "-p", "/test")
	c.boxes["slave1"].as("hdfs", "hadoop", "fs", "-put", "/tmp/random", "/test/random")
	c.boxes["master3"].as("hdfs", "hdfs", "dfs", "-get", "hdfs://ha/test/random", "/tmp/got")
	if got := strings.Fields(c.boxes["master3"].must("sha256sum", "/tmp/got"))[0]; got != sum {
		t.Errorf("the file that was read has sha256 %s, want %s", got, sum)
	}
	if out, errs, code := c.boxes["master3"].run("hadoop", "namenod"); code != 2 || !strings.Contains(errs, "unknown command 'namenod'; there are: balancer") {
		t.Errorf("a command that does not exist: exit status %d, %s%s", code, out, errs)
	}
	var ids []string
	for _, name := range []string{"master1", "master2"} {
		version := c.boxes[name].must("cat", "/var/lib/hadoop-hdfs/dfs/nn/current/VERSION")
		i := strings.Index(version, "clusterID=")
		if i < 0 {
			t.Fatalf("%s: %q", name, version)
		}
		ids = append(ids, strings.Fields(version[i:])[0])
	}
	if ids[0] != ids[1] {
		t.Errorf("the NameNodes are of two clusters: %q", ids)
	}
}

// testHomes looks at what the service hdfs-files laid into HDFS, has users that are not hdfs use it, and has the
// service mend what a run that was killed leaves.
func testHomes(t *testing.T, c *testCluster) {
	t.Helper()
	master, slave := c.boxes["master1"], c.boxes["slave1"]
	laid := func() {
		t.Helper()
		listing := master.as("hdfs", "hadoop", "fs", "-ls", "/", "/user")
		for path, want := range map[string]string{"/tmp": "drwxrwxrwt hdfs", "/user": "drwxr-xr-x hdfs", "/user/hdfs": "drwxr-xr-x hdfs",
			"/user/spark": "drwxr-xr-x spark", "/user/azkaban": "drwxr-xr-x azkaban"} {
			if got := modeAndOwner(listing, path); got != want {
				t.Errorf("%s in HDFS is %q, want %q in\n%s", path, got, want, listing)
			}
		}
	}
	laid()
	slave.put("/tmp/home.txt", []byte("a file of a user's"))
	for _, to := range []string{"home.txt", "/tmp/home.txt"} {
		slave.as("spark", "hadoop", "fs", "-put", "/tmp/home.txt", to)
	}
	if got := master.as("hdfs", "hadoop", "fs", "-cat", "/user/spark/home.txt"); got != "a file of a user's" {
		t.Errorf("the user's file holds %q", got)
	}
	if _, errs, code := master.run("setpriv", "--reuid", "azkaban", "--regid", "azkaban", "--init-groups", "--reset-env", "--", "hadoop", "fs", "-rm", "-skipTrash", "/tmp/home.txt"); code == 0 || !strings.Contains(errs, "Permission denied by sticky bit: user=azkaban") {
		t.Errorf("a user removes another's file from /tmp: exit status %d, %s", code, errs)
	}

	master.as("hdfs", "hadoop", "fs", "-chown", "hdfs", "/user/spark")
	master.as("hdfs", "hadoop", "fs", "-rm", "-r", "-skipTrash", "/user/azkaban")
	master.as("hdfs", "hadoop", "fs", "-chmod", "755", "/tmp")
	before := c.service("master1", "hdfs-files").PID
	master.must("kill", "-9", strconv.Itoa(before))
	eventually(t, "service that lays files anew", func() bool {
		s := c.service("master1", "hdfs-files")
		return s.PID != before && s.State == node.Running && !slices.ContainsFunc(s.Health, func(h node.CheckStatus) bool { return !h.OK })
	})
	laid()
	for _, name := range []string{"master2", "master3"} {
		if slices.Contains(c.servicesOf(name), "hdfs-files") {
			t.Errorf("%s runs the service hdfs-files too", name)
		}
	}
}

// servicesOf are the names of the services that a node runs.
func (c *testCluster) servicesOf(name string) []string {
	c.t.Helper()
	out, _, _ := c.boxes[name].run("forge-node", "status", "--json")
	var s node.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		c.t.Fatalf("forge-node status of %s: %v in %q", name, err, out)
	}
	var names []string
	for _, svc := range s.Services {
		names = append(names, svc.Name)
	}
	return names
}

// testFailover kills the active NameNode while a client writes.
func testFailover(t *testing.T, c *testCluster) {
	t.Helper()
	const parts, part = 30, 1 << 20
	chunk := bytes.Repeat([]byte("0123456789abcdef"), part/16)
	sum := sha256.Sum256(bytes.Repeat(chunk, parts))
	slave := c.boxes["slave1"]
	slave.put("/tmp/chunk", chunk)
	slave.must("sh", "-c", fmt.Sprintf(`setsid setpriv --reuid hdfs --regid hdfs --init-groups -- sh -c '
		for i in $(seq %d); do cat /tmp/chunk; echo $i >/tmp/part; sleep 0.5; done | hadoop fs -put - /test/stream; echo $? >/tmp/end' >/tmp/put.log 2>&1 &`, parts))
	active := c.oneActive()
	written := func() int {
		out, _, _ := slave.run("cat", "/tmp/part")
		n, _ := strconv.Atoi(strings.TrimSpace(out))
		return n
	}
	eventually(t, "writing client", func() bool { return written() >= 3 })
	before := c.service(active, "hadoop-hdfs-namenode").PID
	c.boxes[active].must("kill", "-9", strconv.Itoa(before))
	if n := written(); n >= parts {
		t.Fatalf("the client had written everything (%d parts) when the NameNode was killed", n)
	}
	eventually(t, "end of the writing client", func() bool {
		_, _, code := slave.run("test", "-s", "/tmp/end")
		return code == 0
	})
	if got := strings.TrimSpace(slave.must("cat", "/tmp/end")); got != "0" {
		t.Errorf("the client ended with %s: %s", got, slave.must("cat", "/tmp/put.log"))
	}
	slave.as("hdfs", "hadoop", "fs", "-get", "/test/stream", "/tmp/stream")
	if got := strings.Fields(slave.must("sha256sum", "/tmp/stream"))[0]; got != hex.EncodeToString(sum[:]) {
		t.Errorf("the data that was written has sha256 %s, want %x", got, sum)
	}
	if now := c.oneActive(); now == active {
		t.Errorf("%s is active, though its NameNode was killed", now)
	}
	if now := c.service(active, "hadoop-hdfs-namenode").PID; now == before {
		t.Errorf("the NameNode of %s has still the process %d", active, now)
	}
	c.inRole()
}

// service is how forge-node says that a service is.
func (c *testCluster) service(name, service string) node.ServiceStatus {
	c.t.Helper()
	out, _, _ := c.boxes[name].run("forge-node", "status", "--json")
	var s node.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		c.t.Fatalf("forge-node status of %s: %v in %q", name, err, out)
	}
	i := slices.IndexFunc(s.Services, func(s node.ServiceStatus) bool { return s.Name == service })
	if i < 0 {
		c.t.Fatalf("%s does not run %s", name, service)
	}
	return s.Services[i]
}
