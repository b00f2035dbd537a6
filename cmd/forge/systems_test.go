package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemsInventory is the document's cluster: three masters and three slaves.
const systemsInventory = `name: systems
networks: [{cidr: 10.162.7.0/24}]
nodes:
  - {name: master1, address: 10.162.7.91, role: master}
  - {name: master2, address: 10.162.7.92, role: master}
  - {name: master3, address: 10.162.7.93, role: master}
  - {name: slave1, address: 10.162.7.94, role: slave, attributes: {rack: r1}}
  - {name: slave2, address: 10.162.7.95, role: slave, attributes: {rack: r1}}
  - {name: slave3, address: 10.162.7.96, role: slave, attributes: {rack: r2}}
nfs: [{source: "10.162.7.90:/export/names", mount: /nfsmount}]
hdfs:
  name_dirs: [/var/lib/hadoop-hdfs/dfs/nn, /nfsmount/dfs/nn]
  data_dirs: [/data/1/dfs/dn, /data/2/dfs/dn]
mrv1: {jobtracker: master2}
azkaban: {node: master3}
extra:
  core-site: {fs.checkpoint.period: "10"}
  hdfs-site: {dfs.heartbeat.interval: "1", heartbeat.recheck.interval: "5000"}
`

// TestSystems brings the whole cluster up from the role images with the command, and asks each system something
// real. Of each system docs/systems.md names the test here that shows it. Then the cluster meets what clusters
// meet, and has all its data and all its nodes in their roles after each of it.
func TestSystems(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	u := builtGolden(t).up(t, e, systemsInventory)
	for _, s := range []struct {
		name string
		test func(*testing.T, *testCluster)
	}{
		{"zookeeper", testZooKeeper},
		{"mesos", testMesos},
		{"marathon", testMarathon},
		{"hdfs", testHDFS},
		{"hdfs-files", testHDFSFiles},
		{"mrv1", testMRv1},
		{"spark", testSpark},
		{"azkaban", testAzkaban},
	} {
		t.Run(s.name, func(t *testing.T) { s.test(t, u.in(t)) })
	}
	var large largeFile
	text := systemsInventory
	for _, s := range []struct {
		name string
		test func(*testing.T, *upped)
	}{
		{"large-file", func(t *testing.T, u *upped) { large = writeLarge(t, u); large.count(t, u) }},
		{"closed-ports", closedPorts},
		{"commands", commands},
		{"own-files", ownFiles},
		{"wrong-seed", wrongSeed},
		{"zookeeper-leader-killed", killZooKeeperLeader},
		{"slave-killed", killSlave},
		{"all-stopped", func(t *testing.T, u *upped) { stopAll(t, u, text, large) }},
		{"slots-changed", func(t *testing.T, u *upped) { text = changeSlots(t, u, text) }},
		{"network-cut", func(t *testing.T, u *upped) { cutNetwork(t, u, large) }},
		{"master-replaced", func(t *testing.T, u *upped) { replaceMaster(t, u, text, large) }},
		{"slave-replaced", func(t *testing.T, u *upped) { replaceSlave(t, u, text, large) }},
	} {
		if t.Failed() { // each goes on from what the one before left
			return
		}
		t.Run(s.name, func(t *testing.T) { s.test(t, u.within(t)) })
		u.find(t)
	}
}

// in is the cluster for a subtest.
func (c *testCluster) in(t *testing.T) *testCluster {
	e := *c.engine
	e.t = t
	sub := &testCluster{engine: &e, network: c.network, boxes: maps.Clone(c.boxes)}
	for name, b := range c.boxes {
		sub.boxes[name] = &box{&e, b.id}
	}
	return sub
}

// testZooKeeper writes a znode on one node and reads it on the other.
func testZooKeeper(t *testing.T, c *testCluster) {
	t.Helper()
	const value = "written by the test of zookeeper"
	c.boxes["master1"].must("zookeeper-client", "-server", "127.0.0.1:2181", "create", "/forge-test", value)
	if got := c.boxes["master1"].must("zookeeper-client", "-server", "master1:2181", "get", "/forge-test"); !strings.Contains(got, value) {
		t.Errorf("the znode holds %q, want %q", got, value)
	}
	if out, _, code := c.boxes["slave1"].run("sh", "-c", "pidof java | xargs -n 1 ps -o args= -p | grep QuorumPeerMain"); code == 0 {
		t.Errorf("a slave runs ZooKeeper: %s", out)
	}
}

// testHDFS puts files on one node and gets them on the other, and looks where NameNode, SecondaryNameNode and
// DataNode keep what they know of them.
func testHDFS(t *testing.T, c *testCluster) {
	t.Helper()
	master, slave := c.boxes["master1"], c.boxes["slave1"]
	const size = 20 << 20 // bytes
	master.as("hdfs", "hadoop", "fs", "-mkdir", "/test")
	for _, name := range []string{"one", "two"} {
		sum := c.putRandom("master1", "/tmp/"+name, size)
		master.as("hdfs", "hadoop", "fs", "-put", "/tmp/"+name, "/test/"+name)
		slave.as("hdfs", "hadoop", "fs", "-get", "/test/"+name, "/tmp/"+name)
		if got := strings.Fields(slave.must("sha256sum", "/tmp/"+name))[0]; got != sum {
			t.Errorf("the file %s that was read has sha256 %s, want %s", name, got, sum)
		}
	}
	report := master.as("hdfs", "hadoop", "dfsadmin", "-report")
	for _, want := range []string{fmt.Sprintf("Datanodes available: %[1]d (%[1]d total, 0 dead)", len(c.slaves())), "Name: 10.162.7.94:50010"} {
		if !strings.Contains(report, want) {
			t.Errorf("dfsadmin -report does not say %q:\n%s", want, report)
		}
	}
	for _, dir := range []string{"/data/1/dfs/dn", "/data/2/dfs/dn"} {
		if got := slave.must("find", dir, "-name", "blk_*", "-size", "+19M"); strings.Count(got, "\n") != 1 {
			t.Errorf("blocks of a file in %s: %q, want one", dir, got)
		}
	}
	sameNames(t, master, "/var/lib/hadoop-hdfs/dfs/nn", "/nfsmount/dfs/nn")
	eventually(t, "a checkpoint of the SecondaryNameNode", func() bool {
		_, _, code := c.boxes["master2"].run("test", "-s", "/var/lib/hadoop-hdfs/namesecondary/current/fsimage")
		return code == 0
	})
}

// sameNames tells whether the NameNode's directories are of one file system and as old as each other.
func sameNames(t *testing.T, b *box, dirs ...string) {
	t.Helper()
	first := b.must("cat", dirs[0]+"/current/VERSION")
	if !strings.Contains(first, "namespaceID=") {
		t.Errorf("%s/current/VERSION: %q", dirs[0], first)
	}
	for _, dir := range dirs[1:] {
		b.must("cmp", dirs[0]+"/current/VERSION", dir+"/current/VERSION")
		b.must("cmp", dirs[0]+"/current/edits", dir+"/current/edits")
	}
}

// eventually waits for what comes by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatal("there is no " + what)
}

// putRandom makes a file of so many random bytes inside, and returns its sha256.
func (c *testCluster) putRandom(name, path string, size int) string {
	c.t.Helper()
	b := make([]byte, size)
	src := rand.NewChaCha8(sha256.Sum256([]byte(c.t.Name() + path)))
	_, _ = src.Read(b) // never fails
	c.boxes[name].put(path, b)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// testMRv1 counts the words of files whose counts the test knows.
func testMRv1(t *testing.T, c *testCluster) {
	t.Helper()
	b := c.boxes["master1"]
	text, want := words(5000)
	b.put("/tmp/words.txt", []byte(text))
	b.as("hdfs", "hadoop", "fs", "-mkdir", "/words")
	b.as("hdfs", "hadoop", "fs", "-put", "/tmp/words.txt", "/words/in.txt")
	b.as("mapred", "hadoop", "jar", "/usr/lib/hadoop/hadoop-examples-1.2.1.jar", "wordcount", "/words/in.txt", "/user/mapred/words")
	b.as("hdfs", "hadoop", "fs", "-test", "-e", "/user/mapred/words/_SUCCESS") // the client says "complete" of a failed job too
	if got := b.as("hdfs", "hadoop", "fs", "-cat", "/user/mapred/words/part-r-*"); got != want {
		t.Errorf("the words were counted wrong: %d bytes, want %d", len(got), len(want))
	}
}

// words returns a text of n words and, sorted, what wordcount says of it.
func words(n int) (text, counts string) {
	list := []string{"azkaban", "hadoop", "marathon", "mesos", "spark", "zookeeper"}
	seen := map[string]int{}
	var in, out strings.Builder
	src := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		w := list[src.IntN(len(list))]
		seen[w]++
		in.WriteString(w)
		in.WriteByte(" \n"[min(1, i%10/9)])
	}
	for _, w := range list {
		fmt.Fprintf(&out, "%s\t%d\n", w, seen[w])
	}
	return in.String(), out.String()
}

// put writes a file inside that everyone may read.
func (b *box) put(path string, content []byte) {
	b.t.Helper()
	dir := b.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.copyIn(dir, filepath.Dir(path))
}
