package vm

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// qcow2Head is the start of a qcow2 image of that many bytes.
func qcow2Head(size byte) []byte {
	head := make([]byte, 104)
	copy(head, "QFI\xfb\x00\x00\x00\x03")
	head[28] = size // times 16 MiB
	return head
}

func sound(t *testing.T) Spec {
	return Spec{
		Name: "slave1", Disk: Drive{Path: write(t, "disk.qcow2", qcow2Head(1))},
		SerialLog: filepath.Join(t.TempDir(), "serial.log"), Accel: TCG, Dir: t.TempDir(),
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Spec)
		says   string
	}{
		{"no name", func(s *Spec) { s.Name = "" }, "not a host name"},
		{"odd name", func(s *Spec) { s.Name = "a,b" }, "not a host name"},
		{"firmware", func(s *Spec) { s.Firmware = "efi" }, `unknown firmware "efi"; there are: bios, uefi`},
		{"accelerator", func(s *Spec) { s.Accel = "hvf" }, `unknown accelerator "hvf"`},
		{"memory", func(s *Spec) { s.MemoryMiB = 2 }, "2 MiB of memory"},
		{"cpus", func(s *Spec) { s.CPUs = -1 }, "-1 CPUs"},
		{"no log", func(s *Spec) { s.SerialLog = "" }, "no file for the serial log"},
		{"no disk", func(s *Spec) { s.Disk.Path = "/none/disk.qcow2" }, "disk: open /none/disk.qcow2"},
		{"a directory", func(s *Spec) { s.Disk.Path = filepath.Dir(s.Disk.Path) }, "is not a file"},
		{"not qcow2", func(s *Spec) { s.Disk.Path = write(t, "d.qcow2", []byte("hello")) }, "is not a qcow2 image"},
		{"too small", func(s *Spec) { s.DiskSize = 1 << 20 }, "1048576 bytes is smaller than the image"},
		{"half a sector", func(s *Spec) { s.DiskSize = 1<<30 + 1 }, "whole sectors"},
		{"no seed", func(s *Spec) { s.Seed = "/none/seed.iso" }, "/none/seed.iso"},
		{"no extra disk", func(s *Spec) { s.Extra = []Drive{{Path: "/none/data.raw"}} }, "/none/data.raw"},
		{"many disks", func(s *Spec) { s.Extra = make([]Drive, 17) }, "17 extra disks"},
		{"no kernel", func(s *Spec) { s.Kernel = &Kernel{Image: "/none/vmlinuz", Initrd: s.Disk.Path} }, "kernel: open /none/vmlinuz"},
		{"command line", func(s *Spec) { s.Kernel = &Kernel{Cmdline: "root=/dev/vda\nquiet"} }, "printable ASCII"},
		{"network", func(s *Spec) { s.Network.Kind = "bridge" }, `unknown network "bridge"`},
		{"group", func(s *Spec) { s.Network.Kind, s.Network.Group = Multicast, netip.MustParseAddrPort("10.0.0.1:9") }, "not an IPv4 multicast group"},
		{"forward nowhere", func(s *Spec) { s.Network = Network{Kind: Isolated, Forward: []Forward{{HostPort: 1, GuestPort: 1}}} }, "only a user network"},
		{"forward", func(s *Spec) { s.Network = Network{Kind: User, Forward: []Forward{{HostPort: 70000, GuestPort: 22}}} }, "port 70000"},
		{"host", func(s *Spec) {
			s.Network = Network{Kind: User, Subnet: netip.MustParsePrefix("10.1.0.0/24"), Host: netip.MustParseAddr("10.2.0.1")}
		}, "10.2.0.1 is not inside the subnet 10.1.0.0/24"},
		{"subnet", func(s *Spec) { s.Network = Network{Kind: User, Subnet: netip.MustParsePrefix("fd00::/64")} }, "not an IPv4 network"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := sound(t)
			test.change(&s)
			f := &fakeQEMU{}
			s.Programs = f.programs()
			_, err := Start(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if len(f.runs) > 0 {
				t.Errorf("ran %v", f.runs)
			}
			if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// has says whether argv holds the elements one after the other.
func has(argv []string, elements ...string) bool {
	for i := range argv {
		if len(argv)-i >= len(elements) && slices.Equal(argv[i:i+len(elements)], elements) {
			return true
		}
	}
	return false
}

func TestArgv(t *testing.T) {
	p := paths{overlay: "/d/disk.qcow2", seed: "/s,1/seed.iso", vars: "/d/vars.fd", serialLog: "/o/serial.log", sockets: "/d", extra: []string{"/x.vhd"}}
	s := Spec{
		Name: "slave1", Firmware: UEFI, MemoryMiB: 1024, CPUs: 3, Extra: []Drive{{Path: "x.vhd", ReadOnly: true}},
		Network: Network{
			Kind: User, Subnet: netip.MustParsePrefix("10.162.2.0/24"), Host: netip.MustParseAddr("10.162.2.91"), Restrict: true,
			Forward: []Forward{{HostPort: 2222, Guest: netip.MustParseAddr("10.162.2.94"), GuestPort: 22}, {HostPort: 5051, GuestPort: 5051}},
		},
	}
	argv := s.argv(TCG, p)
	for _, want := range [][]string{
		{"qemu-system-x86_64", "-nodefaults", "-no-user-config"},
		{"-machine", "q35,hpet=off", "-m", "1024", "-smp", "3", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off,svm=off"},
		{"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd", "-drive", "if=pflash,unit=1,format=raw,file=/d/vars.fd"},
		{"-drive", "if=none,id=root,format=qcow2,file=/d/disk.qcow2,cache=unsafe,discard=unmap", "-device", "virtio-blk-pci,drive=root,bootindex=0", "-boot", "strict=on"},
		{"-drive", "if=none,id=seed,format=raw,file=/s,,1/seed.iso,readonly=on"},
		{"-drive", "if=none,id=extra0,format=vpc,file=/x.vhd,readonly=on", "-device", "virtio-blk-pci,drive=extra0,serial=extra0"},
		{"-device", "virtserialport,chardev=channel,name=org.forge.node.0"},
		{"-chardev", "socket,id=serial,path=/d/console,server=on,wait=off,logappend=off,logfile=/o/serial.log", "-serial", "chardev:serial"},
		{"-netdev", "user,id=net0,net=10.162.2.0/24,host=10.162.2.91,restrict=on,hostfwd=tcp:127.0.0.1:2222-10.162.2.94:22,hostfwd=tcp:127.0.0.1:5051-:5051"},
		{"-device", "virtio-net-pci,netdev=net0,romfile=,mac=" + MAC("slave1")},
	} {
		if !has(argv, want...) {
			t.Errorf("no %q in\n%q", want, argv)
		}
	}
	s.Firmware, s.Network = BIOS, Network{}
	argv = s.argv(KVM, paths{extra: p.extra})
	if !has(argv, "-machine", "pc,hpet=off") || !has(argv, "-accel", "kvm", "-cpu", "host") || !has(argv, "-nic", "none") {
		t.Errorf("got %q", argv)
	}
	if line := strings.Join(argv, " "); strings.Contains(line, "pflash") || strings.Contains(line, "id=seed") || strings.Contains(line, "netdev") {
		t.Errorf("got %q", argv)
	}
	s.Kernel = &Kernel{Cmdline: "root=/dev/vda forge.role=slave"}
	argv = s.argv(KVM, paths{kernel: "/b/vmlinuz", initrd: "/b/initrd", extra: p.extra})
	if !has(argv, "-device", "virtio-blk-pci,drive=root", "-kernel", "/b/vmlinuz", "-initrd", "/b/initrd", "-append", "root=/dev/vda forge.role=slave") {
		t.Errorf("got %q", argv)
	}
	s.Network = Network{Kind: Multicast, Group: netip.MustParseAddrPort("239.1.2.3:4567")}
	if argv = s.argv(TCG, paths{extra: p.extra}); !has(argv, "-netdev", "socket,id=net0,localaddr=127.0.0.1,mcast=239.1.2.3:4567") {
		t.Errorf("got %q", argv)
	}
}

func TestMAC(t *testing.T) {
	one, two := MAC("slave1"), MAC("slave2")
	if one == two || !strings.HasPrefix(one, "52:54:00:") || len(one) != 17 {
		t.Errorf("got %s, %s", one, two)
	}
}

// In a tree every file is bound in once, read-only where it must not be written.
func TestView(t *testing.T) {
	v := view{tree: true}
	for _, see := range []struct {
		host     string
		readOnly bool
		want     string
	}{{"/out/disk.qcow2", true, inTree + "/0"}, {"/out", false, inTree + "/1"}, {"/out/../out", false, inTree + "/1"}, {"/out", true, inTree + "/2"}} {
		if got, err := v.see(see.host, see.readOnly); err != nil || got != see.want {
			t.Errorf("see(%s) = %s, %v", see.host, got, err)
		}
	}
	want := []sandbox.Bind{{Source: "/out/disk.qcow2", Target: inTree + "/0", ReadOnly: true}, {Source: "/out", Target: inTree + "/1"}, {Source: "/out", Target: inTree + "/2", ReadOnly: true}}
	if !slices.Equal(v.binds, want) {
		t.Errorf("binds %+v", v.binds)
	}
	if kvm := withKVM(v, KVM); len(kvm) != 4 || kvm[3].Source != kvmDevice {
		t.Errorf("binds with KVM %+v", kvm)
	}
	host := view{}
	if got, err := host.see("/out/x", true); err != nil || got != "/out/x" || len(withKVM(host, KVM)) != 0 {
		t.Errorf("on the host %s, %v, %v", got, host.binds, err)
	}
}
