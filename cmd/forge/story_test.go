package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/cluster"
)

// largeFile is a file of 100 MB in HDFS: its sha256, and what wordcount says of it.
type largeFile struct{ sum, counts string }

// writeLarge writes 100 MB of words on one node, and reads them on another.
func writeLarge(t *testing.T, u *upped) largeFile {
	t.Helper()
	text, counts := largeText(100 << 20)
	sum := sha256.Sum256(text)
	f := largeFile{hex.EncodeToString(sum[:]), counts}
	slave := u.boxes["slave1"]
	slave.put("/tmp/large.txt", text)
	slave.as("mapred", "hadoop", "fs", "-put", "/tmp/large.txt", "/user/mapred/large.txt")
	slave.must("rm", "/tmp/large.txt")
	f.check(t, u, "slave3")
	return f
}

// check reads the file on a node.
func (f largeFile) check(t *testing.T, u *upped, name string) {
	t.Helper()
	got := u.boxes[name].as("mapred", "sh", "-c", "hadoop fs -cat /user/mapred/large.txt | sha256sum")
	if got = strings.Fields(got)[0]; got != f.sum {
		t.Errorf("%s reads a file with the sha256 %s, want %s", name, got, f.sum)
	}
}

// count counts the file's words with MapReduce.
func (f largeFile) count(t *testing.T, u *upped) {
	t.Helper()
	b := u.boxes["master3"]
	b.as("mapred", "hadoop", "jar", "/usr/lib/hadoop/hadoop-examples-1.2.1.jar", "wordcount", "/user/mapred/large.txt", "/user/mapred/large-counted")
	if got := b.as("mapred", "hadoop", "fs", "-cat", "/user/mapred/large-counted/part-r-*"); got != f.counts {
		t.Errorf("the words were counted as\n%s, want\n%s", got, f.counts)
	}
}

// largeText returns so many bytes of words, and how often each occurs, as wordcount writes it.
func largeText(size int) (text []byte, counts string) {
	list := []string{"azkaban", "hadoop", "marathon", "mesos", "spark", "zookeeper"}
	seen := make([]int, len(list))
	var b bytes.Buffer
	b.Grow(size)
	for src := rand.New(rand.NewPCG(3, 4)); b.Len() < size-len("zookeeper\n"); {
		i := src.IntN(len(list))
		seen[i]++
		b.WriteString(list[i])
		b.WriteByte(" \n"[src.IntN(2)])
	}
	var c strings.Builder
	for i, w := range list {
		fmt.Fprintf(&c, "%s\t%d\n", w, seen[i])
	}
	return b.Bytes(), c.String()
}

// srvr is what ZooKeeper on a node answers to the word of that name; "" if nothing.
func (c *testCluster) srvr(name string) string {
	out, _, _ := c.boxes[name].run("timeout", "5", "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/2181; printf srvr >&3; cat <&3`)
	return out
}

// zkLeader is the node whose ZooKeeper leads the ensemble; "" if none does.
func (c *testCluster) zkLeader() string {
	for _, name := range c.masters() {
		if strings.Contains(c.srvr(name), "Mode: leader") {
			return name
		}
	}
	return ""
}

// killZooKeeperLeader: the others elect another one, and what was written is there.
func killZooKeeperLeader(t *testing.T, u *upped) {
	t.Helper()
	const value = "written before the leader was killed"
	leader := u.zkLeader()
	if leader == "" {
		t.Fatal("ZooKeeper has no leader")
	}
	u.boxes[leader].must("zookeeper-client", "-server", "127.0.0.1:2181", "create", "/forge-story", value)
	pid := u.pids(t)[leader+"/zookeeper"]
	u.boxes[leader].must("kill", "-9", strconv.Itoa(pid))
	// The one that was killed is started again, and may be elected again: its process is another.
	eventually(t, "leader of ZooKeeper with another process", func() bool {
		now := u.zkLeader()
		return now != "" && (now != leader || u.pids(t)[leader+"/zookeeper"] != pid)
	})
	for _, name := range u.masters() {
		if name == leader {
			continue
		}
		if got := u.boxes[name].must("zookeeper-client", "-server", "127.0.0.1:2181", "get", "/forge-story"); !strings.Contains(got, value) {
			t.Errorf("%s holds %q, want %q", name, got, value)
		}
	}
	u.inRole()
}

// killSlave ends one slave at once, and starts it again.
func killSlave(t *testing.T, u *upped) {
	t.Helper()
	u.kill(t, "slave2")
	if s := u.status(t)["slave2"]; s.Level != "stopped" || !strings.Contains(s.Problem, "not running") {
		t.Errorf("forge status of a slave that was killed: %+v", s)
	}
	u.boxes["slave2"].start()
	u.inRole()
	u.dataNodes(t, 3)
}

// dataNodes waits until HDFS has so many live DataNodes.
func (u *upped) dataNodes(t *testing.T, n int) {
	t.Helper()
	want := fmt.Sprintf("Datanodes available: %d (", n)
	eventually(t, want, func() bool {
		out, _, _ := u.boxes["master1"].run("setpriv", "--reuid", "hdfs", "--regid", "hdfs", "--init-groups", "hadoop", "dfsadmin", "-report")
		return strings.Contains(out, want)
	})
}

// stopAll stops every node in good order, and starts the cluster again with the command.
func stopAll(t *testing.T, u *upped, text string, f largeFile, flags ...string) {
	t.Helper()
	var stops []chan struct{}
	for _, b := range u.boxes {
		done := make(chan struct{})
		stops = append(stops, done)
		go func() { defer close(done); b.stop(60) }()
	}
	for _, done := range stops {
		<-done
	}
	if said := u.again(t, text, flags...); !strings.Contains(said, "started       master1, master2, master3, slave1, slave2, slave3") {
		t.Errorf("forge up of a stopped cluster says:\n%s", said)
	}
	f.check(t, u, "master2")
	if got := u.boxes["master3"].must("zookeeper-client", "-server", "127.0.0.1:2181", "get", "/forge-story"); !strings.Contains(got, "written before the leader was killed") {
		t.Errorf("ZooKeeper holds %q after all was stopped", got)
	}
}

// closedPorts: what must not listen on a node does not, seen from another one (field guide, section 9).
func closedPorts(t *testing.T, u *upped) {
	t.Helper()
	for name, ports := range map[string][]int{
		"slave1":  {2181, 5050, 8080, 8081, 9001, 8020, 50030, 50070, 50090},
		"master2": {5051, 8020, 50010, 50020, 50060, 50070, 50075, 8081},
		"master3": {5051, 50010, 50030, 50060, 50070},
	} {
		for _, port := range ports {
			if _, _, code := u.boxes["master1"].run("timeout", "5", "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d", u.address(name), port)); code == 0 {
				t.Errorf("something listens on port %d of %s", port, name)
			}
		}
	}
	if _, errs, code := u.boxes["slave1"].run("timeout", "5", "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/2181", u.address("master2"))); code != 0 {
		t.Errorf("the ports are not asked as they should be: ZooKeeper of master2 does not answer: %s", errs)
	}
}

// commands: what a person has beside forge up, and a second forge up that has nothing to do.
func commands(t *testing.T, u *upped) {
	t.Helper()
	of := []string{"--host", u.host, "--cluster", u.name}
	for _, c := range []struct {
		args      []string
		code      int
		out, errs string // parts of what it prints
	}{
		{append([]string{"sh", "slave1", "--user", "hdfs"}, append(of, "--", "sh", "-c", "id -un; cat /etc/hostname; exit 7")...), 7, "hdfs\nslave1\n", ""},
		{append([]string{"sh", "slave9"}, append(of, "--", "true")...), 1, "", `cluster systems has no node "slave9"; its nodes: master1, master2, master3, slave1, slave2, slave3`},
		{append([]string{"logs", "master1", "--tail", "2"}, of...), 0, "\n", ""},
		{append([]string{"status"}, of...), 0, "slave3   slave   10.162.7.96  in-role  3/3", ""},
		{[]string{"status", "--host", u.host, "--cluster", "nobody"}, 1, "", "cluster nobody is not up"},
	} {
		out, errs, code := u.forge.run(c.args...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("forge %s: exit status %d, %q, %q; want %d, %q, %q", strings.Join(c.args, " "), code, out, errs, c.code, c.out, c.errs)
		}
	}
	before := u.pids(t)
	if said := u.again(t, systemsInventory); !strings.Contains(said, "kept          master1, master2, master3, slave1, slave2, slave3\n") {
		t.Errorf("a second forge up says\n%s", said)
	}
	if after := u.pids(t); !maps.Equal(before, after) {
		t.Errorf("a second forge up has started services again: %v, then %v", before, after)
	}
}

// ownFiles: no node has changed a configuration file of forge's packages, about which dpkg would ask when a newer one
// comes. Those of Mesos and Marathon are their packages' own.
func ownFiles(t *testing.T, u *upped) {
	t.Helper()
	for name, b := range u.boxes {
		out, _, _ := b.run("dpkg", "--verify") // its status tells of files that an image leaves out, too
		for line := range strings.Lines(out) {
			if fields := strings.Fields(line); len(fields) == 3 && fields[1] == "c" && strings.HasPrefix(b.must("dpkg-query", "--search", fields[2]), "forge-") {
				t.Errorf("%s: %s differs from its package's", name, fields[2])
			}
		}
		if got := b.must("dpkg-query", "--show", "--showformat", "${Conffiles}", "forge-role-"+strings.TrimRight(name, "0123456789")); !strings.Contains(got, "/etc/sysctl.d/") {
			t.Errorf("%s: conffiles of its role: %q", name, got)
		}
	}
}

// wrongSeed boots a machine that believes to be another node, at an address that the engine gave it: it refuses, by
// name, starts nothing and ends.
func wrongSeed(t *testing.T, u *upped) {
	t.Helper()
	real := u.boxes["slave1"].inspect()
	c := *u.testCluster
	for name := range real.NetworkSettings.Networks {
		c.network = name
	}
	impostor := c.create(cluster.Node{Name: "slave1", Address: "10.162.7.99"}, u.inventory, real.Image)
	impostor.start()
	eventually(t, "end of the machine with the wrong seed", func() bool { return !impostor.inspect().State.Running })
	if code := impostor.inspect().State.ExitCode; code == 0 {
		t.Error("it ended with the status 0")
	}
	const want = "the container has the address 10.162.7.99, which the inventory gives to no node, and not 10.162.7.94 of node slave1"
	if log := impostor.log(); !strings.Contains(log, want) || strings.Contains(log, "start hadoop-hdfs-datanode") {
		t.Errorf("it says\n%s\nwant %q, and no service started", log, want)
	}
	u.inRole()
}

// changeSlots applies another number of slots while all runs: only MapReduce starts again.
func changeSlots(t *testing.T, u *upped, text string) string {
	t.Helper()
	before := u.pids(t)
	changed := strings.Replace(text, "mrv1: {", "mrv1: {map_slots: 3, ", 1)
	u.again(t, changed)
	for name, pid := range u.pids(t) {
		mapred := strings.Contains(name, "mapreduce")
		if same := pid == before[name]; same == mapred {
			t.Errorf("%s: process %d before, %d after the change of slots", name, before[name], pid)
		}
	}
	if got := u.boxes["slave1"].must("grep", "-A1", "mapred.tasktracker.map.tasks.maximum", "/etc/hadoop/conf/mapred-site.xml"); !strings.Contains(got, "<value>3<") {
		t.Errorf("slots after the change: %s", got)
	}
	return changed
}

// replaceMaster loses the NameNode's machine with its disks. A fresh clone of the same node has the same
// number in ZooKeeper's ensemble, and the names from their second directory.
func replaceMaster(t *testing.T, u *upped, text string, f largeFile, flags ...string) {
	t.Helper()
	version := u.boxes["master1"].must("cat", "/nfsmount/dfs/nn/current/VERSION")
	u.lose(t, "master1")
	if said := u.again(t, text, flags...); !strings.Contains(said, "created       master1\n") {
		t.Errorf("forge up says:\n%s", said)
	}
	b := u.boxes["master1"]
	if got := strings.TrimSpace(b.must("cat", "/var/lib/zookeeper/myid")); got != "1" {
		t.Errorf("myid of the fresh clone: %s", got)
	}
	namespace := func(s string) string {
		_, id, _ := strings.Cut(s, "namespaceID=")
		return strings.Fields(id)[0]
	}
	if got := b.must("cat", "/var/lib/hadoop-hdfs/dfs/nn/current/VERSION"); namespace(got) != namespace(version) {
		t.Errorf("the fresh clone's names are of another file system:\n%s, want\n%s", got, version)
	}
	sameNames(t, b, "/var/lib/hadoop-hdfs/dfs/nn", "/nfsmount/dfs/nn")
	u.dataNodes(t, 3)
	f.check(t, u, "slave2")
}

// replaceSlave loses a slave with its disks; HDFS makes up for it on the fresh clone.
func replaceSlave(t *testing.T, u *upped, text string, f largeFile, flags ...string) {
	t.Helper()
	u.lose(t, "slave3")
	u.again(t, text, flags...)
	u.dataNodes(t, 3)
	f.check(t, u, "slave3")
}

// cutNetwork takes one master out of the network for 30 s: its own end of the cable goes down, of which the
// engine and the node's services are told nothing.
func cutNetwork(t *testing.T, u *upped, f largeFile) {
	t.Helper()
	link := func(state string) {
		pid := strconv.Itoa(u.boxes["master3"].inspect().State.Pid)
		if out, err := exec.Command("nsenter", "--target", pid, "--net", "ip", "link", "set", "eth0", state).CombinedOutput(); err != nil {
			t.Fatalf("set the link of master3 %s: %v: %s", state, err, out)
		}
	}
	link("down")
	time.Sleep(30 * time.Second)
	if got := u.boxes["master1"].must("zookeeper-client", "-server", "127.0.0.1:2181", "get", "/forge-story"); !strings.Contains(got, "written before") {
		t.Errorf("ZooKeeper without one of three: %q", got)
	}
	link("up")
	u.inRole()
	f.check(t, u, "slave1")
}
