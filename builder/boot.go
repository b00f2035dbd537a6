package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/disk"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// BootOptions say which disk is booted as which node, and on what machine.
type BootOptions struct {
	Role      string
	Seed      SeedOptions // without Node: the inventory's first of the role; without Inventory: the example
	Firmware  vm.Firmware
	DiskSize  int64  // bytes; 0: the image's own
	MemoryMiB int    // 0: 2048
	SerialLog string // "": serial.log beside the disk
	// Append are parameters for the kernel, such as forge.role=slave. With some the kernel is started by
	// QEMU, not by the disk's boot loader.
	Append string
	Extra  []vm.Drive // further disks
	// OwnPrograms takes QEMU from a tree that forge makes even where the host has it.
	OwnPrograms bool
	// Network; without a kind the machine has a card with a link and nobody on the other end, or, when
	// the seed has SSH keys, a network that leads in from a free port of the host's loopback and not out.
	Network vm.Network
}

// Booted is a machine that was started.
type Booted struct {
	*vm.Machine
	Seed      *Seed
	Firmware  vm.Firmware
	SerialLog string
	SSH       string // host and port that lead to the machine's port 22; "" without such a network

	temp    *store.Temp
	started time.Time
}

// Boot starts a machine from the role's disk in the output folder, with a seed of its own.
func (b *Builder) Boot(ctx context.Context, opt BootOptions) (*Booted, error) {
	r, err := b.stack.NodeRole(opt.Role)
	if err != nil {
		return nil, err
	}
	image, err := b.roleDisk(r.Name)
	if err != nil {
		return nil, err
	}
	s, err := b.bootSeed(r.Name, opt.Seed)
	if err != nil {
		return nil, err
	}
	programs, err := b.machinePrograms(ctx, opt)
	if err != nil {
		return nil, err
	}
	kernel, err := b.bootKernel(ctx, r.Name, opt.Append)
	if err != nil {
		return nil, err
	}
	network, ssh, err := network(opt.Network, s)
	if err != nil {
		return nil, err
	}
	temp, err := b.store.TempDir("boot")
	if err != nil {
		return nil, err
	}
	m := &Booted{Seed: s, SSH: ssh, Firmware: opt.Firmware, SerialLog: opt.SerialLog, temp: temp, started: time.Now()}
	if m.SerialLog == "" {
		m.SerialLog = filepath.Join(filepath.Dir(image), "serial.log")
	}
	iso := filepath.Join(temp.Dir, "seed.iso")
	if err := s.Write(iso); err != nil {
		return nil, errors.Join(err, temp.Remove())
	}
	m.Machine, err = vm.Start(ctx, vm.Spec{Name: s.Node.Name, Programs: programs, Disk: vm.Drive{Path: image}, DiskSize: opt.DiskSize, Kernel: kernel, Seed: iso, Extra: opt.Extra,
		Firmware: opt.Firmware, ProbeCache: filepath.Join(b.store.Dir(), "kvm.json"), MemoryMiB: opt.MemoryMiB, Network: network,
		SerialLog: m.SerialLog, Dir: temp.Dir, Events: b.opt.Sink})
	if err != nil {
		return nil, errors.Join(err, temp.Remove())
	}
	return m, nil
}

// roleDisk is the disk of a role in the output folder, which must be there.
func (b *Builder) roleDisk(role string) (string, error) {
	image := filepath.Join(b.opt.Out, role, "disk.qcow2")
	if _, err := os.Stat(image); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the role %s has no disk yet: %s does not exist; make it with: forge build --role %s", role, image, role)
	}
	return image, nil
}

// Close kills the machine, if it still runs, and removes its files.
func (m *Booted) Close() error { return errors.Join(m.Machine.Close(), m.temp.Remove()) }

// network fills in the network of a machine, and says where its port 22 is reached.
func network(n vm.Network, s *Seed) (vm.Network, string, error) {
	if n.Kind == vm.NoNetwork && len(s.spec.SSHKeys) == 0 {
		n.Kind = vm.Isolated
	}
	if n.Kind == vm.NoNetwork {
		address, err := netip.ParsePrefix(s.spec.Address)
		if err != nil {
			return n, "", fmt.Errorf("network of node %s: %w", s.Node.Name, err)
		}
		port, err := freePort()
		if err != nil {
			return n, "", fmt.Errorf("find a free port: %w", err)
		}
		n = vm.Network{Kind: vm.User, Subnet: address.Masked(), Restrict: true,
			Forward: []vm.Forward{{HostPort: port, Guest: address.Addr(), GuestPort: 22}}}
	}
	for _, f := range n.Forward {
		if f.GuestPort == 22 {
			return n, fmt.Sprintf("127.0.0.1:%d", f.HostPort), nil
		}
	}
	return n, "", nil
}

// freePort returns a port of the loopback that nobody used a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// bootSeed makes the seed of the node that a machine of the role is booted as.
func (b *Builder) bootSeed(role string, opt SeedOptions) (*Seed, error) {
	if opt.Inventory == "" {
		opt.Inventory = filepath.Join(b.opt.Checkout, exampleInventory)
		b.opt.Sink.Emit(event.Event{Kind: event.Warning, Message: "no inventory given and no cluster.yaml here: using " + opt.Inventory})
	}
	if opt.Node == "" {
		_, inv, err := readInventory(opt.Inventory)
		if err != nil {
			return nil, err
		}
		of := inv.NodesOf(role)
		if role == recipe.Golden {
			of = inv.Nodes
		}
		if len(of) == 0 {
			return nil, fmt.Errorf("the inventory %s has no node of the role %s; add one, or name another inventory with --inventory", opt.Inventory, role)
		}
		opt.Node = of[0].Name
	}
	opt.Declared, opt.SecretsDir = secretsOf(b.stack), SecretsDir(b.opt.Out)
	s, err := NewSeed(opt)
	if err == nil && s.Node.Role != role && role != recipe.Golden {
		err = fmt.Errorf("node %s has the role %s in %s, not %s; boot it with --role %s", s.Node.Name, s.Node.Role, opt.Inventory, role, s.Node.Role)
	}
	return s, err
}

// bootKernel takes kernel and initramfs from the tree that the role's disk was made of, and gives them the
// command line of the disk's boot loader and more. Without more the boot loader does it.
func (b *Builder) bootKernel(ctx context.Context, name, more string) (*vm.Kernel, error) {
	if more == "" {
		return nil, nil
	}
	g, roles, err := b.graphOf([]string{name}, func(r role) []*step.Step { return []*step.Step{r.boot} })
	if err != nil {
		return nil, err
	}
	done, err := b.exec.Execute(ctx, g)
	if err != nil {
		return nil, fmt.Errorf("kernel of the role %s: %w", name, err)
	}
	tree, err := b.store.TreePath(ctx, done[roles[0].boot.Name].Outputs["tree"].Digest)
	if err != nil {
		return nil, err
	}
	k := &vm.Kernel{Cmdline: disk.Cmdline(b.diskSeed(name), b.stack.Boot.Cmdline) + " " + more}
	for pattern, to := range map[string]*string{"vmlinuz-*": &k.Image, "initrd.img-*": &k.Initrd} {
		found, err := filepath.Glob(filepath.Join(tree, "boot", pattern))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("kernel of the role %s: %d files boot/%s in its tree, not 1", name, len(found), pattern)
		}
		*to = found[0]
	}
	return k, nil
}

// machinePrograms says where QEMU comes from: the host's own, if all of it is there, else a tree that
// forge makes of the stack's tools.
func (b *Builder) machinePrograms(ctx context.Context, opt BootOptions) (vm.Programs, error) {
	if !opt.OwnPrograms && vm.OnHost(opt.Firmware) {
		return vm.Programs{}, nil
	}
	b.made = map[string]*step.Step{}
	tree := b.toolsTree("tools-boot", b.stack.Tools.Boot)
	g, err := step.NewGraph(tree)
	if err != nil {
		return vm.Programs{}, err
	}
	done, err := b.exec.Execute(ctx, g)
	if err != nil {
		return vm.Programs{}, fmt.Errorf("make a tree with %s: %w", strings.Join(b.stack.Tools.Boot, ", "), err)
	}
	root, err := b.store.TreePath(ctx, done[tree.Name].Outputs["tree"].Digest)
	return vm.Programs{Root: root}, err
}
