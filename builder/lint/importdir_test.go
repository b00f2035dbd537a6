package lint

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/mesos-forge/forge/builder/cluster"
)

func tree(files map[string]string) fstest.MapFS {
	t := fstest.MapFS{}
	for name, content := range files {
		t[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return t
}

const hosts = "127.0.0.1 localhost\n::1 ip6-localhost\n10.162.2.91 master1 master1.lab\n10.162.2.92 master2\n10.162.2.93 master3\n10.162.2.94 slave1\n"

// TestImportRight: a hand-made node without mistakes has no problem.
func TestImportRight(t *testing.T) {
	zk := "10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181"
	im, err := Import(tree(map[string]string{
		"etc/hosts":                     hosts,
		"etc/hostname":                  "master1\n",
		"etc/selinux/semanage.conf":     "module-store = direct\n", // of Debian's libsemanage
		"etc/resolv.conf":               "nameserver 10.162.2.1\n",
		"etc/mesos/zk":                  "zk://" + zk + "/mesos\n",
		"etc/mesos-master/quorum":       "2\n",
		"etc/mesos-master/ip":           "10.162.2.91\n",
		"etc/zookeeper/conf/myid":       "1\n",
		"var/lib/zookeeper/myid":        "1\n",
		"etc/zookeeper/conf/zoo.cfg":    "dataDir=/var/lib/zookeeper\nserver.1=10.162.2.91:2888:3888\nserver.2=10.162.2.92:2888:3888\nserver.3=10.162.2.93:2888:3888\n",
		"etc/hadoop/conf/core-site.xml": "<?xml version=\"1.0\"?>\n<configuration>\n<!-- <name>fs.defaultFS</name>\n<value>hdfs:/x</value> -->\n<property><name>fs.defaultFS</name><value>hdfs://10.162.2.91:9000</value></property>\n</configuration>\n",
		"etc/hadoop/conf/hdfs-site.xml": "<configuration><property><name>dfs.namenode.name.dir</name><value>/data/1/dfs/nn</value></property><property><name>dfs.ha.namenodes.lab</name><value>nn1,nn2</value></property></configuration>",
		"etc/hadoop/conf/mapred-site.xml": "<configuration><property><name>mapred.job.tracker</name><value>10.162.2.91:9001</value></property>" +
			"<property><name>mapred.mesos.master</name><value>zk://" + zk + "/mesos</value></property></configuration>",
		"install.sh": "#!/bin/sh\n# notes about Mesos\nprintf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d\napt-get -y install zookeeperd hadoop-hdfs-namenode\nservice zookeeper start\nsudo -u hdfs hdfs zkfc -formatZK\nsudo -u hdfs hdfs namenode -format\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range im.Problems {
		t.Error(p)
	}
	inv, err := cluster.Decode("proposal", strings.NewReader(im.Inventory))
	if err != nil || inv.HDFS.NameNode != "master1" || inv.MRv1.Port != 9001 || len(inv.Nodes) != 4 {
		t.Errorf("proposal %v\n%s", err, im.Inventory)
	}
}

// TestImportFacts: things of one node that only its other files make wrong.
func TestImportFacts(t *testing.T) {
	zoo := "server.1=10.162.2.91:2888:3888\nserver.2=10.162.2.92:2888:3888\nserver.3=10.162.2.93:2888:3888\n"
	for name, c := range map[string]struct {
		files         map[string]string
		rule, message string
	}{
		"myid on a slave":   {map[string]string{"etc/hosts": hosts, "etc/hostname": "slave1\n", "etc/zookeeper/conf/zoo.cfg": zoo, "etc/zookeeper/conf/myid": "4\n"}, "F02", "none elsewhere"},
		"quorum":            {map[string]string{"etc/hosts": hosts, "etc/zookeeper/conf/zoo.cfg": zoo, "etc/mesos-master/quorum": "1\n"}, "F05", "the majority of 3 masters is 2"},
		"release":           {map[string]string{"etc/os-release": "VERSION_CODENAME=bookworm\n", "etc/apt/sources.list": "deb http://x/ trusty main\n"}, "F11", "a repository of trusty on bookworm"},
		"other upload":      {map[string]string{"etc/hadoop/conf/mapred-site.xml": "<configuration><property><name>mapred.mesos.executor.uri</name><value>hdfs://nn:9000/b.tar.gz</value></property></configuration>", "x.sh": "hadoop fs -put a.tar.gz /\n"}, "F20", "the executor URI names b.tar.gz; a.tar.gz is uploaded (x.sh:1)"},
		"a file in history": {map[string]string{".bash_history": "printf '%s' 'in_memory' > /etc/mesos-master/registry\ncat > /etc/mesos-master/registry <<X\nin_memory\nX\n"}, "F05", "in_memory"},
		"variable":          {map[string]string{"etc/zookeeper/conf/zoo.cfg": zoo, "etc/default/mesos-master": "# MESOS_QUORUM=1\nMESOS_QUORUM=\"1\"\n"}, "F05", "the majority of 3 masters is 2"},
		"command line":      {map[string]string{"run.sh": "exec mesos-master --work_dir=/var/lib/mesos --registry=in_memory\n"}, "F05", `registry is "in_memory"`},
		"agent's data":      {map[string]string{"run.sh": "mesos-agent --work_dir=/tmp/mesos\n"}, "temporary", "gone after a reboot"},
		"without hosts":     {map[string]string{"etc/zookeeper/conf/zoo.cfg": zoo, "etc/mesos-slave/ip": "192.168.2.94\n"}, "F07", "an address that no node has"},
		"format":            {map[string]string{"etc/zookeeper/conf/zoo.cfg": zoo, "x.sh": "sudo -u hdfs hdfs namenode -format\n"}, "F14", "one NameNode, or hdfs.ha"},
		"policy too late":   {map[string]string{"x.sh": "apt-get install -y hadoop-hdfs-datanode\ntouch /usr/sbin/policy-rc.d\n"}, "F16", "hadoop-hdfs-datanode starts while it is installed"},
		"no configuration":  {map[string]string{"etc/hadoop/conf/hdfs-site.xml": "\n"}, "F21", "no <configuration>"},
		"broken XML":        {map[string]string{"etc/hadoop/conf/hdfs-site.xml": "<configuration>\n<property></configuration>"}, "F21", "not XML"},
		"required key":      {map[string]string{"etc/hadoop/conf/hdfs-site.xml": "<configuration></configuration>", "etc/hadoop/conf/core-site.xml": "<configuration></configuration>", "x.sh": "apt-get install hadoop-hdfs-datanode\n"}, "F13", "core-site.xml has no fs.default.name or fs.defaultFS"},
	} {
		im, err := Import(tree(c.files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := false
		for _, p := range im.Problems {
			found = found || p.Rule == c.rule && strings.Contains(p.String(), c.message) && p.Line > 0
		}
		if !found {
			t.Errorf("%s: no %s with %q in %v", name, c.rule, c.message, im.Problems)
		}
	}
	im, err := Import(tree(map[string]string{"install.sh": "true\n"}))
	if err != nil || im.Inventory != "" || len(im.Notes) != 1 || !strings.Contains(im.Notes[0], "no inventory is proposed: no etc/hosts") {
		t.Errorf("nothing to go by: %+v %v", im, err)
	}
	if _, err := Import(tree(map[string]string{"README": "x"})); err == nil || !strings.Contains(err.Error(), "neither an etc folder nor a script") {
		t.Errorf("empty: %v", err)
	}
}

// TestImportHostile: a tree from a stranger is read within bounds, and nothing outside of it.
func TestImportHostile(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(outside, "zk:SECRET:2181/mesos\n")
	write(filepath.Join(dir, "etc/mesos/big"), strings.Repeat("zk:a:1/x ", maxFile/8))
	write(filepath.Join(dir, "etc/mesos/binary"), "zk:a:1/x\x00")
	write(filepath.Join(dir, "etc/"+strings.Repeat("d/", maxDepth+2)+"zk"), "x")
	write(filepath.Join(dir, "install.sh"), "ls hdfs:/\x1b[31mred\x07"+strings.Repeat("long", 1000)+"\n"+strings.Repeat("cat > /a.sh <<X\n", 1000)+strings.Repeat("/etc/Mesos", 5000)+"\n")
	write(filepath.Join(dir, "etc/hosts"), "10.0.0.1 {role:master,x}\n10.0.0.2 m\n10.0.0.3 '\n999.0.0.1 x\n"+hosts)
	for _, link := range []struct{ to, name string }{{outside, "etc/mesos/zk"}, {filepath.Dir(outside), "etc/linked"}, {"/", "etc/root"}} {
		if err := os.Symlink(link.to, filepath.Join(dir, link.name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "etc/mesos/fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	im, err := Import(root.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range im.Problems {
		if s := p.String(); strings.Contains(s, "SECRET") || strings.ContainsAny(s, "\x1b\x07") || len(s) > 4*maxQuote {
			t.Errorf("problem %q", s)
		}
	}
	notes := strings.Join(im.Notes, "\n")
	for _, want := range []string{"etc/linked, etc/mesos/fifo, etc/mesos/zk, etc/root were not read: not a regular file",
		"etc/mesos/big was not read: larger than", "etc/mesos/binary was not read: not a text", "was not read: too deep"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
	if strings.Contains(im.Inventory, "{role:master") {
		t.Errorf("a host's name got into the inventory:\n%s", im.Inventory)
	}
}

func TestImportManyFiles(t *testing.T) {
	files := fstest.MapFS{}
	for i := range maxFiles + 10 {
		files[fmt.Sprintf("etc/d/%05d", i)] = &fstest.MapFile{Data: []byte("x"), Mode: 0o644}
	}
	im, err := Import(files)
	if err != nil || im.Files != maxFiles || !strings.Contains(strings.Join(im.Notes, "\n"), "more than 5000 files") {
		t.Fatalf("%d files, %v, notes %v", im.Files, err, im.Notes)
	}
}

// TestImportTellsWhatItLeavesOut: links are counted, not listed, and where nothing was read, the reason is told.
func TestImportTellsWhatItLeavesOut(t *testing.T) {
	files := fstest.MapFS{}
	for i := range 12 {
		files[fmt.Sprintf("etc/alternatives/%02d", i)] = &fstest.MapFile{Data: []byte("/bin/sh"), Mode: fs.ModeSymlink | 0o777}
	}
	const links = "etc/alternatives/00, etc/alternatives/01, etc/alternatives/02, etc/alternatives/03, etc/alternatives/04 and 7 more were not read: not a regular file"
	if _, err := Import(files); err == nil || !strings.HasSuffix(err.Error(), "that can be read; "+links) {
		t.Errorf("error %v", err)
	}
	files["etc/hosts"] = &fstest.MapFile{Data: []byte(hosts), Mode: 0o644}
	im, err := Import(files)
	if err != nil || len(im.Notes) == 0 || im.Notes[0] != links || im.Files != 1 {
		t.Errorf("%v, %+v", err, im)
	}
	for i := range maxEntries {
		files[fmt.Sprintf("home/%06d", i)] = &fstest.MapFile{Mode: 0o644}
	}
	if im, err = Import(files); err != nil || !strings.Contains(strings.Join(im.Notes, "\n"), "what follows was not read: more than 100000 files and folders") {
		t.Errorf("a whole machine: %v, %v", err, im.Notes)
	}
}

// FuzzImport: whatever lies there, what is proposed is a valid inventory.
func FuzzImport(f *testing.F) {
	site, err := os.ReadFile("testdata/document/master1/etc/hadoop/conf.cluster-name/mapred-site.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("hadoop fs -put a-mesos-0.1.tgz /\ncat > /etc/mesos/zk <<X\nzk:h:1，/Mesos\nX\n", string(site), hosts, "server.1=10.162.2.91:2888:3888\n")
	f.Add("rm a.tgz; tar czf a.tgz a", "<configuration><property/></configuration>", "10.0.0.1 a\n", "server.1=a:1:2\nserver.2=b:1:2")
	f.Fuzz(func(t *testing.T, sh, site, hosts, zoo string) {
		im, err := Import(tree(map[string]string{"install.sh": sh, "m/etc/hadoop/conf/mapred-site.xml": site, "m/etc/hosts": hosts, "m/etc/zookeeper/conf/zoo.cfg": zoo, "m/etc/mesos/zk": sh}))
		if err != nil {
			t.Fatal(err)
		}
		if im.Inventory != "" {
			if _, err := cluster.Decode("proposal", strings.NewReader(im.Inventory)); err != nil {
				t.Errorf("proposed: %v\n%s", err, im.Inventory)
			}
		}
		for _, p := range im.Problems {
			if _, ok := cluster.FindRule(p.Rule); !ok || p.File == "" {
				t.Errorf("problem %+v", p)
			}
		}
	})
}
