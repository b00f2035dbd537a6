package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
)

// MachinesOptions say which nodes of an inventory run as virtual machines, and on what.
type MachinesOptions struct {
	Seed      SeedOptions // its Inventory, Secrets and Stdin
	Nodes     []string    // names; [AllNodes] alone: every one
	Golden    bool        // every node from the image of recipe.Golden
	MemoryMiB int         // of each; 0: 2048
	DataSize  int64       // bytes of a data disk that is made
	Replace   bool        // machines over an older image begin anew, with their data disks
}

// AllNodes stands for every node of the inventory.
const AllNodes = "all"

// segmentGroup is the multicast address of the machines' network, on the host's loopback; its port tells clusters apart.
const segmentGroup = "239.255.42.2"

// dataDisk is how a machine's guest finds its data disks, in the inventory's order.
const dataDisk = "/dev/disk/by-id/virtio-extra"

// Machines are nodes of a cluster that run as virtual machines of this process, on a network of their own that
// leads nowhere else and needs no privileges. What they write lies in a folder for each below Dir, for the next time.
type Machines struct {
	Dir   string
	nodes []*runningNode
	lock  *flock.Flock
}

type runningNode struct {
	node    cluster.Node
	machine *vm.Machine
	log     string
	agent   func(context.Context) (*node.Status, error) // asks the machine's agent
	wait    time.Duration                               // answerTime

	mu       sync.Mutex
	last     fleet.NodeStatus
	heard    time.Time     // when last was said
	asked    chan struct{} // closed when the last question has its answer, or will have none
	patience time.Duration // for the answer to the next
}

const (
	// answerTime is how long a status waits for a machine's agent, before it tells the last that is known.
	answerTime = 10 * time.Second
	// longestAnswer is how long an answer may take at most: by then the agent itself has given up.
	longestAnswer = 70 * time.Second
	// silence is how long the last answer counts.
	silence = 3 * time.Minute
)

// MachinesDir is the folder of a cluster's machines in a folder for results.
func MachinesDir(out, clusterName string) string { return filepath.Join(out, "machines", clusterName) }

// UpMachines starts nodes as machines, all at once, from the disks in the output folder: each writes onto an
// overlay of its own. It does not wait for the nodes.
func (b *Builder) UpMachines(ctx context.Context, opt MachinesOptions) (_ *Machines, err error) {
	opt.Seed.Declared, opt.Seed.SecretsDir = secretsOf(b.stack), SecretsDir(b.opt.Out)
	_, inv, err := readInventory(opt.Seed.Inventory)
	if err != nil {
		return nil, err
	}
	nodes, err := chosenNodes(inv, opt.Nodes)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	segment := vm.Network{Kind: vm.Multicast, Group: netip.AddrPortFrom(netip.MustParseAddr(segmentGroup), uint16(port))}
	programs, err := b.machinePrograms(ctx, BootOptions{Firmware: vm.BIOS})
	if err != nil {
		return nil, err
	}
	m := &Machines{Dir: MachinesDir(b.opt.Out, inv.Name)}
	if m.lock, err = lockMachines(m.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	for _, n := range nodes {
		running, err := b.startMachine(ctx, opt, n, filepath.Join(m.Dir, n.Name), segment, programs)
		if err != nil {
			return nil, err
		}
		m.nodes = append(m.nodes, running)
	}
	return m, nil
}

// chosenNodes are the inventory's nodes of those names, in its order.
func chosenNodes(inv *cluster.Inventory, names []string) ([]cluster.Node, error) {
	if slices.Equal(names, []string{AllNodes}) {
		return inv.Nodes, nil
	}
	var nodes []cluster.Node
	for _, n := range inv.Nodes {
		if slices.Contains(names, n.Name) {
			nodes = append(nodes, n)
		}
	}
	for _, name := range names {
		if _, ok := inv.Node(name); !ok {
			return nil, fmt.Errorf("node %q is not in the inventory of cluster %q%s; its nodes: %s, or %s for every one", name, inv.Name,
				cluster.DidYouMean(name, inv.NodeNames()), strings.Join(inv.NodeNames(), ", "), AllNodes)
		}
	}
	return nodes, nil
}

// checkDataDisks refuses data disks that a machine can't have where the inventory expects them.
func checkDataDisks(n cluster.Node) error {
	for i, d := range n.Disks {
		if want := fmt.Sprintf("%s%d", dataDisk, i); d.Device != want {
			return fmt.Errorf("node %s: its data disk for %s is %s in the inventory, and a machine of forge has it as %s: write that, or leave the node out of --vm", n.Name, d.Mount, d.Device, want)
		}
	}
	return nil
}

// lockMachines makes the folder of a cluster's machines, and takes it for this process.
func lockMachines(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("machines: %w", err)
	}
	l := flock.New(filepath.Join(dir, "lock"))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("machines: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("the machines in %s run already: another forge up --vm has them; end it with Ctrl-C", dir)
	}
	return l, nil
}

func (b *Builder) startMachine(ctx context.Context, opt MachinesOptions, n cluster.Node, dir string, network vm.Network, programs vm.Programs) (*runningNode, error) {
	role := imageRole(n.Role, opt.Golden)
	image, err := b.roleDisk(role)
	if err != nil {
		return nil, err
	}
	opt.Seed.Node = n.Name
	s, err := NewSeed(opt.Seed)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("machine %s: %w", n.Name, err)
	}
	if err := s.Write(filepath.Join(dir, "seed.iso")); err != nil {
		return nil, err
	}
	disks, err := dataDisks(dir, len(n.Disks), opt.DataSize)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", n.Name, err)
	}
	base, err := b.baseImage(dir, image, opt.Replace)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", n.Name, err)
	}
	r := &runningNode{node: n, log: filepath.Join(dir, "serial.log"), wait: answerTime, patience: answerTime}
	// It is powered off in good order when ctx ends, not killed by it.
	r.machine, err = vm.Start(context.WithoutCancel(ctx), vm.Spec{Name: n.Name, Programs: programs, Disk: vm.Drive{Path: base}, Overlay: filepath.Join(dir, overlayName),
		Seed: filepath.Join(dir, "seed.iso"), Extra: disks, Firmware: vm.BIOS, ProbeCache: filepath.Join(b.store.Dir(), "kvm.json"),
		MemoryMiB: opt.MemoryMiB, Network: network, SerialLog: r.log, Events: b.opt.Sink})
	if err != nil {
		return nil, err
	}
	r.agent = r.machine.Status
	return r, nil
}

// baseImage is the image that a machine's overlay lies over: a link to the role's disk of when the machine was made, which
// stays when a build puts another one in its place. With replace the machine begins anew from the disk of now.
func (b *Builder) baseImage(dir, image string, replace bool) (string, error) {
	base, overlay := filepath.Join(dir, "base.qcow2"), filepath.Join(dir, overlayName)
	now, err := os.Stat(image)
	if err != nil {
		return "", err
	}
	was, err := os.Stat(base)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	case err == nil && os.SameFile(was, now):
		return base, nil
	case err == nil && !replace:
		b.opt.Sink.Emit(event.Event{Kind: event.Warning, Message: fmt.Sprintf("%s keeps the image that it was made of; --replace begins anew from the newer %s, and keeps data disks alone", dir, image)})
		return base, nil
	}
	for _, old := range []string{overlay, base} { // in this order: an overlay over another image is worthless
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return base, os.Link(image, base)
}

// overlayName is the file of a machine that takes what its guest writes.
const overlayName = "disk.qcow2"

// dataDisks returns a machine's data disks, and makes those that are not there: sparse files.
func dataDisks(dir string, n int, size int64) ([]vm.Drive, error) {
	var disks []vm.Drive
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("data%d.raw", i))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		fi, err := f.Stat()
		if err == nil && fi.Size() == 0 {
			err = f.Truncate(size)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		disks = append(disks, vm.Drive{Path: path})
	}
	return disks, nil
}

// Status asks all nodes at once how they are. A machine that has ended is stopped.
func (m *Machines) Status(ctx context.Context) ([]fleet.NodeStatus, error) {
	all := make([]fleet.NodeStatus, len(m.nodes))
	var asks errgroup.Group
	for i, n := range m.nodes {
		asks.Go(func() error {
			all[i] = n.status(ctx)
			return nil
		})
	}
	_ = asks.Wait()
	return all, ctx.Err()
}

func (n *runningNode) status(ctx context.Context) fleet.NodeStatus {
	s := fleet.NodeStatus{Node: n.node.Name, Role: n.node.Role, Address: n.node.Address, Level: fleet.LevelStopped}
	select {
	case <-n.machine.Done():
		s.Problem = "its machine has ended; its console is in " + n.log
		return s
	default:
		return n.latest(ctx, s)
	}
}

// latest is what the agent has said last.
func (n *runningNode) latest(ctx context.Context, s fleet.NodeStatus) fleet.NodeStatus {
	select {
	case <-n.ask(ctx, s):
	case <-time.After(n.wait):
	case <-ctx.Done():
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.last.Node == "": // before the agent runs
		return fleet.Starting(s, "it boots; its console is in "+n.log)
	case time.Since(n.heard) > silence:
		return fleet.Starting(s, fmt.Sprintf("its agent has said nothing since %s; its console is in %s", n.heard.Format(time.TimeOnly), n.log))
	}
	return n.last
}

// ask asks the agent how the node is, unless the answer to an earlier question is still to come: an emulated machine on a
// busy host may take longer for one than a person waits, and each further question would make it slower.
// The channel is closed when the answer is kept, or none came.
func (n *runningNode) ask(ctx context.Context, s fleet.NodeStatus) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked != nil {
		select {
		case <-n.asked:
		default:
			return n.asked
		}
	}
	answered := make(chan struct{})
	n.asked = answered
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.patience)
	go func() {
		defer close(answered)
		defer cancel()
		said, err := n.agent(ctx)
		n.mu.Lock()
		defer n.mu.Unlock()
		if err != nil { // it is not there yet, or slow
			n.patience = min(2*n.patience, longestAnswer)
			return
		}
		n.last, n.heard = fleet.StatusOf(s, said), time.Now()
	}()
	return answered
}

// PowerOff asks all machines to shut down, and waits until they have. When ctx ends first they are killed.
func (m *Machines) PowerOff(ctx context.Context) error {
	var all errgroup.Group
	for _, n := range m.nodes {
		all.Go(func() error {
			select {
			case <-n.machine.Done():
				return nil
			default:
			}
			return n.machine.PowerOff(ctx)
		})
	}
	return all.Wait()
}

// Close kills the machines that still run, and gives their folder up.
func (m *Machines) Close() error {
	var problems []error
	for _, n := range m.nodes {
		if n.machine != nil {
			problems = append(problems, n.machine.Close())
		}
	}
	return errors.Join(append(problems, m.lock.Close())...)
}

// RemoveMachines removes what the machines of a cluster keep, unless they run. It says whether there was anything.
func RemoveMachines(out, clusterName string) (bool, error) {
	dir := MachinesDir(out, clusterName)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	l, err := lockMachines(dir)
	if err != nil {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries { // the lock last: until then another forge sees it held
		if e.IsDir() {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return true, errors.Join(err, os.RemoveAll(dir), l.Close())
}

// MachineRoles returns the roles whose disks nodes of an inventory need, sorted. It refuses nodes that can't be machines.
func MachineRoles(inventory string, names []string, golden bool) ([]string, error) {
	_, inv, err := readInventory(inventory)
	if err != nil {
		return nil, err
	}
	nodes, err := chosenNodes(inv, names)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if err := checkDataDisks(n); err != nil {
			return nil, err
		}
	}
	return imageRoles(nodes, golden), nil
}
