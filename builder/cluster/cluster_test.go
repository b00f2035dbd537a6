package cluster

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const examplePath = "../../cluster.example.yaml"

func example(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestExampleDerivesTheDocumentsCluster(t *testing.T) {
	inv, err := Load(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	d, err := inv.Derive("slave1", Machine{RAM: 2048, CPUs: 2})
	if err != nil {
		t.Fatal(err)
	}
	type facts struct {
		ZK, Connect, FS, JT, Secondary  string
		Quorum, MyID, Replication, Maps int
		DataDirs                        []string
	}
	got := facts{d.Mesos.ZK, d.ZooKeeper.Connect, d.HDFS.DefaultFS, d.MRv1.Address, d.HDFS.Secondary.Name, d.Mesos.Quorum, d.ZooKeeper.MyID, d.HDFS.Replication, d.MRv1.MapSlots, d.HDFS.DataDirs}
	want := facts{
		"zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos",
		"10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181",
		"hdfs://10.162.2.91:9000", "10.162.2.92:9001", "master2", 2, 0, 3, 2, []string{"/data/1/dfs/dn"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("derived facts (-want +got):\n%s", diff)
	}
	for i, name := range []string{"master1", "master2", "master3"} {
		m, err := inv.Derive(name, Machine{})
		if err != nil || m.ZooKeeper.MyID != i+1 {
			t.Errorf("%s: myid %d, error %v", name, m.ZooKeeper.MyID, err)
		}
	}
	var peers []string
	for _, name := range PeerNames() {
		for _, p := range d.Peers(name) {
			peers = append(peers, p.String())
		}
	}
	wantPeers := []string{
		"datanode 10.162.2.94:50010", "datanode 10.162.2.95:50010", "datanode 10.162.2.96:50010",
		"jobtracker 10.162.2.92:9001",
		"mesos-master 10.162.2.91:5050", "mesos-master 10.162.2.92:5050", "mesos-master 10.162.2.93:5050",
		"namenode 10.162.2.91:9000",
		"zookeeper 10.162.2.91:2181", "zookeeper 10.162.2.92:2181", "zookeeper 10.162.2.93:2181",
		"zookeeper-peer 10.162.2.91:3888", "zookeeper-peer 10.162.2.92:3888", "zookeeper-peer 10.162.2.93:3888",
	}
	if diff := cmp.Diff(wantPeers, peers); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	inv, err := Decode("one.yaml", strings.NewReader(`
name: one
networks: [{cidr: "fd00::/64"}]
nodes:
- {name: m, address: "fd00::1", role: master}
- {name: s, address: "fd00::2", role: slave, data_dirs: [/d]}
`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := inv.Derive("s", Machine{CPUs: 1})
	if err != nil {
		t.Fatal(err)
	}
	if d.Mesos.ZK != "zk://[fd00::1]:2181/mesos" || d.HDFS.DefaultFS != "hdfs://[fd00::1]:8020" || d.MRv1.Address != "[fd00::1]:8021" {
		t.Errorf("addresses: %s %s %s", d.Mesos.ZK, d.HDFS.DefaultFS, d.MRv1.Address)
	}
	if d.HDFS.Secondary != nil || d.HDFS.Replication != 1 || d.Mesos.Quorum != 1 || d.Mesos.Cluster != "one" {
		t.Errorf("secondary %v replication %d quorum %d cluster %q", d.HDFS.Secondary, d.HDFS.Replication, d.Mesos.Quorum, d.Mesos.Cluster)
	}
	if diff := cmp.Diff([]string{"/d"}, d.HDFS.DataDirs); diff != "" {
		t.Error(diff)
	}
	if _, err := inv.Derive("S", Machine{}); err == nil || !strings.Contains(err.Error(), `did you mean "s"?`) {
		t.Errorf("unknown node: %v", err)
	}
}

// Each case changes one thing of the example and expects one problem, at its place.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		rule, message  string
	}{
		{"misspelt key", "address: 10.162.2.94", "adress: 10.162.2.94", "unknown-key", `unknown key "adress" in nodes[3]; did you mean "address"?`},
		{"top-level key", "mrv1:", "mrv2:", "unknown-key", `unknown key "mrv2" at the top level; did you mean "mrv1"?`},
		{"F01 capital node", "name: slave1", "name: Slave1", "F01", `the node's name "Slave1" has capital letters`},
		{"F01 capital role", "10.162.2.91, role: master", "10.162.2.91, role: Master", "F01", `"Master" has capital letters`},
		{"F02 myid", "zookeeper:\n", "zookeeper:\n  myid: 1\n", "F02", `"myid" can't be set in zookeeper: forge derives it`},
		{"F05 quorum", "mesos:\n", "mesos:\n  quorum: 1\n", "F05", `"quorum" can't be set in mesos: forge derives it`},
		{"F05 registry", "mesos:\n", "mesos:\n  registry: in_memory\n", "F05", `"registry" can't be set`},
		{"F06 capital znode", "znode: /mesos", "znode: /Mesos", "F06", "/Mesos and /mesos are two znodes"},
		{"F06 root znode", "znode: /mesos", "znode: /", "F06", "mesos.znode is /, which Mesos refuses"},
		{"F06 relative znode", "znode: /mesos", "znode: mesos", "F06", "is not a path such as /mesos"},
		{"F07 foreign address", "10.162.2.94", "192.168.2.94", "F07", `node "slave1" has the address 192.168.2.94, which lies in none of the cluster's networks (10.162.2.0/24)`},
		{"F14 two NameNodes", "namenode: master1", "namenode: \"master1,master2\"", "F14", "names more than one node"},
		{"F22 comma", "rack: r1}     #", "rack: \"r1，r2\"}  #", "F22", `nodes[3].attributes.rack holds the full-width comma "，" (U+FF0C); values are ASCII only`},
		{"F22 key", "  znode: /mesos", "  znode：: /mesos", "F22", "full-width colon"},
		{"F22 zk", "mesos:\n", "mesos:\n  zk: zk:10.162.2.91:2181\n", "F22", `"zk" can't be set in mesos`},
		{"F24 two JobTrackers", "jobtracker: master2", "jobtracker: master1 master2", "F24", "names more than one node"},
		{"list where one is meant", "jobtracker: master2", "jobtracker: [master1, master2]", "type", "mrv1.jobtracker must be a single value, not a list"},
		{"same name", "name: slave2", "name: slave1", "duplicate-name", `a second node is called "slave1"`},
		{"same address", "10.162.2.95", "10.162.2.94", "duplicate-address", `nodes "slave1" and "slave2" have the same address`},
		{"gateway's address", "10.162.2.95", "10.162.2.1", "duplicate-address", "gateway's address"},
		{"network's address", "10.162.2.95", "10.162.2.0", "address", "names the whole network"},
		{"broadcast", "10.162.2.95", "10.162.2.255", "address", "names the whole network"},
		{"loopback", "10.162.2.95", "127.0.1.1", "address", "can't reach"},
		{"host name as address", "10.162.2.95", "slave2.lab", "address", "is not an IP address"},
		{"even ensemble", "  - {name: master3, address: 10.162.2.93, role: master}\n", "", "even-ensemble", "2 masters make an ensemble of even size"},
		{"unknown namenode", "namenode: master1", "namenode: mastre1", "unknown-node", `no node is called "mastre1"; did you mean "master1"?`},
		{"bad network", "cidr: 10.162.2.0/24", "cidr: 10.162.2.0", "network", "is not a network"},
		{"port", "port: 2181", "port: 70000", "port", "zookeeper.port is 70000, not a port"},
		{"octal", "port: 2181", "port: 02181", "type", `zookeeper.port must be a whole number, not "02181"`},
		{"huge", "port: 2181", "port: 99999999999999999999", "type", "must be a whole number"},
		{"data dirs in one string", "[/data/1/dfs/dn]", "[\"/data/1/dn,/data/2/dn\"]", "directory", "where Hadoop begins the next directory"},
		{"replication", "  # replication: 3", "  replication: 4 #", "replication", "replication 4 with 3 DataNodes"},
		{"tag", "port: 2181", "port: !!str 2181", "syntax", "anchors, aliases and tags"},
		{"alias", "port: 2181", "port: &p 2181", "syntax", "anchors, aliases and tags"},
		{"name missing", "name: lab ", "# ", "required", "the cluster's name is missing"},
		{"attribute name", "{rack: r1}     #", "{../rack: r1}  #", "name", `"../rack" can't be a name`},
		{"duplicate key", "zookeeper:\n", "zookeeper:\n  port: 1\n", "syntax", "already defined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(example(t), c.old, c.new, 1)
			if text == example(t) {
				t.Fatalf("the example does not hold %q", c.old)
			}
			_, err := Decode("cluster.yaml", strings.NewReader(text))
			var bad *InvalidError
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			for _, p := range bad.Problems {
				if p.Rule == c.rule && strings.Contains(p.String(), c.message) {
					if p.Line == 0 && p.Rule != "required" {
						t.Errorf("no line in %q", p)
					}
					return
				}
			}
			t.Errorf("no problem [%s] with %q in:\n%v", c.rule, c.message, err)
		})
	}
}

func TestProblemsHaveTheirPlaceAndComeTogether(t *testing.T) {
	_, err := Decode("cluster.yaml", strings.NewReader(`name: lab
networks:
  - cidr: 10.0.0.0/24
nodes:
  - {name: m, address: 10.0.1.1, role: master}
  - name: s
    address: 10.0.0.2
    role: slave
mesos:
  znode: /
`))
	want := `cluster.yaml:5:24: node "m" has the address 10.0.1.1, which lies in none of the cluster's networks (10.0.0.0/24) [F07]
  hint: mend the address, or add its network
cluster.yaml:10:10: mesos.znode is /, which Mesos refuses [F06]
  hint: write /mesos`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestBounds(t *testing.T) {
	for name, text := range map[string]string{
		"larger than":          strings.Repeat("# comment\n", MaxBytes/10+1),
		"brackets":             strings.Repeat(strings.Repeat("[", 100)+"\n", 101),
		"line longer":          "name: " + strings.Repeat("x", maxLine),
		"a second document":    "name: a\n---\nname: b\n",
		"must be a mapping":    "- a\n- b\n",
		"invalid key for this": "? [a]\n: b\n",
		"the document must be": "just words",
	} {
		if _, err := Decode("x", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
	if _, err := Decode("x", strings.NewReader("")); err == nil {
		t.Error("an empty inventory was taken")
	}
	if _, err := Load("/nonexistent/cluster.yaml"); err == nil || !strings.Contains(err.Error(), "read the inventory") {
		t.Errorf("missing file: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(example(f))
	f.Add("name: lab\nnodes: [{name: a, address: 1.2.3.4, role: master}]")
	f.Add("a: &a [*a]\n? b\n: - - - c\n<<: {d: e}")
	f.Add("nodes:\n  - \n - x: |\n   y，\n")
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := Decode("fuzz.yaml", strings.NewReader(text))
		if err != nil {
			if inv != nil {
				t.Error("an inventory beside an error")
			}
			return
		}
		for _, n := range inv.NodeNames() {
			if _, err := inv.Derive(n, Machine{}); err != nil {
				t.Errorf("valid, but: %v", err)
			}
		}
	})
}
