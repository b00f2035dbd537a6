//go:build soak

package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/volume"

	"github.com/mesos-forge/forge/builder/fleet"
)

// TestClusterGolden is the document's cluster from the golden image, with all that a cluster meets.
func TestClusterGolden(t *testing.T) {
	u := builtGolden(t).up(t, newEngine(t), systemsInventory, "--golden")
	for _, s := range u.status(t) {
		if s.Status == nil || len(s.Status.Others) == 0 {
			t.Errorf("%s does not come from an image that holds other roles, too: %+v", s.Node, s.Status)
		}
	}
	large := writeLarge(t, u)
	large.count(t, u)
	closedPorts(t, u)
	killZooKeeperLeader(t, u)
	killSlave(t, u)
	replaceMaster(t, u, systemsInventory, large, "--golden")
	replaceSlave(t, u, systemsInventory, large, "--golden")
	cutNetwork(t, u, large)
	stopAll(t, u, systemsInventory, large, "--golden")
}

// TestClusterAnyOrder starts the nodes one after the other, each time in another order.
func TestClusterAnyOrder(t *testing.T) {
	f := builtGolden(t)
	u := f.up(t, newEngine(t), systemsInventory)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 3 {
		for _, b := range u.boxes {
			b.stop(60)
		}
		names := append(u.masters(), u.slaves()...)
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		t.Logf("starting in the order %v", names)
		for _, name := range names {
			u.boxes[name].start()
			time.Sleep(time.Duration(random.IntN(20)) * time.Second)
		}
		u.inRole()
		u.dataNodes(t, 3)
	}
}

// TestClusterDiskFull fills the disk of one DataNode: the others take what is written.
func TestClusterDiskFull(t *testing.T) {
	e := newEngine(t)
	const size = 160 << 20 // bytes
	made, err := e.api.VolumeCreate(t.Context(), volume.CreateOptions{Name: "forge-systems-slave3-data",
		Labels:     map[string]string{fleet.ClusterLabel: "systems", fleet.NodeLabel: "slave3"},
		DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs", "o": fmt.Sprintf("size=%d", size)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.api.VolumeRemove(t.Context(), made.Name, true) }) // for the case that up failed
	u := builtGolden(t).up(t, e, systemsInventory)
	slave := u.boxes["slave1"]
	slave.as("hdfs", "hadoop", "fs", "-mkdir", "/full")
	sums := map[string]string{}
	for i := range 4 {
		path := fmt.Sprintf("/full/%d", i)
		sums[path] = u.putRandom("slave1", "/tmp/part", 64<<20)
		slave.as("hdfs", "hadoop", "fs", "-put", "/tmp/part", path)
	}
	if out := u.boxes["slave3"].must("df", "--output=avail", "-B1M", "/data"); len(strings.Fields(out)) != 2 {
		t.Errorf("df: %q", out)
	}
	for path, sum := range sums {
		got := u.boxes["slave2"].as("hdfs", "sh", "-c", "hadoop fs -cat "+path+" | sha256sum")
		if strings.Fields(got)[0] != sum {
			t.Errorf("%s reads as %s, want %s", path, got, sum)
		}
	}
	u.inRole()
}

// TestClusterGrows adds a slave to the inventory and takes it out again: no service of the others starts again.
func TestClusterGrows(t *testing.T) {
	text := strings.NewReplacer("name: systems", "name: grows", "10.162.7.", "10.162.6.").Replace(systemsInventory)
	more := strings.Replace(text, "nfs: [", "  - {name: slave4, address: 10.162.6.97, role: slave, attributes: {rack: r2}}\nnfs: [", 1)
	f := builtForge(t)
	f.flags = nil // the masters' files are not in the store of a slave
	u := f.up(t, newEngine(t), text)
	before := u.pids(t)
	same := func(what string) {
		t.Helper()
		after := u.pids(t)
		for name, pid := range before {
			if after[name] != pid {
				t.Errorf("%s: process %d before %s, %d after", name, pid, what, after[name])
			}
		}
	}
	if said := u.again(t, more); !strings.Contains(said, "created       slave4\n") || strings.Count(said, "created ") != 1 {
		t.Errorf("forge up with one more slave says:\n%s", said)
	}
	same("slave4 came")
	u.dataNodes(t, 4)
	if got := u.boxes["slave1"].must("getent", "hosts", "slave4"); !strings.HasPrefix(got, "10.162.6.97 ") {
		t.Errorf("slave1 knows slave4 as %q", got)
	}
	u.again(t, text)
	if b := u.boxes["slave4"]; b != nil {
		t.Errorf("slave4 is still there: %s", b.id)
	}
	same("slave4 went")
}

// TestClusterUpgrade goes from one image to the next on the same data, and installs newer packages in place.
func TestClusterUpgrade(t *testing.T) {
	f := builtGolden(t)
	u := f.up(t, newEngine(t), systemsInventory)
	large := writeLarge(t, u)
	was := map[string]string{}
	for name, b := range u.boxes {
		was[name] = b.id
	}
	// What is in images alone: a package's content would need a new version.
	added := filepath.Join(f.checkout, "overlays", "container", "etc", "forge-next")
	err := os.MkdirAll(filepath.Dir(added), 0o755)
	if err == nil {
		err = os.WriteFile(added, []byte("the next image\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if said := u.again(t, systemsInventory); !strings.Contains(said, "replaced") {
		t.Errorf("forge up with new images says:\n%s", said)
	}
	for name, b := range u.boxes {
		if b.id == was[name] {
			t.Errorf("%s is still the container of the old image", name)
		}
		b.must("test", "-s", "/etc/forge-next")
	}
	u.dataNodes(t, 3)
	large.check(t, u, "slave3")

	// A newer package of the role, installed in place: nothing is asked, and no service starts again.
	role := filepath.Join(f.checkout, "recipes", "bookworm", "roles", "slave.yaml")
	text, err := os.ReadFile(role)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(strings.Replace(string(text), "revision: 1\n", "revision: 2\n", 1), "changelog:\n",
		"changelog:\n  - version: \"1\"\n    revision: 2\n    date: \"2026-11-25\"\n    changes: [\"A newer one.\"]\n", 1)
	if err := os.WriteFile(role, []byte(newer), 0o644); err != nil {
		t.Fatal(err)
	}
	sysctl := filepath.Join(f.checkout, "overlays", "slave", "etc", "sysctl.d", "60-forge-slave.conf")
	content, err := os.ReadFile(sysctl)
	if err == nil {
		err = os.WriteFile(sysctl, append(content, "# newer\n"...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := f.out
	f.out = t.TempDir()
	if _, errs, code := f.run("build", "--role", "slave", "--only", "packages", "--quiet"); code != 0 {
		t.Fatalf("forge build: exit status %d\n%s", code, errs)
	}
	debs, err := filepath.Glob(filepath.Join(f.out, "debs", "forge-role-slave_*-2_*.deb"))
	f.out = out
	if err != nil || len(debs) != 1 {
		t.Fatalf("newer packages of the role slave: %v, %v", debs, err)
	}
	deb, err := os.ReadFile(debs[0])
	if err != nil {
		t.Fatal(err)
	}
	before := u.pids(t)
	slave := u.boxes["slave1"]
	slave.put("/tmp/role.deb", deb)
	slave.must("sh", "-c", "dpkg --install /tmp/role.deb </dev/null")
	slave.must("grep", "-x", "# newer", "/etc/sysctl.d/60-forge-slave.conf")
	slave.must("forge-node", "apply")
	u.inRole()
	after := u.pids(t)
	for _, service := range []string{"hadoop-hdfs-datanode", "hadoop-0.20-mapreduce-tasktracker", "mesos-slave"} {
		if name := "slave1/" + service; after[name] != before[name] || after[name] == 0 {
			t.Errorf("%s: process %d before the newer package, %d after it", name, before[name], after[name])
		}
	}
	large.check(t, u, "slave1")
}

// TestClusterPair is the stack with two NameNodes, brought up with the command.
func TestClusterPair(t *testing.T) {
	f := builtForge(t)
	f.flags = []string{"--stack", "bookworm-ha"}
	u := f.up(t, newEngine(t), pairInventory)
	testEnsemble(t, u.testCluster)
	testPair(t, u.testCluster)
	testFailover(t, u.testCluster)
	active := u.oneActive()
	u.lose(t, active)
	u.again(t, pairInventory)
	if now := u.oneActive(); now == "" {
		t.Error("no NameNode is active after one was replaced")
	}
	for name, b := range u.boxes {
		if strings.HasPrefix(name, "master") {
			got := b.as("hdfs", "sh", "-c", "hadoop fs -cat /test/stream | wc -c")
			if strings.TrimSpace(got) != fmt.Sprint(30<<20) {
				t.Errorf("%s reads %s bytes of what the client wrote", name, got)
			}
			break
		}
	}
}

// TestClusterMachines runs a master and a slave as virtual machines, twice, on what they keep.
func TestClusterMachines(t *testing.T) {
	needMachine(t)
	f := builtGolden(t)
	inventory := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(inventory, []byte(pair), 0o644); err != nil {
		t.Fatal(err)
	}
	machine := filepath.Join(f.out, "machines", "pair", "slave1")
	storage := func() string {
		t.Helper()
		// The DataNode's own number lies on its data disk, which is an ext4 file system as a whole.
		out, err := exec.Command("debugfs", "-R", "cat /dfs/dn/current/VERSION", filepath.Join(machine, "data0.raw")).Output()
		if err != nil || !strings.Contains(string(out), "storageID=") {
			t.Fatalf("the slave's data disk: %v: %q", err, out)
		}
		_, id, _ := strings.Cut(string(out), "storageID=")
		return strings.Fields(id)[0]
	}
	kept := ""
	for i := range 2 {
		r := f.start("up", "--golden", "--vm", "all", "--inventory", inventory, "--timeout", (2 * bootTime).String())
		for !strings.Contains(r.messages(), "every node is in its role") {
			select {
			case <-r.ended:
				t.Fatalf("forge up --vm ended:\n%s", r.messages())
			case <-time.After(time.Second):
			}
		}
		if _, errs, code := f.run("up", "--golden", "--vm", "slave1", "--inventory", inventory); code != 1 || !strings.Contains(errs, "run already") {
			t.Errorf("a second forge up --vm: exit status %d, %s", code, errs)
		}
		if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if _, code := r.wait(); code != 0 {
			t.Errorf("after Ctrl-C: exit status %d\n%s", code, r.messages())
		}
		f.expectNothingLeft()
		if now := storage(); i == 0 {
			kept = now
		} else if now != kept {
			t.Errorf("the slave's storage was %s and is %s", kept, now)
		}
	}
	if out, errs, code := f.run("down", "--vm", "--inventory", inventory); code != 0 || !strings.Contains(out, "removed the machines of cluster pair") {
		t.Errorf("forge down --vm: exit status %d\n%s%s", code, out, errs)
	}
	if _, err := os.Stat(machine); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", machine, err)
	}
}
