package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/event"
)

const diskSize = 16 << 20

// disks is slave1 with a data disk for /data/1. Devices are files, which the
// real mkfs, e2label and wipefs work on; mounting writes into the machine's
// mountinfo, as there may be no loop devices where the test runs.
type disks struct {
	*machine
	ran []string // programs that change something
}

type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
func (e exitError) ExitCode() int { return int(e) }

func newDisks(t *testing.T) *disks {
	t.Helper()
	needRoot(t)
	m := &disks{machine: newMachine(t)}
	m.replace(inventoryPath, "attributes: {rack: r1}     #", "disks: [{mount: /data/1, device: /dev/vdb}]\n    attributes: {rack: r1}     #")
	m.write("/proc/self/mountinfo", "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n")
	m.disk("vdb")
	m.OpenDisk = func(path string) (*Disk, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return &Disk{ReaderAt: f, Closer: f, Size: diskSize, ID: "serial of " + filepath.Base(path)}, nil
	}
	m.Exec = m.exec
	return m
}

func (m *disks) disk(name string) string {
	m.t.Helper()
	m.write("/dev/"+name, "")
	if err := os.Truncate(m.path("/dev/"+name), diskSize); err != nil {
		m.t.Fatal(err)
	}
	return m.path("/dev/" + name)
}

func (m *disks) exec(ctx context.Context, _ User, argv []string) ([]byte, error) {
	if argv[0] != "wipefs" && argv[0] != "blkid" {
		m.ran = append(m.ran, strings.ReplaceAll(strings.Join(argv, " "), m.Root, ""))
	}
	switch argv[0] {
	case "wipefs", "mkfs.ext4", "e2label":
		out, err := exec.CommandContext(ctx, "/usr/sbin/"+argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", argv[0], err, out)
		}
		return out, err
	case "blkid": // all devices are probed, as files can't be found by the kernel's list
		var found []string
		all, err := filepath.Glob(m.path("/dev/*"))
		for _, dev := range all {
			out, _ := exec.CommandContext(ctx, "/usr/sbin/blkid", "--probe", "--match-tag", "LABEL", "--output", "value", dev).Output()
			if "LABEL="+strings.TrimSpace(string(out)) == argv[4] {
				found = append(found, dev)
			}
		}
		if len(found) == 0 && err == nil {
			err = exitError(2)
		}
		return []byte(strings.Join(found, "\n")), err
	case "fsck":
		return nil, exitError(1)
	case "mount":
		info := m.read("/proc/self/mountinfo")
		m.write("/proc/self/mountinfo", info+fmt.Sprintf("30 22 254:16 / %s rw,noatime shared:9 - ext4 %s rw\n", strings.TrimPrefix(argv[4], m.Root), argv[3]))
		return nil, nil
	}
	return nil, errors.New("unexpected program " + argv[0])
}

func (m *disks) mkfs(name string, args ...string) {
	m.t.Helper()
	if out, err := exec.Command("/usr/sbin/mkfs.ext4", append(append([]string{"-q"}, args...), m.path("/dev/"+name))...).CombinedOutput(); err != nil {
		m.t.Fatal(err, string(out))
	}
}

func (m *disks) poke(name string, at int64, text string) {
	m.t.Helper()
	f, err := os.OpenFile(m.path("/dev/"+name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte(text), at)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func TestABlankDiskIsFormattedOnce(t *testing.T) {
	m := newDisks(t)
	m.mustApply()
	if len(m.ran) != 4 || !strings.HasPrefix(m.ran[0], "mkfs.ext4 -q -F -m 0 -U ") || m.ran[1] != "e2label /dev/vdb data-1" ||
		m.ran[2] != "fsck -T -p /dev/vdb" || m.ran[3] != "mount -o defaults,noatime /dev/vdb /data/1" {
		t.Errorf("ran: %q", m.ran)
	}
	if s, err := m.loadState(); err != nil || len(s.Disks) > 0 {
		t.Errorf("state %+v, error %v", s, err)
	}
	if _, err := os.Stat(m.path("/data/1/dfs/dn")); err != nil {
		t.Error(err)
	}
	before := m.tree()
	m.ran, m.sup.calls = nil, nil
	m.mustApply()
	if diff := cmp.Diff(before, m.tree()); diff != "" || len(m.ran)+len(m.sup.calls) > 0 {
		t.Errorf("a second run ran %q, called %q and changed:\n%s", m.ran, m.sup.calls, diff)
	}
	// After a reboot the same disk is found by its label, under another name.
	m.write("/proc/self/mountinfo", "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n")
	if err := errors.Join(os.Rename(m.path("/dev/vdb"), m.path("/dev/vdz")), os.RemoveAll(m.path("/data/1/dfs"))); err != nil {
		t.Fatal(err)
	}
	m.mustApply()
	if want := []string{"fsck -T -p /dev/vdz", "mount -o defaults,noatime /dev/vdz /data/1"}; !slices.Equal(m.ran, want) {
		t.Errorf("after a reboot: %q, want %q", m.ran, want)
	}
}

// Whatever is wrong with a disk is named; nothing is formatted, no directory is
// made below its mount point, its services stay down, and the others start.
func TestDisksAreRefused(t *testing.T) {
	const notBlank = "mount /data/1 of node slave1: no disk carries the label data-1, and /dev/vdb is not blank (it holds "
	for _, c := range []struct {
		name  string
		spoil func(*disks)
		err   string
	}{
		{"another file system", func(m *disks) { m.mkfs("vdb") }, notBlank + "ext4): forge formats nothing else"},
		{"another label", func(m *disks) { m.mkfs("vdb", "-L", "backup") }, notBlank + "ext4)"},
		{"a partition table", func(m *disks) { m.poke("vdb", 510, "\x55\xaa") }, notBlank + "dos)"},
		{"a volume group", func(m *disks) {
			m.poke("vdb", 512, "LABELONE\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00LVM2 001")
		}, notBlank},
		{"one byte at its begin", func(m *disks) { m.poke("vdb", 70000, "x") }, notBlank + "data of an unknown kind)"},
		{"one byte at its end", func(m *disks) { m.poke("vdb", diskSize-1, "x") }, notBlank + "data of an unknown kind)"},
		{"half a format of another disk", func(m *disks) {
			m.poke("vdb", 70000, "x")
			m.write(statePath, `{"version":1,"disks":{"data-1":{"disk":"serial of vdc","uuid":"u"}}}`)
		}, notBlank},
		{"half a format of a disk that only its place tells from another", func(m *disks) {
			m.poke("vdb", 70000, "x")
			m.write(statePath, `{"version":1,"disks":{"data-1":{"disk":"serial of vdb","uuid":"4b1b0a3e-0000-4000-8000-000000000000"}}}`)
			open := m.OpenDisk
			m.OpenDisk = func(path string) (*Disk, error) {
				d, err := open(path)
				d.Place = true
				return d, err
			}
		}, notBlank + "data of an unknown kind)"},
		{"a whole format by somebody else, after forge began", func(m *disks) {
			m.mkfs("vdb")
			m.write(statePath, `{"version":1,"disks":{"data-1":{"disk":"serial of vdb","uuid":"4b1b0a3e-0000-4000-8000-000000000000"}}}`)
		}, notBlank + "ext4)"},
		{"two of that label", func(m *disks) { m.mkfs("vdb", "-L", "data-1"); m.disk("vdc"); m.mkfs("vdc", "-L", "data-1") },
			"mount /data/1 of node slave1: 2 file systems carry the label data-1: "},
		{"no disk", func(m *disks) { _ = os.Remove(m.path("/dev/vdb")) }, "mount /data/1 of node slave1: no disk carries the label data-1, and there is no /dev/vdb to be formatted: is the disk attached"},
		{"in use", func(m *disks) {
			m.OpenDisk = func(path string) (*Disk, error) { return nil, errors.New("it is in use") }
		}, "mount /data/1 of node slave1: it is in use"},
		{"no medium", func(m *disks) {
			open := m.OpenDisk
			m.OpenDisk = func(path string) (*Disk, error) {
				d, err := open(path)
				d.Size = 0
				return d, err
			}
		}, "mount /data/1 of node slave1: /dev/vdb has 0 bytes, too few for a file system"},
		{"another one is mounted", func(m *disks) {
			m.write("/proc/self/mountinfo", "30 22 8:1 / /data/1 rw - xfs /dev/sda1 rw\n")
		}, "mount /data/1 of node slave1: /dev/sda1 (xfs) is mounted there, which does not carry the label data-1"},
		{"files where it is mounted", func(m *disks) { m.mkfs("vdb", "-L", "data-1"); m.write("/data/1/dfs/dn/blk_1", "x") },
			"mount /data/1 of node slave1: the directory itself holds files, or is a link: the disk would hide them"},
		{"mount fails", func(m *disks) {
			m.Exec = func(ctx context.Context, as User, argv []string) ([]byte, error) {
				if argv[0] == "mount" {
					return nil, errors.New("wrong fs type")
				}
				return m.exec(ctx, as, argv)
			}
		}, "mount /data/1 of node slave1: wrong fs type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newDisks(t)
			c.spoil(m)
			before, _ := os.ReadFile(m.path("/dev/vdb"))
			_, err := m.Apply(t.Context(), event.Discard)
			for _, want := range []string{c.err, "hadoop-hdfs-datanode is not started: /data/1/dfs/dn of it needs the file system on /data/1, which is not there"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
			if after, _ := os.ReadFile(m.path("/dev/vdb")); !bytes.Equal(before, after) && c.name != "mount fails" {
				t.Error("the disk was written to")
			}
			if _, err := os.Stat(m.path("/data/1/dfs")); err == nil && c.name != "files where it is mounted" {
				t.Error("a directory on the root disk was made")
			}
			if diff := cmp.Diff([]string{"start hadoop-0.20-mapreduce-tasktracker", "start mesos-slave"}, m.sup.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			s := m.Status(t.Context())
			if said := strings.Join(s.Errors, "\n"); s.Level != LevelFailed || strings.Count(said, "mount /data/1 of node slave1: ") != 1 || !strings.Contains(m.read(issuePath), "forge: FAILED: "+c.err[:len("mount /data/1 of node")]) {
				t.Errorf("status %s, errors %q; above the prompt:\n%s", s.Level, s.Errors, m.read(issuePath))
			}
		})
	}
}

// What a killed format leaves is formatted again, if it is on the disk that the
// record names and looks so.
func TestAKilledFormatIsDoneAgain(t *testing.T) {
	const uuid = "4b1b0a3e-1111-4000-8000-000000000000"
	for _, c := range []struct {
		name  string
		left  func(*disks)
		again bool // or refused
	}{
		{"before it wrote", func(*disks) {}, true},
		{"before the superblock", func(m *disks) { m.poke("vdb", 70000, "inode table") }, true},
		{"before the label", func(m *disks) { m.mkfs("vdb", "-U", uuid) }, true},
		{"but it was mounted since", func(m *disks) { m.mkfs("vdb", "-U", uuid); m.poke("vdb", 1024+0x2c, "time") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newDisks(t)
			m.write(statePath, `{"version":1,"disks":{"data-1":{"disk":"serial of vdb","uuid":"`+uuid+`"}}}`)
			c.left(m)
			_, err := m.Apply(t.Context(), event.Discard)
			if !c.again {
				if err == nil || !strings.Contains(err.Error(), "/dev/vdb is not blank (it holds ext4)") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := "mkfs.ext4 -q -F -m 0 -U " + uuid + " /dev/vdb"; m.ran[0] != want || len(m.ran) != 4 {
				t.Errorf("ran: %q, first %q is wanted", m.ran, want)
			}
		})
	}
}

func TestAVanishedMountIsTold(t *testing.T) {
	m := newDisks(t)
	m.mustApply()
	m.write("/proc/self/mountinfo", "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n")
	if s := m.Status(t.Context()); s.Level != LevelFailed || !slices.Contains(s.Errors, "mount /data/1 of node slave1: its file system is not there; run forge-node apply") {
		t.Errorf("status %s, errors %q", s.Level, s.Errors)
	}
}

func TestMountsOfOthers(t *testing.T) {
	const nfs = "nfs: [{source: \"10.162.2.90:/export/dfs\", mount: /data/1, nodes: [slave1]}]\n"
	for _, c := range []struct {
		name      string
		mountinfo string
		container bool
		err       string
	}{
		{name: "NFS", mountinfo: "30 22 0:40 / /data/1 rw - nfs4 10.162.2.90:/export/dfs rw\n"},
		{name: "NFS is absent", err: "mount /data/1 of node slave1: 10.162.2.90:/export/dfs is not mounted: is the server up, and does /etc/fstab, which the seed writes, name it?"},
		{name: "another NFS", mountinfo: "30 22 0:40 / /data/1 rw - nfs4 10.162.2.90:/export/home rw\n", err: "10.162.2.90:/export/home is mounted there, not 10.162.2.90:/export/dfs"},
		{name: "a disk", mountinfo: "30 22 8:1 / /data/1 rw - ext4 /dev/sda1 rw\n", err: "/dev/sda1 (ext4) is mounted there, not 10.162.2.90:/export/dfs"},
		{name: "a container's volume", container: true, mountinfo: "30 22 8:1 /volumes/x /data/1 rw - ext4 /dev/sda1 rw\n"},
		{name: "a container without", container: true, mountinfo: `30 22 8:1 / /data/1\040x rw - ext4 /dev/sda1 rw` + "\n", err: "mount /data/1 of node slave1: it is no mount point: start the container with --volume DIRECTORY:/data/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			needRoot(t)
			m := newMachine(t)
			m.write(inventoryPath, m.read(inventoryPath)+nfs)
			m.write("/proc/self/mountinfo", c.mountinfo)
			m.Container = c.container
			_, err := m.Apply(t.Context(), event.Discard)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func FuzzParseMount(f *testing.F) {
	f.Add(`36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`)
	f.Add("x - ")
	f.Fuzz(func(t *testing.T, line string) {
		if m, ok := parseMount(line); ok && (m.path == "" || m.fsType == "" || m.source == "") {
			t.Errorf("%+v", m)
		}
	})
}

// TestAbsentMountsShareOnePatience: the unit's time limit must hold whatever number of them is away.
func TestAbsentMountsShareOnePatience(t *testing.T) {
	m := newDisks(t)
	m.replace(inventoryPath, "disks: [{mount: /data/1, device: /dev/vdb}]", "disks: [{mount: /data/1, device: /dev/vdx}, {mount: /data/2, device: /dev/vdy}, {mount: /data/3, device: /dev/vdz}]")
	m.write(inventoryPath, m.read(inventoryPath)+"nfs: [{source: \"10.162.2.90:/export/dfs\", mount: /nfsmount, nodes: [slave1]}]\n")
	m.Patience = 30 * time.Second
	r, err := m.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.loadState()
	if err != nil {
		t.Fatal(err)
	}
	m.late = 0
	absent, problem := m.prepareMounts(t.Context(), &r.Rendering.Data.Derived, s)
	if len(absent) != 4 || problem == nil || m.late != m.Patience {
		t.Errorf("%d mounts absent after %v, want 4 after %v: %v", len(absent), m.late, m.Patience, problem)
	}
}
