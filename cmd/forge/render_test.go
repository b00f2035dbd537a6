package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/node"
)

// render runs forge render on the example's cluster.
func render(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return command(t, append([]string{"render", "--checkout", "../..", "--inventory", "../../cluster.example.yaml"}, args...)...)
}

func TestRenderShowsANode(t *testing.T) {
	out, err := render(t, "--node", "master2", "--ram", "4096")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"node master2 (10.162.2.92), role master, cluster lab\n",
		"=== /etc/hostname 0644 root:root\nmaster2\n",
		"# begin forge: nodes of the cluster\n10.162.2.91 master1\n",
		"=== /var/lib/zookeeper/myid 0644 root:root\n2\n",
		"HADOOP_HEAPSIZE=\"816\"\n", // a fifth of the memory, in steps of 16 MiB
		"\n--- directories\n", "/var/lib/hadoop/tmp 1777 root:root\n",
		"--- services, in the order of starting\nzookeeper as zookeeper; heap 400 MiB; ports client 2181; needs zookeeper-peer\n",
		"--- stays disabled\nazkaban-executor\nazkaban-solo\nazkaban-web\nhadoop-0.20-mapreduce-tasktracker\nhadoop-hdfs-datanode\nhadoop-hdfs-namenode\nmariadb\nmesos-slave\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestRenderAsJSON(t *testing.T) {
	out, err := render(t, "--node", "slave1", "--output", "json", "--role", "all")
	var one node.View
	if err != nil || json.Unmarshal([]byte(out), &one) != nil {
		t.Fatal(err, out)
	}
	if one.Node != "slave1" || len(one.Services) != 3 || len(one.Disabled) < 5 || len(one.Files) < 10 {
		t.Errorf("%+v", one)
	}
	out, err = render(t, "--all", "--output", "json", "--container")
	var all []node.View
	if err != nil || json.Unmarshal([]byte(out), &all) != nil || len(all) != 6 || all[5].Node != "slave3" {
		t.Errorf("%v, %d nodes", err, len(all))
	}
	if strings.Contains(out, "system-preset") || strings.Contains(out, "/etc/mesos-slave/ip") {
		t.Error("a container has files of a machine")
	}
}

func TestRenderDiff(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nodes")
	if out, err := render(t, "--all", "--to", dir); err != nil || !strings.Contains(out, "slave3: 18 files of node slave3\n") {
		t.Fatal(err, out)
	}
	if out, err := render(t, "--all", "--diff", dir); err != nil || out != "" {
		t.Errorf("what was just written differs: %v\n%s", err, out)
	}
	if _, err := render(t, "--node", "slave1", "--to", filepath.Join(dir, "slave1")); err == nil || !strings.Contains(err.Error(), "slave1 is not empty") {
		t.Errorf("error %v", err)
	}
	slave1 := filepath.Join(dir, "slave1")
	for name, content := range map[string]string{
		"etc/mesos/zk":              "zk:10.162.2.91:2181/Mesos\n",
		"etc/mesos-slave/isolation": "cgroups\n",
		"etc/other":                 "not forge's\n",
	} {
		if err := os.WriteFile(filepath.Join(slave1, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(slave1, "etc/mesos-slave/port")); err != nil {
		t.Fatal(err)
	}
	out, err := render(t, "--node", "slave1", "--diff", slave1)
	var status exitStatus
	if !errors.As(err, &status) || status != 1 {
		t.Errorf("error %v, want exit status 1", err)
	}
	for _, want := range []string{
		"-zk:10.162.2.91:2181/Mesos\n+zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos\n",
		"--- /dev/null\n+++ slave1:/etc/mesos-slave/port\n@@ -0,0 +1,1 @@\n+5051\n",
		"etc/mesos-slave/isolation\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-cgroups\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Count(out, "\ndiff ")+1 != 3 {
		t.Errorf("not three differences:\n%s", out)
	}
	out, err = render(t, "--all", "--diff", dir, "--output", "json")
	var all []compared
	if !errors.As(err, &status) || json.Unmarshal([]byte(out), &all) != nil || len(all) != 6 || all[3].Equal || all[3].Diff == "" || !all[4].Equal {
		t.Errorf("%v, %s", err, out)
	}
}

// TestRenderKnowsNoSecret: a preview names secrets, and comparing tells nothing of those that a node has.
func TestRenderKnowsNoSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "master3")
	users := filepath.Join(dir, "etc/azkaban/azkaban-users.xml")
	if _, err := render(t, "--inventory", "../../builder/testdata/azkaban.yaml", "--node", "master3", "--to", dir); err != nil {
		t.Fatal(err)
	}
	preview, err := os.ReadFile(users)
	info, statErr := os.Stat(users)
	if err != nil || statErr != nil || info.Mode().Perm() != 0o600 || !strings.Contains(string(preview), "&lt;secret azkaban-admin&gt;") {
		t.Fatalf("%v, %v, %v\n%s", err, statErr, info.Mode(), preview)
	}
	for _, c := range []struct {
		password, role string
		equal          bool
	}{{"hunter2", "admin", true}, {"hunter2", "root", false}} {
		text := strings.NewReplacer("&lt;secret azkaban-admin&gt;", c.password, `roles="admin"`, `roles="`+c.role+`"`).Replace(string(preview))
		if err := os.WriteFile(users, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := render(t, "--inventory", "../../builder/testdata/azkaban.yaml", "--node", "master3", "--diff", dir)
		if (err == nil) != c.equal || strings.Contains(out, c.password) || !c.equal && !strings.Contains(out, "They differ; their lines are not shown, since they hold secrets") {
			t.Errorf("%+v: %v\n%s", c, err, out)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "render needs either --node NAME, a node of the inventory, or --all"},
		{"--all --node slave1", "render needs either --node NAME"},
		{"--node slave7", `node "slave7" is not in the inventory of cluster "lab"; did you mean "slave1"?`},
		{"--node slave1 --role worker", `role "worker" not found in stack bookworm; there is: all, builder, master, slave`},
		{"--node master1 --role slave", `image of role slave: this image does not hold the role "master"; it holds: slave`},
		{"--all --role all --role slave", "want one, that of the image"},
		{"--all --to a --diff b", "--to and --diff don't go together"},
		{"--all --ram 0", "want at least 1"},
		{"--all --output xml", "want text or json"},
		{"--node slave1 --diff absent", "compare with a folder: open absent: no such file or directory"},
		{"--node slave1 --inventory absent.yaml", "no inventory: absent.yaml does not exist"},
		{"--node slave1 --inventory ../../builder/testdata/ha.yaml", "Hadoop 1.2.1 knows no pair of NameNodes: take hdfs.ha out of the inventory"},
		{"--node slave1 --stack bokworm", `did you mean "bookworm"?`},
	} {
		if _, err := render(t, strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("forge render %s: %v, want %q", c.args, err, c.want)
		}
	}
}
