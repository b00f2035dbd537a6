package lint

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/recipe"
)

// repository is what the checkout holds, read once.
var repository = sync.OnceValues(func() (fstest.MapFS, error) {
	top, all := os.DirFS("../.."), fstest.MapFS{}
	for _, dir := range []string{"recipes", "overlays"} {
		err := fs.WalkDir(top, dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(top, name)
			all[name] = &fstest.MapFile{Data: b, Mode: 0o644}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
})

// checkout is a copy of the repository's recipes and overlays whose files a test may replace.
func checkout(t *testing.T) fstest.MapFS {
	t.Helper()
	all, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	return maps.Clone(all)
}

func example(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func check(t *testing.T, files fs.FS, inventory string) *Result {
	t.Helper()
	return checkStack(t, files, "bookworm", inventory)
}

func checkStack(t *testing.T, files fs.FS, stack, inventory string) *Result {
	t.Helper()
	r, err := Check(files, stack, &Inventory{Name: "cluster.yaml", From: strings.NewReader(inventory)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// want fails unless there is a problem of the rule at the line that holds at, in the file.
func want(t *testing.T, files fstest.MapFS, r *Result, rule, file, at, message string) {
	t.Helper()
	for _, p := range r.Problems {
		if p.Rule != rule || p.File != file || !strings.Contains(p.String(), message) {
			continue
		}
		if at == "" {
			return
		}
		if lines := strings.Split(string(files[file].Data), "\n"); p.Line < 1 || p.Line > len(lines) || !strings.Contains(lines[p.Line-1], at) {
			t.Errorf("%v\nis not at the line with %q", p, at)
		}
		return
	}
	t.Errorf("no %s in %s with %q; there is:\n%v", rule, file, message, (&cluster.InvalidError{Problems: r.Problems}).Error())
}

func TestNothingIsWrongWithTheRepository(t *testing.T) {
	stacks, err := recipe.ListStacks(checkout(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, stack := range stacks {
		r := checkStack(t, checkout(t), stack, example(t))
		if len(r.Problems) > 0 || len(r.Notes) > 0 {
			t.Errorf("stack %s: %v %v", stack, r.Problems, r.Notes)
		}
		bare, err := Check(checkout(t), stack, nil)
		if err != nil || len(bare.Problems) > 0 {
			t.Errorf("stack %s without an inventory: %v %v", stack, bare, err)
		}
	}
}

// TestOverlays: each case lays one file into an overlay.
func TestOverlays(t *testing.T) {
	ensemble := "10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181"
	for _, c := range []struct{ rule, file, content, at, message string }{
		{"F01", "etc/Mesos/zk", "x\n", "x", "write /etc/mesos/zk"},
		{"F01", "etc/cron.d/x", "# fine: /etc/Mesos\n@daily root ls /etc/Mesos\n", "@daily", "write /etc/mesos"},
		{"F02", "etc/zookeeper/conf/myid", "1\n", "1", "a clone would be the same server again"},
		{"F02", "usr/sbin/setup.sh", "echo 2 > /var/lib/zookeeper/myid\n", "echo 2", "myid is 2"},
		{"F04", "usr/sbin/setup.sh", "easy_install mesos-0.19.0-py2.7-linux-x86_64.egg\n", "egg", "the egg of Mesos is 0.19.0, the package 1.11.0"},
		{"F05", "etc/mesos-master/registry", "in_memory\n", "in_memory", "write replicated_log"},
		{"F05", "usr/sbin/setup.sh", "cat <<EOF | sudo tee /etc/mesos-master/registry\nin_memory\nEOF\n", "in_memory", "write replicated_log"},
		{"F06", "etc/mesos/zk", "zk://" + ensemble + "/Mesos\n", "/Mesos", "write zk://" + ensemble + "/mesos"},
		{"F07", "etc/motd", "\nask 192.168.2.94\n", "192", "the address 192.168.2.94 is not in the inventory"},
		{"F08", "etc/selinux/config", "SELINUX=disabled\n", "SELINUX", "Debian and Ubuntu don't read it"},
		{"F08", "usr/sbin/setup.sh", "#!/bin/sh\nsetenforce 0\n", "setenforce", `"setenforce 0"`},
		{"F09", "usr/sbin/setup.sh", "adduser --system hadoop\n", "adduser", "makes a login called hadoop"},
		{"F10", "usr/sbin/setup.sh", "chown -R hadoop:hadoop /data/1/dfs/dn\n", "chown", "write chown hdfs:hdfs"},
		{"F10", "etc/default/hadoop-hdfs-x", "HDFS_NAMENODE_USER=hadoop\n", "HDFS", "HDFS and its directories belong to hdfs"},
		{"F11", "etc/apt/sources.list.d/cdh.list", "deb http://archive.example.org/cdh precise contrib\n", "deb", "a repository of precise on bookworm"},
		{"F12", "etc/hadoop/conf.name/log4j.properties", "a=b\n", "", "never made the active configuration"},
		{"F15", "usr/sbin/setup.sh", "service zookeeper stop\nupdate-rc.d zookeeper-server defaults\n", "update-rc.d", "write zookeeper,"},
		{"F16", "usr/sbin/setup.sh", "service hadoop-hdfs-namenode start\n", "service", "before it is configured and formatted"},
		{"F18", "etc/profile.d/hadoop.sh", "\nexport HADOOP_MAPRED_HOME=/x\n", "export", "write it to /etc/default/SERVICE"},
		{"F19", "usr/sbin/setup.sh", "rm a.tar.gz\ntar czf a.tar.gz a\n", "rm", "is deleted here and made only in line 2"},
		{"F20", "usr/sbin/setup.sh", "hadoop fs -put hadoop-1.2.1-mesos-0.20.tar.gz /\n", "put", "write hadoop-1.2.1-mesos-1.11.0.tar.gz"},
		{"F21", "etc/hadoop/conf/core-site.xml", "<property>\n</property>\n", "<property>", "<property> stands where <configuration> is expected"},
		{"F21", "etc/hadoop/conf/x-site.xml", "<configuration>\n<property><name>a</name></property>\n</configuration>\n", "<name>", "without <name> or <value>"},
		{"F22", "etc/spark/spark-defaults.conf", "spark.master mesos://zk:" + ensemble + "/mesos\n", "spark.master", "write zk://" + ensemble + "/mesos"},
		{"F22", "etc/hadoop/conf/mapred-site.xml", "<configuration><property><name>mapred.mesos.master</name>\n<value>zk://10.162.2.91:2181，10.162.2.92:2181/mesos</value></property></configuration>", "value", "full-width comma"},
		{"F23", "etc/cron.d/x", "@daily root hadoop fs -ls hdfs:/10.162.2.91:9000/x\n", "hdfs:/", "write hdfs://10.162.2.91:9000/x"},
		{"F24", "etc/hadoop/other/mapred-site.xml", "<configuration><property><name>mapred.job.tracker</name><value>10.162.2.93:9001</value></property></configuration>", "tracker", "the cluster's JobTracker is 10.162.2.92:9001"},
		{"F26", "usr/sbin/setup.sh", "wget http://mirror.example.org/spark-1.5.1.tgz\n", "wget", "-bin-hadoop2.6.tgz"},
		{"temporary", "etc/zookeeper/conf/zoo.cfg", "tickTime=2000\ndataDir=/tmp/zookeeper\n", "dataDir", "gone after a reboot"},
		{"zk-ensemble", "etc/default/x", "MARATHON_ZK=zk://10.162.2.91:2181/marathon\n", "MARATHON_ZK", "the ensemble is " + ensemble},
	} {
		t.Run(c.rule+" "+path.Base(c.file), func(t *testing.T) {
			files := checkout(t)
			name := "overlays/common/" + c.file
			files[name] = &fstest.MapFile{Data: []byte(c.content), Mode: 0o644}
			want(t, files, check(t, files, example(t)), c.rule, name, c.at, c.message)
		})
	}
}

// TestRecipes: each case changes a recipe, a template, or a maintainer script that it gets.
func TestRecipes(t *testing.T) {
	const components = "recipes/bookworm/components/"
	for _, c := range []struct{ rule, file, old, new, at, message string }{
		{"F01", components + "hdfs.yaml", "path: /var/lib/hadoop-hdfs, owner", "path: /var/lib/Hadoop-hdfs, owner", "Hadoop-hdfs", "write /var/lib/hadoop-hdfs"},
		{"F04", components + "mesos.yaml", "- file: \"mesos_1.*_amd64.deb\"", "- file: mesos-1.10.0-py2.7-linux-x86_64.egg", "egg", "the egg of Mesos is 1.10.0, the package 1.11.0"},
		{"F07", components + "hdfs.yaml", "HADOOP_IDENT_STRING: hdfs", "HADOOP_IDENT_STRING: 192.168.2.94", "IDENT_STRING", "the address 192.168.2.94 is not in the inventory"},
		{"F09", components + "hdfs.yaml", "  - name: hdfs\n    uid: 781", "  - name: hadoop\n    uid: 781", "name: hadoop", "use hdfs and mapred"},
		{"F10", components + "hdfs.yaml", "    owner: hdfs\n    group: hdfs\n    mode: \"0700\"", "    owner: hadoop\n    group: hdfs\n    mode: \"0700\"", "owner: hadoop", "write hdfs"},
		{"F11", components + "mesos.yaml", "- file: \"mesos_1.*_amd64.deb\"", "- http: https://archive.example.org/cdh5/precise/mesos.deb", "precise", "a repository of precise on bookworm"},
		{"F20", components + "mrv1.yaml", "archives/hadoop-1.2.1-mesos", "archives/hadoop-1.2.1-cluster-mesos", "run: [/usr/lib/forge/hdfs-files", "hadoop-1.2.1-cluster-mesos-1.11.0.tar.gz is uploaded; hadoop-1.2.1-mesos-1.11.0.tar.gz is made"},
		{"F12", components + "hdfs.yaml", "path: /etc/hadoop/conf/hdfs-site.xml", "path: /etc/hadoop/conf.name/hdfs-site.xml", "conf.name", "never made the active"},
		{"F13", components + "hdfs.yaml", "dfs.name.dir: '{{ join .HDFS.NameDirs \",\" }}'", "dfs.name.dirs: x", "hdfs-site.xml", "required key dfs.name.dir is missing"},
		{"F22", components + "mesos.yaml", `zk: "{{ .Mesos.ZK }}"`, `zk: "zk:{{ .ZooKeeper.Connect }}/mesos"`, "zk:", "node master1, /etc/mesos/zk:1: zk: \"zk:10.162"},
		{"F06", components + "mesos.yaml", `zk: "{{ .Mesos.ZK }}"`, `zk: "{{ .Mesos.ZK }}2"`, "zk:", "looks below the znode /mesos2, Mesos registers below /mesos"},
		{"F24", components + "mrv1.yaml", `mapred.job.tracker: "{{ .MRv1.Address }}"`, `mapred.job.tracker: "{{ .Node.Address }}:9001"`, "mapred.job.tracker:", "the cluster's JobTracker is 10.162.2.92:9001"},
		{"F26", components + "mesos.yaml", "- file: \"mesos_1.*_amd64.deb\"", "- file: spark-1.5.1.tgz", "spark", "take spark-1.5.1-bin-hadoop2.6.tgz"},
		{"F18", "recipes/bookworm/templates/hadoop/hadoop-env.sh", "", "/etc/profile.d/hadoop.sh\n", "profile.d", "services never read it"},
		{"F22", "recipes/bookworm/templates/hadoop/hadoop-env.sh", "", "ZK_URL=zk:10.162.2.91:2181/mesos\n", "ZK_URL", "write zk://10.162.2.91:2181/mesos"},
		{"F02", "postinst", "", "echo 1 > /etc/zookeeper/conf/myid\n", "echo", "myid is 1"},
		{"F05", "postinst", "", "echo in_memory > /etc/mesos-master/registry\n", "echo", "write replicated_log"},
		{"F08", "postinst", "", "chkconfig iptables off\n", "chkconfig", `"chkconfig iptables"`},
		{"F14", "postinst", "", "su hdfs -c 'hdfs namenode -format'\n", "format", "forge-node formats it once"},
		{"F16", "postinst", "", "invoke-rc.d hadoop-hdfs-namenode start\n", "invoke-rc.d", "starts a service by script"},
		{"F23", "postinst", "", "hadoop fs -ls hdfs:/x\n", "hdfs:/", "write hdfs://x"},
		{"recipe", components + "hdfs.yaml", "summary:", "sumary:", "sumary", `unknown key "sumary"`},
	} {
		t.Run(c.rule+" "+path.Base(c.file), func(t *testing.T) {
			files := checkout(t)
			name := c.file
			if name == "postinst" {
				name = "recipes/bookworm/scripts/postinst"
				files[name] = &fstest.MapFile{Data: []byte("#!/bin/sh\nset -e\n"), Mode: 0o755}
				replace(t, files, components+"hdfs.yaml", "  section: java\n", "  section: java\n  scripts: {postinstall: scripts/postinst}\n")
			}
			replace(t, files, name, c.old, c.new)
			want(t, files, check(t, files, example(t)), c.rule, name, c.at, c.message)
		})
	}
}

func replace(t *testing.T, files fstest.MapFS, name, old, with string) {
	t.Helper()
	text := string(files[name].Data)
	if old == "" {
		old = text
		with = text + with
	}
	if !strings.Contains(text, old) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	files[name] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, with, 1)), Mode: files[name].Mode}
}

// ofAzkaban are its names in a role's lists, in a row and one a line.
var ofAzkaban = regexp.MustCompile(`(, |\n  - )(azkaban|mariadb)(-\w+)?\b`)

// withoutAzkaban takes a component out of the stack.
func withoutAzkaban(files fstest.MapFS) {
	for _, name := range []string{"azkaban", "mariadb"} {
		delete(files, "recipes/bookworm/components/"+name+".yaml")
	}
	const role = "recipes/bookworm/roles/master.yaml"
	files[role] = &fstest.MapFile{Data: ofAzkaban.ReplaceAll(files[role].Data, nil), Mode: files[role].Mode}
}

// TestInventoryAgainstTheStack: what only both together show.
func TestInventoryAgainstTheStack(t *testing.T) {
	const file = "recipes/bookworm/components/marathon.yaml"
	for _, c := range []struct{ name, add, marathon, rule, file, message string }{
		{"unknown extra", "extra: {hdfs-sit: {a: b}}", "", "unknown-extra", "cluster.yaml", `did you mean "hdfs-site"?`},
		{"a role misspelt", "", "", "unknown-role", "cluster.yaml", `node "slave1" has the role "salve", and the stack bookworm has no such role; did you mean "slave"?`},
		{"F03", "azkaban: {node: master1}", "", "F03", "cluster.yaml", "the stack bookworm has no component of that name"},
		{"F20 with the stack's Mesos", "extra: {mapred-site: {mapred.mesos.executor.uri: \"hdfs://10.162.2.91:9000/hadoop-mesos-0.20.tar.gz\"}}", "", "F20", "cluster.yaml", "says Mesos 0.20; Mesos is 1.11.0"},
		{"F25", "", "0.8.1", "F25", file, "marathon 0.8.1 does not go with Mesos 1.11.0"},
		{"F25 accepted", "accept: [{rule: F25, reason: tried in the lab}]", "0.8.1", "F25", file, "accepted: tried in the lab"},
		{"F25 accepted in vain", "accept: [{rule: F25, reason: tried in the lab}]", "1.5.0", "unused-acceptance", "cluster.yaml", "nothing breaks the rule F25"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := checkout(t)
			if c.marathon != "" {
				text := strings.ReplaceAll(string(files[file].Data), "1.5.11", c.marathon)
				files[file] = &fstest.MapFile{Mode: 0o644, Data: []byte(text)}
			}
			if c.rule == "F03" {
				withoutAzkaban(files)
			}
			inventory := example(t)
			if c.rule == "unknown-role" {
				inventory = strings.Replace(inventory, "role: slave\n", "role: salve\n", 1)
			}
			want(t, files, check(t, files, inventory+c.add+"\n"), c.rule, c.file, "", c.message)
		})
	}
}

// TestDocumentsVersions: the document's own pairing breaks F25 in the stack cdh5, unless that is accepted, and
// that stack holds the settings of Spark that F27 asks for.
func TestDocumentsVersions(t *testing.T) {
	const hadoopMesos, spark = "recipes/cdh5/components/hadoop-mesos.yaml", "recipes/cdh5/components/spark.yaml"
	files := checkout(t)
	replace(t, files, hadoopMesos, `"0.0.8"`, `"0.1.0"`)
	replace(t, files, hadoopMesos, `"0.0.8"`, `"0.1.0"`)
	r := checkStack(t, files, "cdh5", example(t))
	want(t, files, r, "F25", hadoopMesos, "version:", "hadoop-mesos 0.1.0 does not go with Mesos 0.19.0; hadoop-mesos 0.1.0 does not go with CDH 5.1.2")
	r = checkStack(t, files, "cdh5", example(t)+"accept: [{rule: F25, reason: the document's own pairing}]\n")
	want(t, files, r, "F25", hadoopMesos, "version:", "accepted: the document's own pairing")
	if errs := cluster.Errors(r.Problems); len(errs) > 0 {
		t.Errorf("still wrong: %v", errs)
	}

	const mrv1 = "recipes/cdh5/components/mrv1.yaml"
	files = checkout(t)
	replace(t, files, mrv1, "DefaultFS }}/hadoop-2.3.0-cdh5.1.2", "DefaultFS }}/hadoop-2.3.0")
	want(t, files, checkStack(t, files, "cdh5", example(t)), "F20", mrv1, "mapred.mesos.executor.uri:", "the executor URI names hadoop-2.3.0-mesos-0.19.0.tar.gz; hadoop-2.3.0-cdh5.1.2-mesos-0.19.0.tar.gz is uploaded")

	files = checkout(t)
	replace(t, files, spark, "      spark.executor.uri:", "      spark.other:")
	want(t, files, checkStack(t, files, "cdh5", example(t)), "F27", spark, "path: /etc/spark/conf/spark-defaults.conf", "required key spark.executor.uri is missing")
	replace(t, files, spark, "required: [spark.master, spark.executor.uri]", "required: [spark.master]")
	replace(t, files, spark, "required: [MESOS_NATIVE_JAVA_LIBRARY, SPARK_EXECUTOR_URI]", "required: [MESOS_NATIVE_JAVA_LIBRARY]")
	replace(t, files, spark, "      SPARK_EXECUTOR_URI:", "      SPARK_OTHER:")
	want(t, files, checkStack(t, files, "cdh5", example(t)), "F27", spark, "", "nothing renders an executor URI")

	files = checkout(t)
	replace(t, files, spark, `spark.master: "{{ .Spark.Master }}"`, `spark.master: "mesos://{{ .Mesos.ZK }}2"`)
	want(t, files, checkStack(t, files, "cdh5", example(t)), "F06", spark, "spark.master:", "looks below the znode /mesos2")
}

// TestClashOfManifests: two services of a role on one port are found by rendering.
func TestClashOfManifests(t *testing.T) {
	files := checkout(t)
	replace(t, files, "recipes/bookworm/components/mrv1.yaml", "number: 50060", "number: 50075")
	want(t, files, check(t, files, example(t)), "port-clash", "recipes/bookworm/roles/slave.yaml", "", "node slave1 can't be rendered")
}

// TestAdminServer: ZooKeeper's AdminServer is in no manifest, and takes Marathon's 8080 all the same.
func TestAdminServer(t *testing.T) {
	const template = "recipes/bookworm/templates/zookeeper/zoo.cfg"
	files := checkout(t)
	if r := check(t, files, example(t)); len(r.Problems) > 0 {
		t.Errorf("with the AdminServer off: %v", r.Problems)
	}
	replace(t, files, template, "admin.enableServer=false", "autopurge.purgeInterval=1")
	want(t, files, check(t, files, example(t)), "port-clash", "recipes/bookworm/components/zookeeper.yaml", "zoo.cfg", "ZooKeeper's AdminServer and marathon both listen on port 8080")
}

// TestRulesOfEveryKind: every rule that this package tells of is in the table.
func TestRulesOfEveryKind(t *testing.T) {
	for _, r := range lineRules {
		if _, ok := cluster.FindRule(r.id); !ok || len(r.kinds) == 0 || !strings.Contains(r.message, "%q") {
			t.Errorf("%s: %q", r.id, r.message)
		}
	}
	if !slices.ContainsFunc(cluster.Rules(), func(r cluster.Rule) bool { return r.ID == "F27" }) {
		t.Error("F27 is missing")
	}
}
