package main_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
)

const (
	nameNodeAddress = "10.162.2.91" // behind it, the machine finds the host's loopback
	slave2Address   = "10.162.2.95"
)

// bootBesideNameNode boots slave2 by UEFI, first without a NameNode, and then watches it register
// with one. In the meantime it looks at the machine from inside.
func bootBesideNameNode(t *testing.T, f *forge) *builder.BootResult {
	ports := freePorts(t, 3)
	signer, key := newKey(t)
	// No route and no name server: nothing leads out of the machine but to the NameNode.
	inventory := filepath.Join(t.TempDir(), "cluster.yaml")
	err := os.WriteFile(inventory, fmt.Appendf(nil, `name: lab
networks: [{cidr: 10.162.2.0/24}]
nodes:
  - {name: master1, address: %s, role: master}
  - {name: slave1, address: 10.162.2.94, role: slave}
  - {name: slave2, address: %s, role: slave, attributes: {rack: r1}}
hdfs: {namenode: master1, namenode_port: %d, data_dirs: [/data/1/dfs/dn]}
heap: {hadoop-hdfs-datanode: 200}
extra: {hdfs-site: {dfs.heartbeat.interval: "2"}}
`, nameNodeAddress, slave2Address, ports[0]), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.New(builder.Options{Checkout: f.checkout, Stack: "bookworm", Store: f.store,
		Out: f.out, Sink: event.Func(func(e event.Event) { t.Log(e.Message) })})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	m, err := b.Boot(ctx, builder.BootOptions{Role: "slave", Firmware: vm.UEFI, SerialLog: filepath.Join(t.TempDir(), "serial.log"),
		Seed: builder.SeedOptions{Node: "slave2", Inventory: inventory, SSHKeys: []string{key}, Shell: true},
		Network: vm.Network{Kind: vm.User, Subnet: netip.MustParsePrefix("10.162.2.0/24"), Host: netip.MustParseAddr(nameNodeAddress),
			Forward: []vm.Forward{{HostPort: ports[1], Guest: netip.MustParseAddr(slave2Address), GuestPort: 22}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := m.Reach(ctx, node.LevelConfigured)
	if err != nil {
		t.Error(err)
		return nil
	}
	if waits := fmt.Sprintf("namenode %s:%d", nameNodeAddress, ports[0]); !strings.Contains(strings.Join(r.Status.Waits, ","), waits) {
		t.Errorf("waits for %v; want %s among them", r.Status.Waits, waits)
	}
	rootShell(ctx, t, m)
	client, err := ssh.Dial("tcp", m.SSH, &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 2 * time.Minute})
	if err != nil {
		t.Errorf("log in as root with the seed's key: %v", err)
		return nil
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })()
	lookInside(t, client)
	n := startNameNode(t, f, ports[0], ports[2])
	watchDataNode(ctx, t, m, n)
	breakNode(ctx, t, m, client)
	if err := m.PowerOff(ctx); err != nil {
		t.Error(err)
	}
	return r
}

// rootShell types into the serial console.
func rootShell(ctx context.Context, t *testing.T, m *builder.Booted) {
	t.Helper()
	in, keys := io.Pipe()
	screen, out := io.Pipe()
	ends := make(chan error, 1)
	go func() {
		ends <- m.Attach(ctx, in, out)
		out.Close()
	}()
	go func() {
		_, _ = io.WriteString(keys, "\necho I am $(id -un)-$(tty)\n")
	}()
	var seen strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(seen.String(), "I am root-/dev/ttyS0") {
		n, err := screen.Read(buf)
		if err != nil {
			t.Errorf("no root shell on the console, %v; it said:\n%s", err, seen.String())
			return
		}
		seen.Write(buf[:n])
	}
	go func() { _, _ = io.Copy(io.Discard, screen) }()
	_, _ = keys.Write([]byte{vm.Detach})
	if err := <-ends; err != nil {
		t.Error(err)
	}
}

// lookInside checks, over SSH as root, what every machine promises.
func lookInside(t *testing.T, client *ssh.Client) {
	t.Helper()
	for _, c := range []struct{ what, command, want string }{
		{"root is locked", "passwd -S root | cut -d' ' -f2", "L"},
		{"no passwords over SSH", "sshd -T | grep -E '^(passwordauthentication|permitrootlogin)'", "permitrootlogin without-password\npasswordauthentication no"},
		{"chrony runs", "systemctl is-active chrony", "active"},
		{"logs are rotated", "systemctl is-active logrotate.timer; logrotate -d /etc/logrotate.conf 2>&1 | grep -c 'rotating pattern.*/var/log/\\(hadoop-hdfs\\|hadoop-0.20-mapreduce\\|mesos\\)/'", "active\n4"},
		{"no unit failed", "systemctl list-units --failed --no-legend --plain", ""},
		{"only forge-node starts the role", "systemctl list-unit-files --no-legend 'hadoop-*' 'mesos-*' 'forge-node*' | awk '{print $1, $2}' | sort",
			"forge-node-channel.service static\nforge-node.service enabled\n" +
				"hadoop-0.20-mapreduce-jobtracker.service disabled\nhadoop-0.20-mapreduce-tasktracker.service enabled-runtime\n" +
				"hadoop-hdfs-datanode.service enabled-runtime\nhadoop-hdfs-namenode.service disabled\nhadoop-hdfs-secondarynamenode.service disabled\n" +
				"mesos-master.service disabled\nmesos-slave.service enabled-runtime"},
		{"file limits of the DataNode", "grep -E 'open files|processes' /proc/$(systemctl show -P MainPID hadoop-hdfs-datanode)/limits | awk '{print $(NF-2), $(NF-1)}'", "32768 32768\n32768 32768"},
		{"file limits of a login", "su -s /bin/sh hdfs -c 'ulimit -n'", "32768"},
		{"heap from the inventory", "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID hadoop-hdfs-datanode)/cmdline | grep Xmx", "-Xmx200m"},
		{"the role's sysctl wins", "sysctl -n vm.swappiness net.ipv4.ip_local_reserved_ports", "1\n50010,50020,50060,50075"},
		{"flags of mesos-slave", "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID mesos-slave)/cmdline | grep -E '^--(master|ip|hostname|attributes)='",
			"--master=zk://10.162.2.91:2181/mesos\n--attributes=rack:r1\n--hostname=slave2\n--ip=10.162.2.95"},
		{"names of the nodes", "getent hosts slave2 master1", "10.162.2.95     slave2\n10.162.2.91     master1"},
		{"data directory", "stat -c '%U:%G %a' /data/1/dfs/dn", "hdfs:hdfs 700"},
		{"a second run changes nothing", "before=$(systemctl show -P MainPID hadoop-hdfs-datanode mesos-slave); forge-node apply >/dev/null && test \"$before\" = \"$(systemctl show -P MainPID hadoop-hdfs-datanode mesos-slave)\" && echo same", "same"},
	} {
		out, err := onMachine(client, c.command)
		if got := strings.TrimSpace(out); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

// breakNode takes the node out of its inventory: what a seed with a wrong inventory does.
func breakNode(ctx context.Context, t *testing.T, m *builder.Booted, client *ssh.Client) {
	t.Helper()
	if out, err := onMachine(client, "sed -i /slave2/d /etc/forge/cluster.yaml; ! forge-node apply"); err != nil {
		t.Errorf("forge-node apply on a wrong seed: %v\n%s", err, out)
	}
	_, err := m.WaitFor(ctx, node.LevelConfigured)
	for _, want := range []string{"machine slave2 is not configured", "the node says that it failed", `node "slave2", which is not in the inventory`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("on a wrong seed: %v; want %q", err, want)
		}
	}
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
