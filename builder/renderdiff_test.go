package builder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
)

// slave1 is rendered below a new folder too.
func slave1(t *testing.T) (*node.Rendering, string) {
	t.Helper()
	p, err := NewPreview(PreviewOptions{Checkout: "..", Stack: "cdh5", Inventory: "../cluster.example.yaml", Machine: cluster.Machine{RAM: 2048, CPUs: 2}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Node("slave1")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "root")
	if err := r.Preview(dir); err != nil {
		t.Fatal(err)
	}
	return r, dir
}

// TestDiffFollowsANodesLinks: of alternatives, absolute ones, and none leads out of the folder.
func TestDiffFollowsANodesLinks(t *testing.T) {
	r, dir := slave1(t)
	conf, site := filepath.Join(dir, "etc/hadoop/conf.forge"), filepath.Join(dir, "etc/hadoop/conf.site")
	for _, err := range []error{
		os.Rename(conf, site),
		os.Symlink("/etc/alternatives/hadoop-conf", conf),
		os.MkdirAll(filepath.Join(dir, "etc/alternatives"), 0o755),
		os.Symlink("/../../etc/hadoop/../hadoop/conf.site", filepath.Join(dir, "etc/alternatives/hadoop-conf")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff, err := Diff(r, dir); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if err := os.Remove(conf); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("conf.forge", conf); err != nil {
		t.Fatal(err)
	}
	if _, err := Diff(r, dir); err == nil || !strings.Contains(err.Error(), "/etc/hadoop/conf.forge/core-site.xml: too many links") {
		t.Errorf("error %v", err)
	}
}

func TestDiffOfHosts(t *testing.T) {
	r, dir := slave1(t)
	hosts := filepath.Join(dir, "etc/hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n127.0.1.1 slave1\n10.0.0.1 printer\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	diff, err := Diff(r, dir)
	if err != nil || !strings.Contains(diff, "-127.0.1.1 slave1\n 10.0.0.1 printer\n+\n+# begin forge") {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestDiffReadsOnlyPlainFiles(t *testing.T) {
	r, dir := slave1(t)
	zk := filepath.Join(dir, "etc/mesos/zk")
	for want, place := range map[string]func() error{
		"/etc/mesos/zk: is not a plain file":          func() error { return os.Mkdir(zk, 0o755) },
		"/etc/mesos/zk: is larger than 4194304 bytes": func() error { return os.WriteFile(zk, make([]byte, maxCompared+1), 0o644) },
	} {
		if err := os.RemoveAll(zk); err != nil {
			t.Fatal(err)
		}
		if err := place(); err != nil {
			t.Fatal(err)
		}
		if _, err := Diff(r, dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
