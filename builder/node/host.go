package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/cluster"
)

// Node is a machine that becomes, or is, a node. Everything it reads and
// writes lies below Root; the functions are the machine's own, and tests put
// others there.
type Node struct {
	// Root is "/" on a node.
	Root string
	// Container is true in a container: there the supervisor is runit, the
	// host name and the addresses belong to the engine, and the kernel command
	// line is the host's.
	Container bool
	// Getenv reads the environment; looked at in containers alone.
	Getenv func(name string) string
	// Supervisor starts services; nil: configuration only.
	Supervisor Supervisor
	// Addresses returns what the interfaces have, and whether any interface but
	// loopback has a link.
	Addresses func() (addresses []netip.Addr, link bool, err error)
	// Neighbour returns the hardware address of another machine on the link that has an address of this
	// one, too, or "". The error is exec.ErrNotFound if nothing here can ask.
	Neighbour func(ctx context.Context, address netip.Addr) (string, error)
	// SetHostname sets the kernel's host name.
	SetHostname func(name string) error
	// Hostname returns it.
	Hostname func() (string, error)
	// Exec runs a program as a user and returns its output.
	Exec func(ctx context.Context, as User, argv []string) ([]byte, error)
	// OpenDisk opens a block device that nothing else uses.
	OpenDisk func(path string) (*Disk, error)
	// Dial connects to a peer or a local port.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the time, and Sleep waits, for the limits on waiting alone.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Patience is how long Apply waits for the node's address to appear, and then
	// for the devices of its disks and its network file systems, all together.
	Patience time.Duration
	// Settle is how long a service must have run to count as stable, and
	// SettleAgain how long if it was restarted before.
	Settle, SettleAgain time.Duration

	steps steps // tests alone
}

// New returns the machine that this process runs on.
func New() *Node {
	n := &Node{
		Root: "/", Getenv: os.Getenv, Addresses: interfaceAddresses, Neighbour: askNeighbours,
		SetHostname: func(name string) error { return unix.Sethostname([]byte(name)) },
		Hostname:    os.Hostname, Exec: runAs, OpenDisk: openDisk, Dial: (&net.Dialer{}).DialContext, Now: time.Now, Sleep: sleep,
		Patience: 30 * time.Second, Settle: 10 * time.Second, SettleAgain: 60 * time.Second,
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		n.Supervisor = &Systemd{Exec: n.Exec}
	} else if bootsWithUpstart(n.Root) {
		n.Supervisor = &Upstart{Root: n.Root, Exec: n.Exec}
	} else {
		n.Container = true
		if _, err := exec.LookPath("runsvdir"); err == nil {
			n.Supervisor = &Runit{Dir: runitDir, Exec: n.Exec}
		}
	}
	return n
}

// path is where an absolute path of the node lies.
func (n *Node) path(p string) string { return filepath.Join(n.Root, p) }

// Inventory reads the node's inventory.
func (n *Node) Inventory() (*cluster.Inventory, error) {
	inv, err := cluster.Load(n.path(inventoryPath))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no inventory: %s does not exist; the node's seed writes it (forge seed --node NAME), or the image was built with --inventory", inventoryPath)
	}
	return inv, err
}

const inventoryPath = "/etc/forge/cluster.yaml"

// Machine reads memory and processors. In a container its limits count.
func (n *Node) Machine() cluster.Machine {
	m := cluster.Machine{CPUs: countCPUs(n.path("/proc/cpuinfo"))}
	data, _ := readBounded(n.path("/proc/meminfo"), 1<<16)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kib, _ := strconv.Atoi(f[1])
			m.RAM = kib / 1024
		}
	}
	if n.Container {
		for _, file := range []string{"memory.max", "memory/memory.limit_in_bytes"} { // cgroup v2, v1
			limit, _ := readBounded(n.path("/sys/fs/cgroup/"+file), 64)
			if b, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil && int(b>>20) < m.RAM {
				m.RAM = int(b >> 20)
			}
		}
	}
	return m
}

func countCPUs(file string) int {
	data, _ := readBounded(file, 4<<20)
	return strings.Count("\n"+string(data), "\nprocessor")
}

func interfaceAddresses() ([]netip.Addr, bool, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, false, fmt.Errorf("list network interfaces: %w", err)
	}
	var all []netip.Addr
	link := false
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 && i.Flags&net.FlagRunning != 0 {
			link = true
		}
		all = append(all, addressesOf(i)...)
	}
	return all, link, nil
}

// addressesOf are the addresses of an interface; none, if it went away.
func addressesOf(i net.Interface) (all []netip.Addr) {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr().Unmap())
		}
	}
	return all
}

// outputPatience is how long the output of a program is waited for that has ended, or was told to.
const outputPatience = 10 * time.Second

// runAs runs a program with nothing of this process's environment.
func runAs(ctx context.Context, as User, argv []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=" + or(as.Home, "/root"), "USER=" + or(as.Name, "root")}
	if as.UID != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(as.UID), Gid: uint32(as.GID), Groups: as.Groups}}
	}
	cmd.WaitDelay = outputPatience
	out, err := cmd.CombinedOutput()
	// A program that it left behind and that holds its output says nothing against it.
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return out, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, lastLines(string(out), 5))
	}
	return out, nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
