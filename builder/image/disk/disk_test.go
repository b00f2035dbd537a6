package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var testEpoch = time.Unix(1_700_000_000, 0)

func goodSpec() Spec {
	return Spec{
		Tools: "/tools", Root: "/root", Output: "/out/disk.raw", Seed: "bookworm/slave", Epoch: testEpoch,
		Tree: func(context.Context, io.Writer) error { return nil },
	}
}

func TestDeriveIDs(t *testing.T) {
	a, again, b := deriveIDs("bookworm/slave"), deriveIDs("bookworm/slave"), deriveIDs("bookworm/master")
	if a != again {
		t.Errorf("the same seed gave %v and %v", a, again)
	}
	seen := map[uuid.UUID]bool{}
	for _, id := range []ids{a, b} {
		for _, u := range []uuid.UUID{id.Disk, id.BIOSPart, id.ESPPart, id.RootPart, id.RootFS, id.HashSeed} {
			if seen[u] {
				t.Errorf("%s is there twice", u)
			}
			seen[u] = true
			if u.Version() != 5 || u.Variant() != uuid.RFC4122 {
				t.Errorf("%s has version %d, variant %s", u, u.Version(), u.Variant())
			}
		}
	}
	v := ids{Volume: 0x0abc12ef}
	if v.volumeID() != "0abc12ef" || v.volumeUUID() != "0ABC-12EF" {
		t.Errorf("volume identifiers are %s and %s", v.volumeID(), v.volumeUUID())
	}
}

func TestNewLayout(t *testing.T) {
	e := Ext4{}.complete()
	for _, c := range []struct {
		name                string
		size, content, want int64
		err                 string
	}{
		{name: "chosen, small", content: 100 * mib, want: 2 * gib},
		{name: "chosen, in whole GiB", content: 3 * gib, want: 5 * gib},
		{name: "asked for", size: 10 * gib, content: gib, want: 10 * gib},
		{name: "cut to MiB", size: 10*gib + 12345, content: gib, want: 10 * gib},
		{name: "too small", size: gib, content: gib, err: "ask for"},
		{name: "smaller than the partitions", size: mib, content: 0, err: "too small"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := newLayout(c.size, c.content, e)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error is %v, not about %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.total != c.want || rootStart+l.rootSize+tailSize != l.total || l.rootSize%mib != 0 {
				t.Errorf("layout is %+v, want a total of %d", l, c.want)
			}
		})
	}
}

func TestAdvisedSizeIsEnough(t *testing.T) {
	e := Ext4{}.complete()
	for content := int64(0); content < 40*gib; content += 333 * mib {
		l, err := newLayout(0, content, e)
		if err != nil || l.rootSize <= content {
			t.Fatalf("%d bytes of files: %+v, %v", content, l, err)
		}
	}
}

func TestSfdiskScript(t *testing.T) {
	id := deriveIDs("s")
	got := sfdiskScript(layout{total: 2 * gib, rootSize: 2*gib - rootStart - tailSize}, id)
	for _, want := range []string{
		"label: gpt\n", "label-id: " + strings.ToUpper(id.Disk.String()) + "\n",
		"start=2048, size=2048, type=" + typeBIOS, "start=4096, size=131072, type=" + typeESP,
		"start=135168, size=4057088, type=" + typeRoot + ", uuid=" + strings.ToUpper(id.RootPart.String()),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the script lacks %q:\n%s", want, got)
		}
	}
}

func TestGrubConfigAndFstab(t *testing.T) {
	id := deriveIDs("s")
	config := grubConfig(id, "6.1.0-9-amd64", DefaultCmdline)
	for _, want := range []string{
		"  linux /boot/vmlinuz-6.1.0-9-amd64 root=UUID=" + id.RootFS.String() + " ro " + DefaultCmdline + "\n",
		"  initrd /boot/initrd.img-6.1.0-9-amd64\n",
	} {
		if !strings.Contains(config, want) {
			t.Errorf("grub.cfg lacks %q:\n%s", want, config)
		}
	}
	if !strings.Contains(grubDefaults(DefaultCmdline), "GRUB_CMDLINE_LINUX=\""+DefaultCmdline+"\"\n") {
		t.Error("update-grub would lose the kernel parameters")
	}
	var mounts [][]string
	for line := range strings.Lines(fstab(id)) {
		if !strings.HasPrefix(line, "#") {
			mounts = append(mounts, strings.Fields(line))
		}
	}
	if len(mounts) != 2 || mounts[0][0] != "UUID="+id.RootFS.String() || mounts[0][1] != "/" || mounts[1][0] != "UUID="+id.volumeUUID() {
		t.Errorf("fstab mounts %v", mounts)
	}
}

func TestSpecErrors(t *testing.T) {
	if _, err := goodSpec().complete(); err != nil {
		t.Fatalf("a good specification: %v", err)
	}
	for _, c := range []struct {
		want   string
		change func(*Spec)
	}{
		{"absolute", func(s *Spec) { s.Root = "root" }},
		{"no seed", func(s *Spec) { s.Seed = "" }},
		{"no tree", func(s *Spec) { s.Tree = nil }},
		{"1980", func(s *Spec) { s.Epoch = time.Unix(0, 0) }},
		{"2 TiB", func(s *Spec) { s.Size = maxSize + 1 }},
		{"label", func(s *Spec) { s.Label = "a b" }},
		{"kernel version", func(s *Spec) { s.Kernel = "../x" }},
		{"character", func(s *Spec) { s.Cmdline = "quiet; reboot" }},
		{"more than 1024", func(s *Spec) { s.Cmdline = strings.Repeat("a", 1025) }},
		{"name a root", func(s *Spec) { s.Cmdline = "root=/dev/sda" }},
		{"block size", func(s *Spec) { s.Ext4.BlockSize = 512 }},
		{"boot loader cannot read", func(s *Spec) { s.Ext4.Features = append(DefaultFeatures(), "casefold") }},
		{"resize_inode", func(s *Spec) { s.Ext4.Features = []string{"filetype"} }},
	} {
		s := goodSpec()
		c.change(&s)
		if _, err := s.complete(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, not about %q", err, c.want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestFindKernel(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	expect := func(want, version, problem string) {
		t.Helper()
		got, err := findKernel(root, want)
		if got != version || (err == nil) != (problem == "") || (err != nil && !strings.Contains(err.Error(), problem)) {
			t.Errorf("findKernel(%q) = %q, %v; want %q, %q", want, got, err, version, problem)
		}
	}
	expect("", "", "needs a kernel package")
	write(t, dir+"/boot/vmlinuz-6.1", "k")
	expect("", "", "no initramfs")
	write(t, dir+"/boot/initrd.img-6.1", "i")
	expect("", "6.1", "")
	write(t, dir+"/boot/vmlinuz-6.2", "k")
	expect("", "", "several kernels")
	expect("6.1", "6.1", "")
	expect("6.3", "", "is not in the image")
}

func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/a", strings.Repeat("x", 5000))
	write(t, dir+"/empty", "")
	if err := errors.Join(os.Link(dir+"/a", dir+"/b"), os.Symlink("a", dir+"/s"), os.Symlink(strings.Repeat("l", 60), dir+"/l")); err != nil {
		t.Fatal(err)
	}
	got, err := measure(t.Context(), dir, 4096)
	if want := int64(4096 + 2*4096 + 4096); err != nil || got != want { // the directory, a, l
		t.Errorf("measure = %d, %v; want %d", got, err, want)
	}
}

func TestInstallBoot(t *testing.T) {
	boot := bytes.Repeat([]byte{0xbb}, sector)
	binary.LittleEndian.PutUint16(boot[510:], 0xaa55)
	core := bytes.Repeat([]byte{0xcc}, 3*sector)
	binary.LittleEndian.PutUint16(core[coreNextSector+8:], 2)
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := bytes.Repeat([]byte{0x11}, sector)
	if _, err := f.WriteAt(before, 0); err != nil {
		t.Fatal(err)
	}
	if err := installBoot(f, bytes.NewReader(boot), bytes.NewReader(core)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[bootCodeSize:sector], before[bootCodeSize:]) {
		t.Error("the partition table was overwritten")
	}
	if at := binary.LittleEndian.Uint64(got[bootKernelSector:]); at != 2048 {
		t.Errorf("boot.img loads sector %d", at)
	}
	if at := binary.LittleEndian.Uint64(got[biosStart+coreNextSector:]); at != 2049 || len(got) != int(biosStart)+len(core) {
		t.Errorf("the core image goes on at sector %d, the disk has %d bytes", at, len(got))
	}
	for name, c := range map[string][2][]byte{
		"short boot": {boot[:100], core}, "no signature": {make([]byte, sector), core}, "short core": {boot, core[:100]},
		"cut core": {boot, core[:2*sector]}, "large core": {boot, make([]byte, coreMaxSize+1)},
	} {
		if err := installBoot(f, bytes.NewReader(c[0]), bytes.NewReader(c[1])); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
