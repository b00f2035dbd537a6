package builder

import (
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/cluster"
)

func TestVolumeRoot(t *testing.T) {
	mounts := []cluster.Mount{{Path: "/data/1"}, {Path: "/nfsmount", Source: "nas:/names"}}
	for path, want := range map[string]string{
		"/var/lib/zookeeper":          "/var/lib/zookeeper",
		"/var/lib/hadoop-hdfs/dfs/nn": "/var/lib/hadoop-hdfs",
		"/var/spool/x/y":              "/var/spool/x",
		"/data/1/dfs/dn":              "/data/1",
		"/data/10/dfs/dn":             "/data",
		"/nfsmount/dfs/nn":            "/nfsmount",
		"/srv/names":                  "/srv",
		"/etc/hadoop/conf":            "",
		"/var/log/mesos":              "",
		"/var/lib":                    "",
		"/run/x":                      "",
	} {
		if got := volumeRoot(path, mounts); got != want {
			t.Errorf("%s lies in %q, want %q", path, got, want)
		}
	}
}

// The example's nodes keep in volumes what they would miss, each its own, and a network file system together.
func TestVolumes(t *testing.T) {
	stack, err := loadStack("..", "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	b := &Builder{stack: stack}
	inv, err := cluster.Decode("cluster.yaml", strings.NewReader(`name: lab
networks: [{cidr: 10.1.2.0/24}]
nodes:
  - {name: master1, address: 10.1.2.1, role: master}
  - {name: slave1, address: 10.1.2.2, role: slave, disks: [{mount: /data/1, device: /dev/vdb}]}
nfs: [{source: "10.1.2.9:/names", mount: /nfsmount, nodes: [master1, slave1]}]
hdfs: {name_dirs: [/var/lib/hadoop-hdfs/dfs/nn, /nfsmount/dfs/nn], data_dirs: [/data/1/dfs/dn]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"master1": "master1-var-lib-zookeeper=/var/lib/zookeeper master1-var-lib-hadoop-hdfs=/var/lib/hadoop-hdfs master1-var-lib-forge=/var/lib/forge shared-nfsmount=/nfsmount",
		"slave1":  "slave1-data-1=/data/1 slave1-var-lib-forge=/var/lib/forge slave1-var-lib-mesos=/var/lib/mesos shared-nfsmount=/nfsmount",
	}
	for _, n := range inv.Nodes {
		volumes, err := b.volumes(inv, n, cluster.Machine{RAM: 2048, CPUs: 2}, false)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, v := range volumes {
			got[v.Name+"="+v.Path] = true
			if strings.HasPrefix(v.Path, "/etc") || strings.HasPrefix(v.Path, "/var/log") || v.Path == "/var/lib" {
				t.Errorf("%s keeps %s", n.Name, v.Path)
			}
		}
		for _, w := range strings.Fields(want[n.Name]) {
			if !got[w] {
				t.Errorf("%s has no volume %s: %v", n.Name, w, volumes)
			}
		}
	}
}
