package vm

import (
	"crypto/sha256"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

const (
	qemu    = "qemu-system-x86_64"
	qemuImg = "qemu-img"
	// Port is the name of the virtio-serial port on which the agent answers.
	Port = "org.forge.node.0"
	// inTree is where the machine's files are seen in Programs.Root.
	inTree = "/run/forge-vm"

	ovmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars = "/usr/share/OVMF/OVMF_VARS_4M.fd"
)

// view is how QEMU sees files: under their own names on the host, bound in one by one in a tree.
type view struct {
	tree  bool
	binds []sandbox.Bind
}

// see returns the name that QEMU opens for a file or directory of the host.
func (v *view) see(host string, readOnly bool) (string, error) {
	abs, err := filepath.Abs(host)
	if err != nil || !v.tree {
		return abs, err
	}
	for _, b := range v.binds {
		if b.Source == abs && b.ReadOnly == readOnly {
			return b.Target, nil
		}
	}
	b := sandbox.Bind{Source: abs, Target: path.Join(inTree, fmt.Sprint(len(v.binds))), ReadOnly: readOnly}
	v.binds = append(v.binds, b)
	return b.Target, nil
}

// paths are the files of a machine as QEMU sees them.
type paths struct {
	overlay, seed, vars, serialLog string
	kernel, initrd                 string
	sockets                        string // directory
	extra                          []string
}

// Sockets of a machine, in one directory.
const (
	qmpSocket     = "qmp"
	channelSocket = "node"
	serialSocket  = "console"
)

// option escapes a value in QEMU's comma-separated options.
func option(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// argv is the whole command line of QEMU. accel is KVM or TCG.
func (s Spec) argv(accel Accel, p paths) []string {
	machine := "pc"
	if s.Firmware == UEFI {
		machine = "q35"
	}
	args := []string{
		qemu, "-nodefaults", "-no-user-config", "-display", "none", "-name", s.Name,
		"-machine", machine + ",hpet=off", "-m", fmt.Sprint(s.MemoryMiB), "-smp", fmt.Sprint(s.CPUs),
	}
	args = append(args, accelArgs(accel)...)
	if s.Firmware == UEFI {
		args = append(args,
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+ovmfCode,
			"-drive", "if=pflash,unit=1,format=raw,file="+option(p.vars))
	}
	// The overlay is thrown away with the machine: nothing in it needs to reach the disk.
	args = append(args, drive("root", p.overlay, "qcow2", "cache=unsafe,discard=unmap")...)
	if s.Kernel != nil {
		args = append(args, "-kernel", p.kernel, "-initrd", p.initrd, "-append", s.Kernel.Cmdline)
	} else {
		// Only from this disk: UEFI would look for its boot loader in the network for minutes.
		args[len(args)-1] += ",bootindex=0"
		args = append(args, "-boot", "strict=on")
	}
	if p.seed != "" {
		args = append(args, drive("seed", p.seed, "raw", "readonly=on")...)
	}
	for i, d := range s.Extra {
		more := "cache=writeback"
		if d.ReadOnly {
			more = "readonly=on"
		}
		id := fmt.Sprintf("extra%d", i)
		args = append(args, drive(id, p.extra[i], d.format(), more)...)
		args[len(args)-1] += ",serial=" + id
	}
	args = append(args, "-device", "virtio-rng-pci", "-device", "virtio-serial-pci")
	args = append(args, socket("channel", filepath.Join(p.sockets, channelSocket), "")...)
	args = append(args, "-device", "virtserialport,chardev=channel,name="+Port)
	args = append(args, socket("serial", filepath.Join(p.sockets, serialSocket), ",logappend=off,logfile="+option(p.serialLog))...)
	args = append(args, "-serial", "chardev:serial")
	args = append(args, socket("qmp", filepath.Join(p.sockets, qmpSocket), "")...)
	args = append(args, "-mon", "chardev=qmp,mode=control")
	return append(args, s.Network.args(s.Name)...)
}

// accelArgs are the accelerator and the model of CPU. Emulated, "max" is the quickest model; its
// five-level page tables only cost time, and its SVM makes the guest load KVM.
func accelArgs(accel Accel) []string {
	if accel == KVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi", "-cpu", "max,la57=off,svm=off"}
}

func drive(id, file, format, more string) []string {
	return []string{
		"-drive", fmt.Sprintf("if=none,id=%s,format=%s,file=%s,%s", id, format, option(file), more),
		"-device", "virtio-blk-pci,drive=" + id,
	}
}

func socket(id, file, more string) []string {
	return []string{"-chardev", fmt.Sprintf("socket,id=%s,path=%s,server=on,wait=off%s", id, option(file), more)}
}

func (n Network) args(name string) []string {
	var backend string
	switch n.Kind {
	case NoNetwork:
		return []string{"-nic", "none"}
	case Isolated:
		backend = "hubport,id=net0,hubid=0"
	case Multicast:
		backend = "socket,id=net0,localaddr=127.0.0.1,mcast=" + n.Group.String()
	case User:
		backend = n.user()
	}
	return []string{"-netdev", backend, "-device", "virtio-net-pci,netdev=net0,romfile=,mac=" + MAC(name)}
}

func (n Network) user() string {
	b := "user,id=net0"
	if n.Subnet.IsValid() {
		b += ",net=" + n.Subnet.Masked().String()
	}
	if n.Host.IsValid() {
		b += ",host=" + n.Host.String()
	}
	if n.Restrict {
		b += ",restrict=on"
	}
	for _, f := range n.Forward {
		guest := ""
		if f.Guest.IsValid() {
			guest = f.Guest.String()
		}
		b += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-%s:%d", f.HostPort, guest, f.GuestPort)
	}
	return b
}

// MAC is the address of the network card of the machine of that name: QEMU's prefix and three bytes
// of the name's SHA-256, so that the machines of a segment differ.
func MAC(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", sum[0], sum[1], sum[2])
}
