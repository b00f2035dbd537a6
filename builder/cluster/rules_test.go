package cluster

import (
	"errors"
	"strings"
	"testing"
)

// TestSections adds one thing to the example and expects one problem, at its place.
func TestSections(t *testing.T) {
	for _, c := range []struct {
		name, add     string // disk lines go to slave2, else the text goes to the end
		rule, message string
	}{
		{"mount is relative", "disk: {mount: data, device: /dev/vdb}", "directory", `"data" is not a plain absolute directory`},
		{"mount is /", "disk: {mount: /, device: /dev/vdb}", "directory", `"/" is not a plain absolute directory`},
		{"mount is /var", "disk: {mount: /var, device: /dev/vdb}", "directory", "/var is a directory of the system"},
		{"mount below /usr", "disk: {mount: /usr/data, device: /dev/vdb}", "directory", "/usr/data lies below /usr"},
		{"mount with capitals", "disk: {mount: /data/Hadoop, device: /dev/vdb}", "F01", "write /data/hadoop"},
		{"no mount", "disk: {device: /dev/vdb}", "required", "a mount point is missing"},
		{"no device", "disk: {mount: /data/1}", "required", "the disk at /data/1 has no device"},
		{"device", "disk: {mount: /data/1, device: vdb}", "device", `"vdb" is not a device below /dev`},
		{"device escapes", "disk: {mount: /data/1, device: /dev/../etc/passwd}", "device", "is not a device"},
		{"label", "disk: {mount: /data/1, device: /dev/vdb, label: a-label-too-long-x}", "label", "at most 16"},
		{"label characters", "disk: {mount: /data/1, device: /dev/vdb, label: a b}", "label", `"a b" is not a label`},
		{"same mount", "disk: {mount: /data/1, device: /dev/vdb}, {mount: /data/1, device: /dev/vdc, label: x}", "duplicate-disk", `node "slave2" has the mount /data/1 twice`},
		{"same device", "disk: {mount: /data/1, device: /dev/vdb}, {mount: /data/2, device: /dev/vdb}", "duplicate-disk", "the device /dev/vdb twice"},
		{"same label", "disk: {mount: /data/1, device: /dev/vdb, label: d}, {mount: /data/2, device: /dev/vdc, label: d}", "duplicate-disk", "the label d twice"},
		{"same label by default", "disk: {mount: /data/1, device: /dev/vdb}, {mount: /data-1, device: /dev/vdc}", "duplicate-disk", "the label data-1 twice"},

		{"nfs source", "nfs: [{source: /export, mount: /nfsmount}]", "nfs", `"/export" is not host:/path`},
		{"nfs mount", "nfs: [{source: \"h:/export\", mount: /etc}]", "directory", "/etc is a directory of the system"},
		{"nfs node", "nfs: [{source: \"h:/export\", mount: /nfsmount, nodes: [mastr1]}]", "unknown-node", `did you mean "master1"?`},
		{"nfs options", "nfs: [{source: \"h:/export\", mount: /nfsmount, options: \"hard; rm\"}]", "nfs", "are no mount options"},
		{"nfs twice", "nfs: [{source: \"h:/a\", mount: /n}, {source: \"h:/b\", mount: /n}]", "duplicate-disk", "/n is mounted twice"},

		{"ensemble of two", "zookeeper: {nodes: [master1, master2]}", "even-ensemble", "2 ZooKeeper servers"},
		{"ensemble unknown", "zookeeper: {nodes: [master1, master2, master4]}", "unknown-node", `no node is called "master4"`},
		{"ensemble twice", "zookeeper: {nodes: [master1, master2, master2]}", "duplicate-name", `"master2" stands twice in zookeeper.nodes`},

		{"three NameNodes", "hdfs: {ha: {namenodes: [master1, master2, master3]}}", "ha-namenodes", "lists 3; HA is exactly two NameNodes"},
		{"one NameNode", "hdfs: {ha: {namenodes: [master1]}}", "ha-namenodes", "lists 1"},
		{"two JournalNodes", "hdfs: {ha: {journalnodes: [master1, master2]}}", "ha-journalnodes", "2 JournalNodes"},
		{"four JournalNodes", "hdfs: {ha: {journalnodes: [master1, master2, master3, slave1]}}", "ha-journalnodes", "4 JournalNodes"},
		{"HA and one NameNode", "hdfs: {namenode: master1, ha: {}}", "ha-conflict", "hdfs.namenode can't be set beside hdfs.ha"},
		{"HA and secondary", "hdfs: {secondary: master2, ha: {}}", "ha-conflict", "hdfs.secondary can't be set beside hdfs.ha"},
		{"fencing", "hdfs: {ha: {fencing: none}}", "value", `"none" is no fencing method`},
		{"secondary on the NameNode", "hdfs: {namenode: master1, secondary: master1}", "value", "its copy would be lost with it"},
		{"name dir of the system", "hdfs: {name_dirs: [/var/lib]}", "directory", "/var/lib is a directory of the system"},

		{"slot cpus", "mrv1: {mesos: {slot_cpus: \"0\"}}", "range", `mrv1.mesos.slot_cpus is "0"`},
		{"slot cpus, words", "mrv1: {mesos: {tasktracker_cpus: one}}", "range", "not a number of processors"},
		{"slot mem", "mrv1: {mesos: {slot_mem: 1}}", "range", "write a number from 16"},
		{"mesos role", "mrv1: {mesos: {role: \"a b\"}}", "name", "is not a role of Mesos"},
		{"slots", "mrv1: {map_slots: -1}", "range", "mrv1.map_slots is -1"},

		{"marathon port", "marathon: {port: 99999}", "port", "marathon.port is 99999"},
		{"marathon znode", "marathon: {znode: /}", "F06", "marathon.znode is /"},
		{"marathon znode is Mesos's", "marathon: {znode: /mesos}", "F06", "are both /mesos"},
		{"spark memory", "spark: {executor_memory: 100}", "range", "write a number from 512"},
		{"spark node", "spark: {dispatcher: nobody}", "unknown-node", `no node is called "nobody"`},
		{"azkaban node", "azkaban: {node: nobody}", "unknown-node", "azkaban.node"},
		{"azkaban zone", "azkaban: {timezone: \"UTC; rm\"}", "value", "is not the name of a time zone"},
		{"azkaban host", "azkaban: {executor: master3, database: {host: \"db:3306\"}}", "value", "neither a host name in lower case nor an address"},
		{"azkaban user", "azkaban: {executor: master3, database: {user: \"a'b\"}}", "value", "is not a user of a data base"},
		{"azkaban solo", "azkaban: {database: {host: db}}", "value", "runs solo"},

		{"clash of Marathon and Mesos", "marathon: {port: 5050}", "port-clash", `node "master1": mesos-master and marathon both listen on port 5050`},
		{"clash of Marathon and ZooKeeper", "marathon: {port: 2181}", "port-clash", "zookeeper and marathon both listen on port 2181"},
		{"clash of NameNode and JobTracker", "hdfs: {namenode_port: 9000}\nmrv1: {port: 9000}", "port-clash", "hadoop-hdfs-namenode and hadoop-0.20-mapreduce-jobtracker both listen on port 9000"},
		{"clash with AdminServer", "extra: {zoo.cfg: {admin.enableServer: \"true\"}}", "port-clash", "ZooKeeper's AdminServer and marathon both listen on port 8080"},
		{"clash of Azkaban's two", "azkaban: {executor: master3, port: 8088, executor_port: 8088}", "port-clash", "azkaban-web and azkaban-executor both listen on port 8088"},

		{"registry", "extra: {mesos-master: {registry: in_memory}}", "F05", `extra.mesos-master: registry is "in_memory"`},
		{"quorum", "extra: {mesos-master: {quorum: \"1\"}}", "F05", `quorum is "1"; the majority of 3 masters is 2`},
		{"capital flag", "extra: {mesos-slave: {Work_dir: /x}}", "F01", `the flag "Work_dir" has capital letters`},
		{"capital key", "extra: {hdfs-site: {fs.defaultfs: \"hdfs://10.162.2.91:8020\"}}", "F01", `is known as "fs.defaultFS"`},
		{"capital path", "extra: {mesos-slave: {work_dir: /var/lib/Mesos}}", "F01", "write /var/lib/mesos"},
		{"no //", "extra: {mapred-site: {mapred.mesos.master: \"zk:10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos\"}}", "F22", "write zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos"},
		{"capital znode", "extra: {mapred-site: {mapred.mesos.master: \"zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/Mesos\"}}", "F06", "/Mesos and /mesos are two znodes"},
		{"other znode", "extra: {mapred-site: {mapred.mesos.master: \"zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/other\"}}", "F06", "looks below the znode /other"},
		{"root znode", "extra: {spark-defaults: {spark.master: \"mesos://zk://10.162.2.91:2181/\"}}", "F06", "its path is /"},
		{"foreign server", "extra: {mapred-site: {mapred.mesos.master: \"zk://192.168.2.91:2181/mesos\"}}", "F07", "192.168.2.91 is not in the inventory"},
		{"part of the ensemble", "extra: {mapred-site: {mapred.mesos.master: \"zk://master1:2181/mesos\"}}", "zk-ensemble", "names the servers master1:2181"},
		{"one master", "extra: {mapred-site: {mapred.mesos.master: \"10.162.2.91:5050\"}}", "zk-ensemble", "names one master"},
		{"foreign ip", "extra: {mesos-slave: {ip: 192.168.2.94}}", "F07", "ip is 192.168.2.94, an address that no node has"},
		{"one slash", "extra: {mapred-site: {mapred.mesos.executor.uri: \"hdfs:/10.162.2.92:9000/h.tar.gz\"}}", "F23", "write hdfs://10.162.2.91:8020/h.tar.gz"},
		{"other file system", "extra: {core-site: {fs.default.name: \"hdfs://master2:9000\"}}", "F23", "the cluster's is hdfs://10.162.2.91:8020"},
		{"foreign file system", "extra: {core-site: {fs.default.name: \"hdfs://192.168.2.92:9000\"}}", "F07", "192.168.2.92 is not in the inventory"},
		{"second JobTracker", "extra: {mapred-site: {mapred.job.tracker: \"10.162.2.93:8021\"}}", "F24", "the cluster's JobTracker is 10.162.2.91:8021"},
		{"executor's name", "extra: {mapred-site: {mapred.mesos.executor.uri: \"hdfs://10.162.2.91:8020/hadoop-2.3.0-cdh5.1.2-mesos.0.20.tar.gz\"}}", "F20", "has a full stop before the version"},
		{"spark's source", "extra: {spark-defaults: {spark.executor.uri: \"hdfs://10.162.2.91:8020/spark-1.5.1.tgz\"}}", "F26", "is Spark's source archive"},
		{"owner", "extra: {hadoop-env: {HDFS_NAMENODE_USER: hadoop}}", "F10", "HDFS and its directories belong to hdfs"},
		{"server number", "extra: {zoo.cfg: {server.1: \"10.162.2.92:2888:3888\"}}", "F02", "is not the ensemble's number 1"},
		{"temporary", "extra: {zoo.cfg: {dataDir: /tmp/zookeeper}}", "temporary", "gone after a reboot"},
		{"three in the pair", "extra: {hdfs-site: {dfs.ha.namenodes.lab: \"nn1,nn2,nn3\"}}", "ha-namenodes", "lists 3"},
		{"commas of the journal", "extra: {hdfs-site: {dfs.namenode.shared.edits.dir: \"qjournal://a:8485,b:8485,c:8485/lab\"}}", "ha-journalnodes", "by commas"},
		{"zk:// for HDFS", "extra: {core-site: {ha.zookeeper.quorum: \"zk://10.162.2.91:2181/x\"}}", "F22", "without zk:// and path"},
		{"look-alike", "extra: {mapred-site: {mapred.mesos.master: \"zk://10.162.2.91:2181，10.162.2.92:2181/mesos\"}}", "F22", `full-width comma "，" (U+FF0C)`},

		{"plain acceptance", "accept: [F25]", "type", "say why it is right here: - {rule: F25, reason: \"...\"}"},
		{"unknown rule", "accept: [{rule: F28, reason: x}]", "accept", `no rule is called "F28" [accept]`},
		{"misspelt rule", "accept: [{rule: even-ensembel, reason: x}]", "accept", `did you mean "even-ensemble"?`},
		{"empty reason", "accept: [{rule: F25, reason: \" \"}]", "accept", "rule F25 is accepted without a reason"},
		{"accepted twice", "accept: [{rule: F25, reason: x}, {rule: F25, reason: y}]", "accept", "rule F25 is accepted twice"},
		{"firm rule", "accept: [{rule: unknown-node, reason: x}]", "accept", "can't be accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := plain + c.add
			if disk, ok := strings.CutPrefix(c.add, "disk: "); ok {
				text = strings.Replace(plain, "role: slave}", "role: slave, disks: ["+disk+"]}", 2)
				text = strings.Replace(text, ", disks: ["+disk+"]", "", 1)
			}
			_, err := Decode("cluster.yaml", strings.NewReader(text))
			var bad *InvalidError
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			for _, p := range bad.Problems {
				if p.Rule == c.rule && strings.Contains(p.String(), c.message) {
					if p.Line == 0 {
						t.Errorf("no line in %q", p)
					}
					if _, ok := FindRule(p.Rule); !ok {
						t.Errorf("rule %s is not in the table", p.Rule)
					}
					return
				}
			}
			t.Errorf("no problem [%s] with %q in:\n%v", c.rule, c.message, err)
		})
	}
}

const plain = `name: lab
networks: [{cidr: 10.162.2.0/24}]
nodes:
- {name: master1, address: 10.162.2.91, role: master}
- {name: master2, address: 10.162.2.92, role: master}
- {name: master3, address: 10.162.2.93, role: master}
- {name: slave1, address: 10.162.2.94, role: slave}
- {name: slave2, address: 10.162.2.95, role: slave}
`

// TestRight: what is right is not told off.
func TestRight(t *testing.T) {
	for _, text := range []string{
		"",
		"hdfs: {ha: {}}",
		"hdfs: {ha: {nameservice: lab, namenodes: [master1, master2], journalnodes: [master1, master2, master3], journal_dir: /data/1/jn, fencing: \"sshfence\"}}",
		"nfs: [{source: \"10.162.2.90:/export/dfs\", mount: /nfsmount}]\nhdfs: {name_dirs: [/data/1/dfs/nn, /nfsmount/dfs/nn]}",
		"azkaban: {node: master2, executor: slave1, timezone: Europe/Vienna, database: {host: master3, user: azkaban}}",
		"mrv1: {mesos: {slot_cpus: \"0.5\", role: \"*\"}}",
		"extra: {mapred-site: {mapred.mesos.master: \"zk://10.162.2.91:2181,master2:2181,10.162.2.93:2181/mesos\", mapred.job.tracker: \"master1:8021\"}, mesos-master: {quorum: \"2\", registry: replicated_log, \"?quiet\": \"\"}}",
		"extra: {zoo.cfg: {admin.enableServer: \"true\", admin.serverPort: \"8089\", server.2: \"10.162.2.92:2888:3888\"}}",
	} {
		if _, err := Decode("cluster.yaml", strings.NewReader(plain+text)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// TestAccepted: an accepted problem is no error, still told, and quotes the reason.
func TestAccepted(t *testing.T) {
	text := plain + "zookeeper: {nodes: [master1, master2]}\naccept: [{rule: even-ensemble, reason: a third machine comes in May}, {rule: F25, reason: tried}]\n"
	doc, err := Read("cluster.yaml", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Problems) != 1 || len(Errors(doc.Problems)) != 0 {
		t.Fatalf("problems %v", doc.Problems)
	}
	want := "cluster.yaml:9:20: 2 ZooKeeper servers make an ensemble of even size: it survives no more failures than 1 would [even-ensemble]\n  accepted: a third machine comes in May"
	if got := doc.Problems[0].String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := Decode("cluster.yaml", strings.NewReader(text)); err != nil {
		t.Error(err)
	}
	unused := doc.Inventory.UnusedAcceptances(doc.Problems)
	if len(unused) != 1 || unused[0].Path != "accept[1]" || !strings.Contains(unused[0].Message, "nothing breaks the rule F25") {
		t.Errorf("unused: %v", unused)
	}
	bad := strings.Replace(plain, "slave1", "Slave1", 1) + "accept: [{rule: F01, reason: tried}]\n"
	if _, err := Decode("cluster.yaml", strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "[F01]") {
		t.Errorf("a name with capitals was accepted: %v", err)
	}
}
