package builder

import (
	"encoding/xml"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
)

var update = flag.Bool("update", false, "write the golden files")

// renderedCase is one cluster whose nodes are kept as forge render shows them, in testdata/rendered.
type renderedCase struct {
	name, stack, inventory string
	// differ are the files in which nodes of one role may differ, beyond those that some nodes lack.
	differ []string
	// required are the keys of Hadoop's files that no node can do without.
	required map[string][]string
	brings   string // a file in the operator's folder
}

var everywhere = []string{"/etc/hostname", "/etc/mesos-master/hostname", "/etc/mesos-master/ip", "/etc/mesos-slave/hostname",
	"/etc/mesos-slave/ip", "/etc/spark/conf/spark-env.sh", "/var/lib/zookeeper/myid"}

var renderedCases = []renderedCase{
	{"bookworm", "bookworm", "../cluster.example.yaml",
		append([]string{"/etc/hadoop/conf/core-site.xml", "/etc/mesos-slave/attributes/rack", "/etc/marathon/conf/hostname", "/etc/default/marathon"}, everywhere...),
		map[string][]string{
			"core-site.xml":   {"fs.default.name", "hadoop.tmp.dir"},
			"hdfs-site.xml":   {"dfs.name.dir", "dfs.data.dir", "dfs.replication", "dfs.http.address"},
			"mapred-site.xml": {"mapred.job.tracker", "mapred.local.dir"},
		}, ""},
	{"bookworm-ha", "bookworm-ha", "testdata/pair.yaml",
		append([]string{"/etc/hadoop/conf/hdfs-site.xml", "/etc/marathon/conf/hostname", "/etc/default/marathon"}, everywhere...),
		map[string][]string{
			"core-site.xml": {"fs.defaultFS", "ha.zookeeper.quorum"},
			"hdfs-site.xml": {"dfs.nameservices", "dfs.ha.namenodes.lab", "dfs.namenode.rpc-address.lab.nn1", "dfs.namenode.rpc-address.lab.nn2",
				"dfs.namenode.http-address.lab.nn1", "dfs.namenode.http-address.lab.nn2", "dfs.namenode.shared.edits.dir", "dfs.journalnode.edits.dir",
				"dfs.client.failover.proxy.provider.lab", "dfs.ha.fencing.methods", "dfs.ha.automatic-failover.enabled"},
		}, ""},
	{"cdh5", "cdh5", "../cluster.example.yaml",
		append([]string{"/etc/marathon/conf/hostname", "/etc/spark/conf/spark-env.sh", "/etc/mesos-slave/attributes/rack"}, everywhere...),
		map[string][]string{
			"core-site.xml":   {"fs.defaultFS", "hadoop.tmp.dir"},
			"hdfs-site.xml":   {"dfs.namenode.name.dir", "dfs.datanode.data.dir", "dfs.replication", "dfs.namenode.http-address"},
			"mapred-site.xml": onMesos,
		}, ""},
	{"cdh5-ha", "cdh5", "testdata/ha.yaml",
		append([]string{"/etc/marathon/conf/hostname", "/etc/spark/conf/spark-env.sh"}, everywhere...),
		map[string][]string{
			"core-site.xml": {"fs.defaultFS", "ha.zookeeper.quorum"},
			"hdfs-site.xml": {"dfs.nameservices", "dfs.ha.namenodes.lab", "dfs.namenode.rpc-address.lab.nn1", "dfs.namenode.rpc-address.lab.nn2",
				"dfs.namenode.http-address.lab.nn1", "dfs.namenode.http-address.lab.nn2", "dfs.namenode.shared.edits.dir", "dfs.journalnode.edits.dir",
				"dfs.client.failover.proxy.provider.lab", "dfs.ha.fencing.methods", "dfs.ha.automatic-failover.enabled"},
			"mapred-site.xml": {"mapred.job.tracker", "mapred.mesos.master", "mapred.mesos.executor.uri"},
		}, ""},
	{"azkaban", "bookworm", "testdata/azkaban.yaml",
		append([]string{"/etc/hadoop/conf/core-site.xml", "/etc/default/marathon", "/etc/marathon/conf/hostname"}, everywhere...),
		map[string][]string{
			"core-site.xml":   {"fs.default.name", "hadoop.tmp.dir"},
			"hdfs-site.xml":   {"dfs.name.dir", "dfs.data.dir", "dfs.replication", "dfs.http.address"},
			"mapred-site.xml": {"mapred.job.tracker", "mapred.local.dir"},
		}, ""},
	{"scheduler", "bookworm", "../cluster.example.yaml",
		append([]string{"/etc/hadoop/conf/core-site.xml", "/etc/mesos-slave/attributes/rack", "/etc/marathon/conf/hostname", "/etc/default/marathon"}, everywhere...),
		map[string][]string{
			"core-site.xml":   {"fs.default.name", "hadoop.tmp.dir"},
			"hdfs-site.xml":   {"dfs.name.dir", "dfs.data.dir", "dfs.replication", "dfs.http.address"},
			"mapred-site.xml": onMesos,
		}, "hadoop-mesos-0.1.0.jar"},
}

// onMesos are the keys that a JobTracker can't do without whose TaskTrackers run on Mesos (field guide, section 6).
var onMesos = []string{"mapred.job.tracker", "mapred.jobtracker.taskScheduler", "mapred.mesos.taskScheduler", "mapred.mesos.master", "mapred.mesos.executor.uri",
	"mapred.mesos.slot.cpus", "mapred.mesos.slot.mem", "mapred.mesos.slot.disk", "mapred.mesos.tasktracker.cpus", "mapred.mesos.tasktracker.mem",
	"mapred.mesos.tasktracker.disk", "mapred.mesos.total.map.slots.minimum", "mapred.mesos.total.reduce.slots.minimum", "mapred.mesos.role"}

// renderAll renders all nodes of a case, by name.
func renderAll(t *testing.T, c renderedCase) map[string]node.View {
	t.Helper()
	vendor := t.TempDir()
	if c.brings != "" {
		if err := os.WriteFile(filepath.Join(vendor, c.brings), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := NewPreview(PreviewOptions{Checkout: "..", Stack: c.stack, Inventory: c.inventory, Vendor: vendor, Machine: cluster.Machine{RAM: 2048, CPUs: 2}})
	if err != nil {
		t.Fatal(err)
	}
	views := map[string]node.View{}
	for _, name := range p.Inventory.NodeNames() {
		r, err := p.Node(name)
		if err != nil {
			t.Fatal(err)
		}
		views[name] = r.View()
	}
	if len(views) != 6 {
		t.Fatalf("%s has %d nodes, not the document's six", c.inventory, len(views))
	}
	return views
}

// TestRendered compares the nodes of the document's cluster with testdata/rendered, and holds what must
// be so whatever the golden files say.
func TestRendered(t *testing.T) {
	for _, c := range renderedCases {
		t.Run(c.name, func(t *testing.T) {
			views := renderAll(t, c)
			for name, v := range views {
				goldenNode(t, filepath.Join("testdata/rendered", c.name, name+".txt"), v)
				checkHadoop(t, c, v)
				checkText(t, v)
			}
			checkMyIDs(t, views)
			checkDifferences(t, c, views)
		})
	}
}

func goldenNode(t *testing.T, file string, v node.View) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(v.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), v.String()); diff != "" {
		t.Errorf("%s (-golden +got; go test ./builder -run TestRendered -update rewrites it):\n%s", file, diff)
	}
}

// checkHadoop parses Hadoop's files, strictly, and looks for the keys that they must have.
func checkHadoop(t *testing.T, c renderedCase, v node.View) {
	t.Helper()
	found := 0
	for _, f := range v.Files {
		if path.Ext(f.Path) != ".xml" || !strings.HasPrefix(f.Path, "/etc/hadoop/") {
			continue
		}
		found++
		var doc struct {
			XMLName  xml.Name `xml:"configuration"`
			Property []struct {
				Name  string `xml:"name"`
				Value string `xml:"value"`
			} `xml:"property"`
		}
		if err := xml.Unmarshal([]byte(f.Content), &doc); err != nil {
			t.Errorf("%s: %s: %v", v.Node, f.Path, err)
			continue
		}
		values := map[string]string{}
		for _, p := range doc.Property {
			if _, twice := values[p.Name]; twice || p.Name == "" || p.Value == "" {
				t.Errorf("%s: %s: property %q is there twice or empty", v.Node, f.Path, p.Name)
			}
			values[p.Name] = p.Value
		}
		required, known := c.required[path.Base(f.Path)]
		if !known {
			t.Errorf("%s: nothing is said about the keys of %s", v.Node, f.Path)
		}
		for _, key := range required {
			if values[key] == "" {
				t.Errorf("%s: %s has no %s", v.Node, f.Path, key)
			}
		}
	}
	if found < 2 {
		t.Errorf("%s has %d files of Hadoop", v.Node, found)
	}
}

var (
	zkURL     = regexp.MustCompile(`zk:[^\s"<]*`)
	wholeZK   = regexp.MustCompile(`^zk://10\.162\.2\.91:2181,10\.162\.2\.92:2181,10\.162\.2\.93:2181/(mesos|marathon(-lab)?)$`)
	hdfsURL   = regexp.MustCompile(`\bhdfs:[^\s"<]*`)
	wholeHDFS = regexp.MustCompile(`^hdfs://(10\.162\.2\.91:9000|lab)(/(hadoop-2\.3\.0-cdh5\.1\.2-mesos-0\.19\.0\.tar\.gz|hadoop-1\.2\.1-mesos-1\.11\.0\.tar\.gz|spark-1\.5\.1-bin-hadoop2\.6\.tgz))?$`)
)

// checkText holds what the document had wrong in many places: addresses of ZooKeeper and HDFS,
// characters that only look right, capitals in paths, passwords for everybody.
func checkText(t *testing.T, v node.View) {
	t.Helper()
	for _, f := range v.Files {
		for _, url := range zkURL.FindAllString(f.Content, -1) {
			if !wholeZK.MatchString(url) {
				t.Errorf("%s: %s: %s", v.Node, f.Path, url)
			}
		}
		for _, url := range hdfsURL.FindAllString(f.Content, -1) {
			if !wholeHDFS.MatchString(url) {
				t.Errorf("%s: %s: %s", v.Node, f.Path, url)
			}
		}
		if i := strings.IndexFunc(f.Content, func(r rune) bool { return r > 0x7e || r < 0x20 && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("%s: %s: %q is not plain text", v.Node, f.Path, f.Content[i:min(i+4, len(f.Content))])
		}
		if strings.ToLower(f.Path) != f.Path {
			t.Errorf("%s: %s has capitals", v.Node, f.Path)
		}
		if holds := strings.Contains(f.Content, "<secret ") || strings.Contains(f.Content, "&lt;secret "); holds != (f.Mode == "0600") || holds != f.Secret {
			t.Errorf("%s: %s: mode %s, secret %v", v.Node, f.Path, f.Mode, f.Secret)
		}
	}
}

// checkMyIDs: 1, 2, 3 on the masters, none on the slaves.
func checkMyIDs(t *testing.T, views map[string]node.View) {
	t.Helper()
	got := map[string]string{}
	for name, v := range views {
		for _, f := range v.Files {
			if path.Base(f.Path) == "myid" {
				got[name] += f.Content
			}
		}
	}
	if diff := cmp.Diff(map[string]string{"master1": "1\n", "master2": "2\n", "master3": "3\n"}, got); diff != "" {
		t.Errorf("myid (-want +got):\n%s", diff)
	}
}

// checkDifferences: of the nodes of one role, only files that hold the node's own name, address or
// attributes differ; and only files of a service that runs on one and not on another are not on all.
func checkDifferences(t *testing.T, c renderedCase, views map[string]node.View) {
	t.Helper()
	type file struct{ content, mode string }
	byRole := map[string]map[string]map[string]file{} // role, node, path
	for name, v := range views {
		if byRole[v.Role] == nil {
			byRole[v.Role] = map[string]map[string]file{}
		}
		byRole[v.Role][name] = map[string]file{}
		for _, f := range v.Files {
			byRole[v.Role][name][f.Path] = file{f.Content, f.Mode}
		}
	}
	for role, nodes := range byRole {
		all := map[string]bool{}
		for _, files := range nodes {
			for p := range files {
				all[p] = true
			}
		}
		for p := range all {
			var have []file
			for _, name := range slices.Sorted(maps.Keys(nodes)) {
				if f, ok := nodes[name][p]; ok {
					have = append(have, f)
				}
			}
			if len(have) < len(nodes) && !ofOneService(p) {
				t.Errorf("%s: %d of %d nodes of the role %s have %s", c.name, len(have), len(nodes), role, p)
			}
			same := len(slices.Compact(slices.Clone(have))) == 1
			if may := slices.Contains(c.differ, p); !same && !may {
				t.Errorf("%s: the nodes of the role %s differ in %s", c.name, role, p)
			}
		}
	}
}

// ofOneService tells whether a file is that of a service which not every node of the role runs.
func ofOneService(p string) bool {
	for _, service := range []string{"-namenode", "-secondarynamenode", "-jobtracker", "-zkfc", "-dispatcher", "-solo", "-web", "-executor"} {
		if strings.HasPrefix(p, "/etc/default/") && strings.HasSuffix(p, service) {
			return true
		}
	}
	return strings.HasPrefix(p, "/etc/azkaban/") || strings.HasPrefix(p, "/etc/mysql/")
}

// TestRenderedServices: what runs where, in the order of starting.
func TestRenderedServices(t *testing.T) {
	for _, c := range []struct {
		of   renderedCase
		want map[string]string
	}{
		{renderedCases[0], map[string]string{
			"master1": "zookeeper hadoop-hdfs-namenode mesos-master marathon",
			"master2": "zookeeper hadoop-hdfs-secondarynamenode mesos-master hadoop-0.20-mapreduce-jobtracker marathon",
			"master3": "zookeeper mesos-master marathon",
			"slave1":  "hadoop-hdfs-datanode hadoop-0.20-mapreduce-tasktracker mesos-slave",
		}},
		{renderedCases[1], map[string]string{
			"master1": "zookeeper hadoop-hdfs-journalnode hadoop-hdfs-namenode hadoop-hdfs-zkfc mesos-master marathon hdfs-files",
			"master2": "zookeeper hadoop-hdfs-journalnode hadoop-hdfs-namenode hadoop-hdfs-zkfc mesos-master marathon",
			"master3": "zookeeper hadoop-hdfs-journalnode mesos-master marathon",
			"slave1":  "hadoop-hdfs-datanode mesos-slave",
		}},
		{renderedCases[2], map[string]string{
			"master1": "zookeeper-server mesos-master hadoop-hdfs-namenode marathon",
			"master2": "zookeeper-server mesos-master hadoop-hdfs-secondarynamenode hadoop-0.20-mapreduce-jobtracker marathon",
			"master3": "zookeeper-server mesos-master marathon spark-dispatcher",
			"slave1":  "hadoop-hdfs-datanode mesos-slave",
		}},
		{renderedCases[3], map[string]string{
			"master1": "zookeeper-server hadoop-hdfs-journalnode mesos-master hadoop-hdfs-namenode hadoop-hdfs-zkfc marathon azkaban-web",
			"master2": "zookeeper-server hadoop-hdfs-journalnode mesos-master hadoop-hdfs-namenode hadoop-hdfs-zkfc marathon azkaban-executor",
			"master3": "zookeeper-server hadoop-hdfs-journalnode mesos-master hadoop-0.20-mapreduce-jobtracker marathon spark-dispatcher",
			"slave1":  "hadoop-hdfs-datanode mesos-slave",
		}},
		{renderedCases[4], map[string]string{
			"master1": "zookeeper hadoop-hdfs-namenode mesos-master hadoop-0.20-mapreduce-jobtracker marathon",
			"master2": "zookeeper hadoop-hdfs-secondarynamenode mesos-master marathon azkaban-executor",
			"master3": "zookeeper mesos-master marathon mariadb azkaban-web",
		}},
		{renderedCases[5], map[string]string{
			"master1": "zookeeper hadoop-hdfs-namenode mesos-master marathon",
			"master2": "zookeeper hadoop-hdfs-secondarynamenode mesos-master hadoop-0.20-mapreduce-jobtracker marathon",
			"slave1":  "hadoop-hdfs-datanode mesos-slave",
		}},
	} {
		views := renderAll(t, c.of)
		for name, want := range c.want {
			var got []string
			for _, s := range views[name].Services {
				got = append(got, s.Name)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s, %s runs %v, want %s", c.of.name, name, got, want)
			}
			for _, s := range got {
				if slices.Contains(views[name].Disabled, s) {
					t.Errorf("%s, %s: %s runs and is disabled", c.of.name, name, s)
				}
			}
		}
	}
}

// TestOnceInAPair: of a pair of NameNodes, the first formats and the second copies.
func TestOnceInAPair(t *testing.T) {
	views := renderAll(t, renderedCases[3])
	got := map[string][]string{}
	for name, v := range views {
		for _, s := range v.Services {
			for _, once := range s.Once {
				got[name] = append(got[name], s.Name+" "+once.Name)
			}
		}
	}
	want := map[string][]string{}
	for i, name := range []string{"master1", "master2", "master3"} {
		want[name] = append(want[name], "zookeeper-server initialise")
		if i < 2 {
			want[name] = append(want[name], "hadoop-hdfs-namenode "+[]string{"format", "bootstrap-standby"}[i])
		}
		switch i {
		case 0:
			want[name] = append(want[name], "hadoop-hdfs-zkfc format-znode")
		case 2:
			want[name] = append(want[name], "hadoop-0.20-mapreduce-jobtracker hdfs-files-2.3.0-cdh5.1.2-mesos-0.19.0")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStackImageHoldsItsRoleAlone: what is not in an image has no preset and no override.
func TestStackImageHoldsItsRoleAlone(t *testing.T) {
	for role, want := range map[string]string{"slave": "[slave]", "all": "[master slave]"} {
		p, err := NewPreview(PreviewOptions{Checkout: "..", Stack: "bookworm", Inventory: "../cluster.example.yaml", Role: role, Machine: cluster.Machine{RAM: 2048, CPUs: 2}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.stack.Role(role)
		if err != nil {
			t.Fatal(err)
		}
		img := StackImage(p.stack, r)
		if err := img.Check(); err != nil || fmt.Sprint(img.RoleNames()) != want {
			t.Errorf("%s: %v, %v, want %s", role, err, img.RoleNames(), want)
		}
		rendering, err := p.Node("slave1")
		if err != nil {
			t.Fatal(err)
		}
		if has := slices.Contains(rendering.Others, "zookeeper"); has != (role == "all") {
			t.Errorf("image of %s: the services that stay disabled are %v", role, rendering.Others)
		}
	}
}
