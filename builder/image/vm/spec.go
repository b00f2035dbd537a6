package vm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// Firmware starts the machine.
type Firmware string

// The firmwares.
const (
	BIOS Firmware = "bios" // SeaBIOS, on QEMU's machine "pc"
	UEFI Firmware = "uefi" // OVMF without Secure Boot, on QEMU's machine "q35"
)

// Accel says what runs the guest's code.
type Accel string

// The accelerators.
const (
	Auto Accel = "auto" // KVM where it works, else TCG
	KVM  Accel = "kvm"  // KVM, or an error
	TCG  Accel = "tcg"  // emulation: everywhere, and 10 to 20 times slower
)

// Programs says where QEMU comes from.
type Programs struct {
	// Root is a file tree with QEMU and OVMF at Debian's places; "" means the host's own.
	Root string
	// Run starts a program; nil means sandbox.Run.
	Run func(ctx context.Context, s sandbox.Spec) error
}

func (p Programs) run(ctx context.Context, s sandbox.Spec) error {
	s.Root = p.Root
	if p.Run != nil {
		return p.Run(ctx, s)
	}
	return sandbox.Run(ctx, s)
}

// OnHost tells whether the host itself has all that a machine with this firmware needs.
func OnHost(firmware Firmware) bool {
	files := []string{"/usr/bin/" + qemu, "/usr/bin/" + qemuImg}
	if firmware == UEFI {
		files = append(files, ovmfCode, ovmfVars)
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			return false
		}
	}
	return true
}

// Drive is a disk of the machine.
type Drive struct {
	Path     string
	Format   string // as qemu-img names it; "" goes by the name's ending: .qcow2, .vmdk, .vhd, anything else is raw
	ReadOnly bool
}

// Spec describes a machine.
type Spec struct {
	// Name is the node's name; it stands in errors and in the network cards' addresses.
	Name     string
	Programs Programs
	// Disk is the image to boot. It is not written.
	Disk Drive
	// Overlay is the file that takes what the guest writes. It is made if it isn't there, and kept; "" is one that is
	// gone with the machine. Disk must stay what it was when the overlay was made.
	Overlay string
	// DiskSize is the size of the disk that the guest sees, in bytes; 0 means the image's own. A
	// smaller one is refused.
	DiskSize int64
	// Kernel is started directly, in place of what the disk's boot loader would start; nil: the boot loader.
	Kernel *Kernel
	// Seed is an image with the volume label cidata; "" means none.
	Seed string
	// Extra disks come after the seed; these are written unless ReadOnly. The guest finds the first as
	// /dev/disk/by-id/virtio-extra0, and so on.
	Extra    []Drive
	Firmware Firmware // "" means BIOS
	Accel    Accel    // "" means Auto
	// ProbeCache is a file in which the answer of Accelerator is kept; "" asks every time.
	ProbeCache string
	MemoryMiB  int // 0 means 2048
	CPUs       int // 0 means 2, emulated 1: clocks of several emulated CPUs drift apart on a busy host
	Network    Network
	// SerialLog is the file that gets all that the first serial port prints. It is overwritten.
	SerialLog string
	// Dir is where the machine's files go, in a directory of their own; "" means os.TempDir.
	Dir    string
	Events event.Sink // nil drops events
}

// Kernel is what QEMU starts by itself, as hypervisors do for guests whose command line they give.
type Kernel struct {
	Image, Initrd string // files
	Cmdline       string
}

// NetworkKind says what the machine's network card is connected to.
type NetworkKind string

// The kinds of networks.
const (
	NoNetwork NetworkKind = ""         // no card at all
	Isolated  NetworkKind = "isolated" // a card with a link, and nobody on the other end
	User      NetworkKind = "user"     // QEMU's own network: out through the host, in through Forward
	Multicast NetworkKind = "segment"  // a segment shared with all machines of the host that name the same Group
)

// Network is the machine's network card.
type Network struct {
	Kind NetworkKind
	// Subnet of a User network, and the address in it behind which the host's loopback is reached;
	// without them QEMU's 10.0.2.0/24 and 10.0.2.2.
	Subnet netip.Prefix
	Host   netip.Addr
	// Restrict cuts a User network off from everything but Forward.
	Restrict bool
	// Forward leads ports of the host's loopback into a User network.
	Forward []Forward
	// Group is the multicast group and port of a segment, such as 239.1.2.3:4567.
	Group netip.AddrPort
}

// Forward leads a TCP port of the host's loopback to one of the guest.
type Forward struct {
	HostPort  int
	Guest     netip.Addr // the zero Addr means the first address that DHCP gives
	GuestPort int
}

// Bounds of a Spec.
const (
	minMemoryMiB = 256
	maxMemoryMiB = 1 << 20
	maxCPUs      = 255
	maxExtra     = 16
	maxDisk      = 1 << 46
	maxCmdline   = 2047 // COMMAND_LINE_SIZE of x86, without the final NUL
)

var defaultCPUs = map[Accel]int{KVM: 2, TCG: 1}

var nameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// settle fills in defaults and refuses what QEMU would misread.
func (s Spec) settle() (Spec, error) {
	if s.Firmware == "" {
		s.Firmware = BIOS
	}
	if s.Accel == "" {
		s.Accel = Auto
	}
	if s.MemoryMiB == 0 {
		s.MemoryMiB = 2048
	}
	if s.Events == nil {
		s.Events = event.Discard
	}
	for _, check := range []func() error{s.checkMachine, s.checkFiles, s.Network.check} {
		if err := check(); err != nil {
			return s, fmt.Errorf("vm: machine %q: %w", s.Name, err)
		}
	}
	return s, nil
}

func (s Spec) checkMachine() error {
	switch {
	case !nameRule.MatchString(s.Name):
		return errors.New("its name is not a host name; use a-z, 0-9 and inner hyphens, 1 to 63 characters")
	case s.Firmware != BIOS && s.Firmware != UEFI:
		return fmt.Errorf("unknown firmware %q; there are: bios, uefi", s.Firmware)
	case s.Accel != Auto && s.Accel != KVM && s.Accel != TCG:
		return fmt.Errorf("unknown accelerator %q; there are: auto, kvm, tcg", s.Accel)
	case s.MemoryMiB < minMemoryMiB || s.MemoryMiB > maxMemoryMiB:
		return fmt.Errorf("%d MiB of memory are not between %d and %d", s.MemoryMiB, minMemoryMiB, maxMemoryMiB)
	case s.CPUs < 0 || s.CPUs > maxCPUs:
		return fmt.Errorf("%d CPUs are not between 1 and %d", s.CPUs, maxCPUs)
	case len(s.Extra) > maxExtra:
		return fmt.Errorf("%d extra disks are more than %d", len(s.Extra), maxExtra)
	case s.SerialLog == "":
		return errors.New("no file for the serial log; it is what a failed boot leaves behind")
	}
	return nil
}

func (s Spec) checkFiles() error {
	size, err := s.Disk.virtualSize()
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	switch {
	case s.DiskSize < 0 || s.DiskSize > maxDisk || s.DiskSize%512 != 0:
		return fmt.Errorf("a disk of %d bytes is not possible; give whole sectors of 512 bytes, at most 64 TiB", s.DiskSize)
	case s.DiskSize != 0 && s.DiskSize < size:
		return fmt.Errorf("a disk of %d bytes is smaller than the image %s, which has %d; a disk can only grow", s.DiskSize, s.Disk.Path, size)
	}
	if k := s.Kernel; k != nil {
		if len(k.Cmdline) > maxCmdline || strings.ContainsFunc(k.Cmdline, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("a kernel's command line is at most %d printable ASCII characters, not %.80q", maxCmdline, k.Cmdline)
		}
		for _, f := range []string{k.Image, k.Initrd} {
			if _, err := (Drive{Path: f, Format: "raw"}).virtualSize(); err != nil {
				return fmt.Errorf("kernel: %w", err)
			}
		}
	}
	for _, d := range append([]Drive{{Path: s.Seed}}, s.Extra...) {
		if d.Path == "" && s.Seed == "" {
			continue
		}
		if _, err := d.virtualSize(); err != nil {
			return err
		}
	}
	return nil
}

func (n Network) check() error {
	switch n.Kind {
	case NoNetwork, Isolated, User:
	case Multicast:
		if !n.Group.Addr().Is4() || !n.Group.Addr().IsMulticast() || n.Group.Port() == 0 {
			return fmt.Errorf("network: %s is not an IPv4 multicast group with a port such as 239.1.2.3:4567", n.Group)
		}
	default:
		return fmt.Errorf("unknown network %q; there are: isolated, user, segment, and none at all", n.Kind)
	}
	if n.Kind != User && (len(n.Forward) > 0 || n.Subnet.IsValid() || n.Host.IsValid() || n.Restrict) {
		return errors.New("network: only a user network has forwarded ports, a subnet and a host address")
	}
	if n.Subnet.IsValid() && (!n.Subnet.Addr().Is4() || n.Subnet.Bits() > 29) {
		return fmt.Errorf("network: the subnet %s is not an IPv4 network with room for a guest", n.Subnet)
	}
	if n.Host.IsValid() && !n.Subnet.Contains(n.Host) {
		return fmt.Errorf("network: the host's address %s is not inside the subnet %s", n.Host, n.Subnet)
	}
	for _, f := range n.Forward {
		if f.HostPort < 1 || f.HostPort > 65535 || f.GuestPort < 1 || f.GuestPort > 65535 {
			return fmt.Errorf("network: can't forward port %d to port %d; ports are 1 to 65535", f.HostPort, f.GuestPort)
		}
	}
	return nil
}

func (d Drive) format() string {
	if d.Format != "" {
		return d.Format
	}
	switch strings.ToLower(filepath.Ext(d.Path)) {
	case ".qcow2":
		return "qcow2"
	case ".vmdk":
		return "vmdk"
	case ".vhd":
		return "vpc"
	}
	return "raw"
}

// virtualSize is the size that a guest sees, in bytes; 0 where only QEMU can tell.
func (d Drive) virtualSize() (int64, error) {
	f, err := os.Open(d.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a file", d.Path)
	}
	switch d.format() {
	case "raw":
		return info.Size(), nil
	case "qcow2": // docs/interop/qcow2: magic, and the size at byte 24
		var head [32]byte
		if _, err := f.ReadAt(head[:], 0); err != nil || string(head[:4]) != "QFI\xfb" {
			return 0, fmt.Errorf("%s is not a qcow2 image; name its real format, or build it again", d.Path)
		}
		return int64(min(binary.BigEndian.Uint64(head[24:]), maxDisk)), nil
	}
	return 0, nil
}
