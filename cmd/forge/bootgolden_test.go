package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
)

// pair is a whole cluster: one master, and one slave with a data disk.
const pair = `name: pair
networks: [{cidr: 10.162.2.0/24}]
nodes:
  - {name: master1, address: 10.162.2.91, role: master}
  - name: slave1
    address: 10.162.2.94
    role: slave
    attributes: {rack: r1}
    disks: [{mount: /data/1, device: /dev/disk/by-id/virtio-extra0}]
hdfs: {namenode_port: 9000, data_dirs: [/data/1/dfs/dn]}
mrv1: {port: 9001}
heap: {hadoop-hdfs-datanode: 200}
extra:
  hdfs-site: {dfs.heartbeat.interval: "2"}
` + quickJVMs

// quickJVMs are entries of an inventory's extra: on an emulated CPU the optimising compiler takes more time
// than it saves.
const quickJVMs = `
  zookeeper: {JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1"}
  hadoop-hdfs-namenode: {JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1"}
  hadoop-hdfs-datanode: {JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1"}
  hadoop-0.20-mapreduce-jobtracker: {JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1"}
  hadoop-0.20-mapreduce-tasktracker: {JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1"}
`

// TestBootGolden boots two clones of the one golden image into a cluster. The master learns what it is
// from the meta-data of its seed, the slave from the kernel's command line.
func TestBootGolden(t *testing.T) {
	t.Parallel()
	needMachine(t)
	f := builtGolden(t)
	b := f.builder(t)
	inventory := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(inventory, []byte(pair), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*bootTime) // and a reboot
	defer cancel()
	segment := vm.Network{Kind: vm.Multicast, Group: netip.AddrPortFrom(netip.MustParseAddr("239.255.42.1"), uint16(freePorts(t, 1)[0]))}
	blank := filepath.Join(t.TempDir(), "data.raw")
	if err := errors.Join(os.WriteFile(blank, nil, 0o600), os.Truncate(blank, 4<<30)); err != nil {
		t.Fatal(err)
	}
	boot := func(name, identity, flag string, firmware vm.Firmware, disks ...vm.Drive) *builder.Booted {
		m, err := b.Boot(ctx, builder.BootOptions{Role: "all", Firmware: firmware, Append: flag, Network: segment, Extra: disks,
			SerialLog: filepath.Join(t.TempDir(), name+".log"),
			Seed:      builder.SeedOptions{Node: name, Inventory: inventory, Identity: identity, Shell: true}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		return m
	}
	machines := []*builder.Booted{
		boot("master1", "meta-data", "", vm.UEFI),
		boot("slave1", "none", "forge.role=slave forge.node=slave1", vm.BIOS, vm.Drive{Path: blank}),
	}
	results := reachAll(ctx, t, machines, node.LevelInRole)
	if results == nil {
		return
	}
	master, slave := results[0], results[1]
	expectNode(t, master.Status, "master1", "master", "cloud-init's meta-data", map[string][]int{
		"zookeeper": {2181}, "hadoop-hdfs-namenode": {9000, 50070}, "mesos-master": {5050}, "marathon": {8080}, "hadoop-0.20-mapreduce-jobtracker": {9001, 50030}})
	expectNode(t, slave.Status, "slave1", "slave", "the kernel command line", map[string][]int{
		"hadoop-hdfs-datanode": {50010, 50020, 50075}, "hadoop-0.20-mapreduce-tasktracker": {50060}, "mesos-slave": {5051}})
	expectClones(t, master, slave)
	onMaster, onSlave := openConsole(ctx, t, machines[0]), openConsole(ctx, t, machines[1])
	lookInside(t, masterInside, func(command string) (string, error) { return onMaster.run(ctx, t, command), nil })
	lookInside(t, slaveInside, func(command string) (string, error) { return onSlave.run(ctx, t, command), nil })
	shareAddress(ctx, t, onMaster, onSlave)
	killAndReboot(ctx, t, machines[1], onSlave)
	for _, m := range machines {
		if err := m.PowerOff(ctx); err != nil {
			t.Error(err)
		}
	}
}

// reachAll waits until all machines have reached a level; nil if one has not.
func reachAll(ctx context.Context, t *testing.T, machines []*builder.Booted, level node.Level) []*builder.BootResult {
	t.Helper()
	results := make([]*builder.BootResult, len(machines))
	errs := make([]error, len(machines))
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() { results[i], errs[i] = m.Reach(ctx, level) })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", machines[i].Seed.Node.Name, err)
			results = nil
		}
	}
	return results
}

// expectNode checks who a node is, that nothing is wrong with it, and which services of it listen where.
func expectNode(t *testing.T, s *node.Status, name, role, source string, listens map[string][]int) {
	t.Helper()
	if s.Node != name || s.Role != role || s.Source != source || len(s.Errors)+len(s.Warnings) > 0 {
		t.Errorf("status of %s, role %s: %+v", name, role, s)
	}
	got := map[string][]int{}
	for _, svc := range s.Services {
		got[svc.Name] = nil
		for _, p := range svc.Ports {
			if p.Listening {
				got[svc.Name] = append(got[svc.Name], p.Number)
			}
		}
		for _, h := range svc.Health {
			if !h.OK {
				t.Errorf("%s: %s: %s: %s", name, svc.Name, h.Name, h.Message)
			}
		}
	}
	if want := fmt.Sprint(listens); fmt.Sprint(got) != want {
		t.Errorf("%s listens on %v, want %s", name, got, want)
	}
	for _, o := range s.Others {
		if o.State != node.Stopped && o.State != node.Missing {
			t.Errorf("%s is %s on %s", o.Name, o.State, name)
		}
	}
}

// expectClones checks that two clones of one image are two machines.
func expectClones(t *testing.T, one, two *builder.BootResult) {
	t.Helper()
	a, b := one.Facts, two.Facts
	for what, pair := range map[string][2]string{
		"machine-id": {a.MachineID, b.MachineID}, "hostname": {a.Hostname, b.Hostname}, "instance-id": {a.InstanceID, b.InstanceID},
		"ed25519 host key": {a.HostKeys["ssh-ed25519"], b.HostKeys["ssh-ed25519"]},
		"ecdsa host key":   {a.HostKeys["ecdsa-sha2-nistp256"], b.HostKeys["ecdsa-sha2-nistp256"]},
	} {
		if pair[0] == "" || pair[1] == "" || pair[0] == pair[1] {
			t.Errorf("%s of two clones: %q and %q; want two different ones", what, pair[0], pair[1])
		}
	}
}

// shareAddress gives the slave the master's address, as if both had been started with one seed: the master's
// agent tells of it, and is content again afterwards.
func shareAddress(ctx context.Context, t *testing.T, onMaster, onSlave *console) {
	t.Helper()
	const link = "$(ip -o -4 addr | awk '/10.162.2.94/ {print $2}')"
	mac := onSlave.run(ctx, t, "cat /sys/class/net/"+link+"/address; ip addr add 10.162.2.91/32 dev "+link+" 2>/dev/null")
	// Who asked in this boot does not ask again.
	if again := onMaster.run(ctx, t, "forge-node apply >/dev/null 2>&1; echo $?"); again != "0" {
		t.Errorf("a second run asks the link again, and ends with exit status %s", again)
	}
	said := onMaster.run(ctx, t, "rm -f /run/forge/asked.json; forge-node apply 2>&1 | grep FAILED")
	onSlave.run(ctx, t, "ip addr del 10.162.2.91/32 dev "+link+" 2>/dev/null")
	if want := fmt.Sprintf("another machine (%s) has the address 10.162.2.91 of node master1, too", mac); mac == "" || !strings.Contains(said, want) {
		t.Errorf("forge-node says %q, want %q", said, want)
	}
	if after := onMaster.run(ctx, t, "forge-node apply >/dev/null 2>&1; echo $?"); after != "0" {
		t.Errorf("with the address for itself forge-node ends with exit status %s", after)
	}
}

// killAndReboot kills forge-node in the middle of its work on a changed inventory, and starts the machine
// again: it must come back into its role with the new setting and the old data.
func killAndReboot(ctx context.Context, t *testing.T, m *builder.Booted, c *console) {
	t.Helper()
	before, err := m.Facts(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	storage := c.run(ctx, t, "grep storageID /data/1/dfs/dn/current/VERSION")
	killed := c.run(ctx, t, "sed -i 's/datanode: 200/datanode: 208/' /etc/forge/cluster.yaml; systemctl restart --no-block forge-node; "+
		"for i in $(seq 200); do p=$(systemctl show -P MainPID forge-node); test $p != 0 && break; sleep 0.02; done; sleep 0.4; kill -9 $p && echo killed")
	if killed != "killed" {
		t.Errorf("kill -9 of forge-node: %q", killed)
	}
	if _, err := io.WriteString(c.keys, "systemctl reboot\n"); err != nil {
		t.Error(err)
	}
	awaitReboot(ctx, t, m, before.BootID)
	if _, err := m.Reach(ctx, node.LevelInRole); err != nil {
		t.Errorf("after kill -9 and a reboot: %v", err)
		return
	}
	c.prompt(ctx, t)
	if now := c.run(ctx, t, "grep storageID /data/1/dfs/dn/current/VERSION"); now != storage || storage == "" {
		t.Errorf("the DataNode's storage was %q and is %q", storage, now)
	}
	if heap := c.run(ctx, t, "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID hadoop-hdfs-datanode)/cmdline | grep Xmx"); heap != "-Xmx208m" {
		t.Errorf("the DataNode runs with %q after the reboot", heap)
	}
}

// golden is the build of the roles master and all, on the store of the build that the tests share.
var golden struct {
	sync.Once
	out string
}

// builtGolden is a forge with the results of the roles master and all in its output folder.
func builtGolden(t *testing.T) *forge {
	t.Helper()
	f := builtForge(t)
	golden.Do(func() {
		offline := f.flags
		f.out, f.flags = filepath.Join(work, "golden"), nil
		if _, errs, code := f.run("build", "--role", "master", "--role", "all"); code != 0 {
			t.Fatalf("forge build: exit status %d\n%s", code, errs)
		}
		golden.out, f.flags = f.out, offline
		keepDownloads(t, f.store)
	})
	if golden.out == "" {
		t.Fatal("the build of the roles master and all failed")
	}
	f.out = golden.out
	return f
}

// builder is a builder on the forge's store and results.
func (f *forge) builder(t *testing.T) *builder.Builder {
	t.Helper()
	b, err := builder.New(builder.Options{Checkout: f.checkout, Stack: "bookworm", Store: f.store, Out: f.out, Offline: true,
		Sink: event.Func(func(e event.Event) {
			if e.Message != "" {
				t.Log(e.Message)
			}
		})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}
