package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/cluster"
)

const handMade = "../../builder/lint/testdata/document"

type lintOutput struct {
	Problems  []cluster.Problem
	Notes     []string
	Inventory string
}

// lint runs forge lint with JSON output.
func (f *forge) lint(status int, args ...string) lintOutput {
	f.t.Helper()
	out, errs, code := f.run(append([]string{"lint", "--output", "json"}, args...)...)
	if code != status {
		f.t.Fatalf("forge lint %v ended with %d, want %d\n%s%s", args, code, status, out, errs)
	}
	var got lintOutput
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	return got
}

// TestLintDocument: the program finds each of the document's 27 mistakes on the document's own files and
// commands, at its place, and says what is right.
func TestLintDocument(t *testing.T) {
	f := newForge(t)
	got := f.lint(1, "--import", handMade)
	site := "/etc/hadoop/conf.cluster-name/mapred-site.xml"
	for _, want := range []struct {
		rule, file string
		line       int
		text       string // in the message or the hint
	}{
		{"F01", "slave1/etc/Mesos/zk", 1, "write /etc/mesos/zk"},
		{"F01", "install.sh", 5, `the package "ZooKeeperd" has capital letters`},
		{"F01", "install.sh", 33, `the service "Zookeeper" has capital letters`},
		{"F02", "install.sh", 6, "myid is 1 on every node that is made of this"},
		{"F02", "slave1/etc/ZooKeeper/conf/myid", 1, "none elsewhere"},
		{"F03", "install.sh", 1, "Marathon is named, and nothing installs it"},
		{"F03", "install.sh", 99, "Azkaban is named, and nothing installs it"},
		{"F04", "install.sh", 11, "the egg of Mesos is 0.19.0_rc2, the package 0.19.0 (install.sh:7)"},
		{"F05", "master1/etc/Mesos-master/registry", 1, `registry is "in_memory"`},
		{"F05", "install.sh", 10, "write replicated_log"},
		{"F06", "master1/etc/Mesos/zk", 1, "write zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos"},
		{"F07", "slave1/etc/Mesos-slave/ip", 1, "ip is 192.168.2.94, an address that no node has"},
		{"F07", "install.sh", 28, "slave1 10.162.2.94"},
		{"F08", "install.sh", 38, `"chkconfig iptables"`},
		{"F08", "install.sh", 39, `"setenforce 0"`},
		{"F09", "install.sh", 40, `"addusr hadoop" is no command`},
		{"F10", "install.sh", 45, "write chown hdfs:hdfs"},
		{"F10", "install.sh", 61, "write sudo -u hdfs"},
		{"F11", "install.sh", 47, "a repository of precise on trusty"},
		{"F12", "install.sh", 50, "/etc/hadoop/conf.name is never made the active configuration"},
		{"F12", "master1" + site, 1, "update-alternatives --set hadoop-conf"},
		{"F13", "install.sh", 49, "there is no core-site.xml and no hdfs-site.xml"},
		{"F14", "install.sh", 61, "one NameNode, or hdfs.ha"},
		{"F15", "install.sh", 65, "write zookeeper,"},
		{"F16", "install.sh", 49, "hadoop-hdfs-namenode starts while it is installed"},
		{"F17", "install.sh", 73, "install hadoop-0.20-mapreduce-jobtracker"},
		{"F18", "install.sh", 89, `"/etc/profile.d/hadoop.sh" is executed`},
		{"F18", "master1/etc/profile.d/hadoop.sh", 2, "write it to /etc/default/SERVICE"},
		{"F19", "install.sh", 91, "is deleted here and made only in line 92"},
		{"F20", "install.sh", 92, "write hadoop-2.3.0-cdh5.1.2-mesos-0.19.0.tar.gz"},
		{"F20", "master2" + site, 8, "hadoop-2.3.0-cdh5.1.2-mesos.0.20.tar.gz says Mesos 0.20; Mesos is 0.19.0"},
		{"F21", "master1" + site, 1, "<name> stands where <configuration> is expected"},
		{"F22", "master1" + site, 6, `full-width comma "，" (U+FF0C)`},
		{"F22", "master1" + site, 6, "write zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos"},
		{"F23", "master2" + site, 8, "write hdfs://10.162.2.92:9000/"},
		{"F24", "master2" + site, 10, "mapred.job.tracker is 10.162.2.92:9001 here and 10.162.2.91:9001 in master1"},
		{"F25", "install.sh", 73, "hadoop-mesos 0.1.0 does not go with Mesos 0.19.0; hadoop-mesos 0.1.0 does not go with CDH 5.1.2"},
		{"F26", "install.sh", 97, "take spark-1.5.1-bin-hadoop2.6.tgz"},
		{"F27", "install.sh", 97, "neither spark-env.sh nor an executor URI"},
	} {
		file := filepath.Join(handMade, want.file)
		if !slices.ContainsFunc(got.Problems, func(p cluster.Problem) bool {
			return p.Rule == want.rule && p.File == file && p.Line == want.line && strings.Contains(p.String(), want.text)
		}) {
			t.Errorf("no %s at %s:%d with %q", want.rule, want.file, want.line, want.text)
		}
	}
	for _, r := range cluster.Rules()[:27] {
		if !slices.ContainsFunc(got.Problems, func(p cluster.Problem) bool { return p.Rule == r.ID }) {
			t.Errorf("rule %s is not shown", r.ID)
		}
	}
}

// TestLintProposal: the inventory that is proposed for the document's nodes has none of its mistakes.
func TestLintProposal(t *testing.T) {
	f := newForge(t)
	to := filepath.Join(f.dir, "cluster.yaml")
	out, errs, code := f.run("lint", "--import", handMade, "--to", to)
	if code != 1 || !strings.Contains(errs, "the proposed inventory is in "+to) || strings.Contains(out, "name: lab") {
		t.Errorf("status %d\n%s", code, errs)
	}
	inv, err := cluster.Load(to)
	if err != nil {
		t.Fatal(err)
	}
	d, err := inv.Derive("slave1", cluster.Machine{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Mesos.ZK != "zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos" || d.HDFS.DefaultFS != "hdfs://10.162.2.91:9000" ||
		d.MRv1.Address != "10.162.2.91:9001" || d.Node.Address != "10.162.2.94" || len(d.HDFS.DataDirs) != 4 || len(d.Cluster.Slaves) != 3 {
		t.Errorf("derived from the proposal: %+v", d)
	}
	if p := f.lint(0, "--inventory", to).Problems; len(p) > 0 {
		t.Errorf("the proposal has problems: %v", p)
	}
	if _, errs, code := f.run("lint", "--import", handMade, "--to", to); code != 1 || !strings.Contains(errs, "is there already and is not overwritten") {
		t.Errorf("second time: %d %s", code, errs)
	}
}

// TestLintExample: the corrected inventory and the stack have no problem, and what forge init writes is that inventory.
func TestLintExample(t *testing.T) {
	f := newForge(t)
	to := filepath.Join(f.dir, "cluster.yaml")
	out, errs, code := f.run("init", "--to", to)
	if code != 0 || !strings.Contains(out, "next: change the names and addresses in it, then forge lint --inventory "+to) {
		t.Errorf("init: %d %s%s", code, out, errs)
	}
	written, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../cluster.example.yaml")
	if err != nil || string(written) != string(example) {
		t.Errorf("init wrote something else than cluster.example.yaml (%v)", err)
	}
	if p := f.lint(0, "--inventory", to).Problems; len(p) > 0 {
		t.Errorf("problems: %v", p)
	}
	if _, errs, code := f.run("init", "--to", to); code != 1 || !strings.Contains(errs, to+" is there already and is not overwritten; name another file with --to") {
		t.Errorf("init again: %d %s", code, errs)
	}
}

// TestLintText: what a person reads, and the exit status.
func TestLintText(t *testing.T) {
	f := newForge(t)
	inv := filepath.Join(f.dir, "cluster.yaml")
	example, err := os.ReadFile("../../cluster.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(example), "10.162.2.94", "192.168.2.94", 1) + "accept: [{rule: F07, reason: it moves in May}]\nextra: {hdfs-sit: {a: b}}\n"
	if err := os.WriteFile(inv, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, code := f.run("lint", "--inventory", inv)
	if code != 1 || !strings.Contains(errs, "forge: 1 problem, 1 accepted") ||
		!strings.Contains(out, `node "slave1" has the address 192.168.2.94, which lies in none of the cluster's networks (10.162.2.0/24) [F07]`+"\n  accepted: it moves in May\n") ||
		!strings.Contains(out, `extra.hdfs-sit: no component of the stack bookworm renders that file; did you mean "hdfs-site"? [unknown-extra]`) {
		t.Errorf("status %d\n%s\n%s", code, out, errs)
	}
	if out, _, code := f.run("lint", "--rules"); code != 0 || !strings.Contains(out, "F22 ") || !strings.Contains(out, "can't be accepted") {
		t.Errorf("rules: %d\n%s", code, out)
	}
	for _, c := range []struct{ args, want string }{
		{"lint --inventory absent.yaml", "absent.yaml does not exist; forge init --to absent.yaml writes one"},
		{"lint --output yaml", "--output yaml: want text or json"},
		{"lint --to x", "--to belongs to --import"},
		{"lint --import absent", "hand-made node"},
		{"lint --import " + f.dir + "/checkout/docs", "it holds neither an etc folder nor a script"},
		{"lint --stack bookwurm", `stack "bookwurm" not found`},
	} {
		if _, errs, code := f.run(strings.Fields(c.args)...); code == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d %s", c.args, code, errs)
		}
	}
}
