package main_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
)

// bootMaster boots master1 of three by UEFI, looks at it from inside, and then starts it again with a role
// that is not the node's.
func bootMaster(t *testing.T, f *forge) {
	signer, key := newKey(t)
	address := netip.MustParseAddr("10.162.2.91")
	b := f.builder(t)
	inventory := filepath.Join(t.TempDir(), "cluster.yaml")
	example, err := os.ReadFile(filepath.Join(f.checkout, "cluster.example.yaml"))
	if err == nil {
		err = os.WriteFile(inventory, append(example, "\nextra:\n"+quickJVMs...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	m, err := b.Boot(ctx, builder.BootOptions{Role: "master", Firmware: vm.UEFI, SerialLog: filepath.Join(t.TempDir(), "serial.log"),
		Seed: builder.SeedOptions{Node: "master1", Identity: "user-data", Inventory: inventory, SSHKeys: []string{key}},
		Network: vm.Network{Kind: vm.User, Subnet: netip.MustParsePrefix("10.162.2.0/24"), Restrict: true,
			Forward: []vm.Forward{{HostPort: freePorts(t, 1)[0], Guest: address, GuestPort: 22}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := m.Reach(ctx, node.LevelConfigured)
	if err != nil {
		t.Error(err)
		return
	}
	if waits, want := strings.Join(r.Status.Waits, ", "), "zookeeper-peer 10.162.2.92:3888, zookeeper-peer 10.162.2.93:3888"; !strings.Contains(waits, want) {
		t.Errorf("waits for %s; want %s among them", waits, want)
	}
	client := logIn(ctx, t, m, signer)
	if client == nil {
		return
	}
	lookInside(t, append(everyInside, masterOfThreeInside...), func(command string) (string, error) { return onMachine(client, command) })
	version := "grep namespaceID /var/lib/hadoop-hdfs/dfs/nn/current/VERSION" // its date is that of the last start
	formatted, err := onMachine(client, version)
	if err != nil {
		t.Error(err)
	}
	wrongRole(ctx, t, m, client)
	if client = logIn(ctx, t, m, signer); client == nil {
		return
	}
	if out, err := onMachine(client, "sed -i 's/slave/master/' /etc/forge/node.yaml; systemctl restart forge-node"); err != nil {
		t.Errorf("forge-node with the right role again: %v\n%s", err, out)
	}
	if _, err := m.Reach(ctx, node.LevelConfigured); err != nil {
		t.Error(err)
	}
	if now, err := onMachine(client, version); err != nil || now != formatted || !strings.Contains(now, "namespaceID") {
		t.Errorf("the NameNode was formatted as %q and is after a reboot %q, %v", formatted, now, err)
	}
	if err := m.PowerOff(ctx); err != nil {
		t.Error(err)
	}
}

// wrongRole gives the node a role that neither the inventory nor the image has for it, and reboots: the
// machine comes up to its login prompt, and says on the console what is wrong.
func wrongRole(ctx context.Context, t *testing.T, m *builder.Booted, client *ssh.Client) {
	t.Helper()
	before, err := m.Facts(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	console, err := os.ReadFile(m.SerialLog)
	if err != nil {
		t.Error(err)
	}
	_, _ = onMachine(client, "sed -i 's/master$/slave/; s/\"master\"/\"slave\"/' /etc/forge/node.yaml; systemctl reboot") // which ends the connection
	awaitReboot(ctx, t, m, before.BootID)
	_, err = m.WaitFor(ctx, node.LevelConfigured)
	said := `says role "slave", but node "master1"`
	for _, want := range []string{"machine master1 is not configured", "the node says that it failed", said} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with a wrong role: %v; want %q", err, want)
		}
	}
	now, err := os.ReadFile(m.SerialLog)
	for deadline := time.Now().Add(2 * time.Minute); err == nil && time.Now().Before(deadline) && !strings.Contains(string(now[len(console):]), "login: "); {
		time.Sleep(time.Second)
		now, err = os.ReadFile(m.SerialLog)
	}
	for _, want := range []string{"forge-node: ", said, "login: "} {
		if err != nil || !strings.Contains(string(now[len(console):]), want) {
			t.Errorf("the console does not say %q, %v; it says:\n%s", want, err, now[len(console):])
		}
	}
}

// awaitReboot waits until the agent answers from another boot.
func awaitReboot(ctx context.Context, t *testing.T, m *builder.Booted, boot string) {
	t.Helper()
	for {
		after, err := m.Facts(ctx)
		if err == nil && after.BootID != boot {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s did not come back: %v, %v", m.Seed.Node.Name, context.Cause(ctx), err)
		}
		time.Sleep(time.Second)
	}
}

// logIn connects over SSH as root, with the seed's key.
func logIn(ctx context.Context, t *testing.T, m *builder.Booted, signer ssh.Signer) *ssh.Client {
	t.Helper()
	var client *ssh.Client
	var err error
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(time.Second) {
		client, err = ssh.Dial("tcp", m.SSH, &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: time.Minute})
		if err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("log in as root with the seed's key: %v", err)
		return nil
	}
	stop := context.AfterFunc(ctx, func() { client.Close() })
	t.Cleanup(func() { stop(); client.Close() })
	return client
}

// inside is a question to a machine, as a shell command, and its answer.
type inside struct{ what, command, want string }

// lookInside asks a machine.
func lookInside(t *testing.T, questions []inside, run func(command string) (string, error)) {
	t.Helper()
	for _, q := range questions {
		out, err := run(q.command)
		if got := strings.TrimSpace(out); err != nil || got != q.want {
			t.Errorf("%s: %q, %v; want %q", q.what, got, err, q.want)
		}
	}
}

// everyInside is what every machine promises.
var everyInside = []inside{
	{"root is locked", "passwd -S root | cut -d' ' -f2", "L"},
	{"no passwords over SSH", "sshd -T | grep -E '^(passwordauthentication|permitrootlogin)'", "permitrootlogin without-password\npasswordauthentication no"},
	{"chrony runs", "systemctl is-active chrony", "active"},
	{"logs are rotated", "systemctl is-active logrotate.timer; logrotate -d /etc/logrotate.conf 2>&1 | grep -c 'rotating pattern.*/var/log/\\(hadoop-hdfs\\|hadoop-0.20-mapreduce\\|mesos\\)/'", "active\n4"},
	{"no unit failed", "systemctl list-units --failed --no-legend --plain", ""},
	{"file limits of a login", "su -s /bin/sh hdfs -c 'ulimit -n'", "32768"},
	{"the role's sysctl wins", "sysctl -n vm.swappiness net.ipv4.ip_local_reserved_ports", "1\n50010,50020,50030,50060,50070,50075,50090"},
	sameAfterApply,
}

// sameAfterApply runs the agent again: no inode, time, mode or owner of a file and no process may change.
var sameAfterApply = inside{"a second run changes nothing", `look() { find /etc /data /data/1 /var/lib/forge /var/lib/hadoop /var/lib/zookeeper -xdev \( -path '*/current/*' -o -path '*/dn/*' -o -path '*/version-2/*' -o -path '*/tmp/*' \) -prune -o -printf '%p %i %m %u %g %T@\n' 2>/dev/null | sort;` +
	` systemctl show -P MainPID zookeeper hadoop-hdfs-namenode hadoop-hdfs-datanode mesos-master mesos-slave hadoop-0.20-mapreduce-jobtracker hadoop-0.20-mapreduce-tasktracker; };` +
	` look >/run/before; forge-node apply >/dev/null; look >/run/after; diff /run/before /run/after && test $(wc -l </run/after) -gt 500 && echo same`, "same"}

const enablement = "systemctl list-unit-files --no-legend 'hadoop-*' 'marathon*' 'mesos-*' 'zookeeper*' 'forge-node*' | awk '{print $1, $2}' | sort"

// masterOfThreeInside is what a machine of the role image master says that is the first of three.
var masterOfThreeInside = []inside{
	{"only forge-node starts the role", enablement, "forge-node-channel.service static\nforge-node-resume.service static\nforge-node.service enabled\n" +
		"hadoop-0.20-mapreduce-jobtracker.service disabled\nhadoop-0.20-mapreduce-tasktracker.service disabled\n" +
		"hadoop-hdfs-datanode.service disabled\nhadoop-hdfs-namenode.service enabled-runtime\nhadoop-hdfs-secondarynamenode.service disabled\n" +
		"marathon.service enabled-runtime\nmesos-master.service enabled-runtime\nmesos-slave.service disabled\nzookeeper.service enabled-runtime"},
	{"ZooKeeper's number", "cat /var/lib/zookeeper/myid; readlink /etc/zookeeper/conf/myid; stat -c %U:%G:%a /var/lib/zookeeper", "1\n/var/lib/zookeeper/myid\nzookeeper:zookeeper:750"},
	{"ZooKeeper's servers", "grep ^server /etc/zookeeper/conf/zoo.cfg", "server.1=10.162.2.91:2888:3888\nserver.2=10.162.2.92:2888:3888\nserver.3=10.162.2.93:2888:3888"},
	{"name directory", "stat -c '%U:%G' /var/lib/hadoop-hdfs/dfs/nn", "hdfs:hdfs"},
	{"flags of mesos-master", "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID mesos-master)/cmdline | grep -E '^--(zk|ip|hostname|quorum|cluster)=' | sort",
		"--cluster=lab\n--hostname=master1\n--ip=10.162.2.91\n--quorum=2\n--zk=zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos"},
}

// masterInside is what the master of a whole cluster says.
var masterInside = []inside{
	{"ZooKeeper serves", "zookeeper-client -server 10.162.2.91:2181 ls /mesos 2>/dev/null | grep -o 'json.info_0*'", "json.info_000000000"},
	{"one DataNode", "su -s /bin/sh hdfs -c 'hadoop dfsadmin -report' | grep -E '^(Datanodes available|Decommission)'", "Datanodes available: 1 (1 total, 0 dead)\nDecommission Status : Normal"},
	{"one TaskTracker", "su -s /bin/sh mapred -c 'hadoop job -list-active-trackers' | cut -d: -f1", "tracker_slave1"},
}

// slaveInside is what a slave of the golden image says.
var slaveInside = []inside{
	{"only forge-node starts the role", enablement, "forge-node-channel.service static\nforge-node-resume.service static\nforge-node.service enabled\n" +
		"hadoop-0.20-mapreduce-jobtracker.service disabled\nhadoop-0.20-mapreduce-tasktracker.service enabled-runtime\n" +
		"hadoop-hdfs-datanode.service enabled-runtime\nhadoop-hdfs-namenode.service disabled\nhadoop-hdfs-secondarynamenode.service disabled\n" +
		"marathon.service disabled\nmesos-master.service disabled\nmesos-slave.service enabled-runtime\nzookeeper.service disabled"},
	{"no number in the ensemble", "ls /var/lib/zookeeper/myid 2>&1 | grep -c 'No such file'", "1"},
	{"file limits of the DataNode", "grep -E 'open files|processes' /proc/$(systemctl show -P MainPID hadoop-hdfs-datanode)/limits | awk '{print $(NF-2), $(NF-1)}'", "32768 32768\n32768 32768"},
	{"heap from the inventory", "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID hadoop-hdfs-datanode)/cmdline | grep Xmx", "-Xmx200m"},
	{"flags of mesos-slave", "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID mesos-slave)/cmdline | grep -E '^--(master|ip|hostname|attributes)='",
		"--master=zk://10.162.2.91:2181/mesos\n--attributes=rack:r1\n--hostname=slave1\n--ip=10.162.2.94"},
	{"names of the nodes", "getent hosts slave1 master1", "10.162.2.94     slave1\n10.162.2.91     master1"},
	{"data directory", "stat -c '%U:%G %a' /data/1/dfs/dn; findmnt -no LABEL,FSTYPE,TARGET /data/1", "hdfs:hdfs 700\ndata-1 ext4   /data/1"},
	sameAfterApply,
}

// onMachine runs a command as root over SSH and returns its standard output.
func onMachine(client *ssh.Client, command string) (string, error) {
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	var errs bytes.Buffer
	session.Stderr = &errs
	out, err := session.Output(command)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, errs.String())
	}
	return string(out), err
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at the end, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
