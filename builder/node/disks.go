package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/cluster"
)

// Disk is an opened block device.
type Disk struct {
	io.ReaderAt
	io.Closer
	Size int64  // bytes
	ID   string // what makes it this disk and no other, as far as it tells
	// Place is true where ID is no more than device and size: another disk may have it tomorrow.
	Place bool
}

// diskRecord says that forge began to format a disk.
type diskRecord struct {
	Disk string `json:"disk"` // Disk.ID
	UUID string `json:"uuid"` // of the file system
}

// edge is how much of a disk's begin and end must be zeros for it to be blank.
const edge = 1 << 20

// minDisk is the least that a disk must have to be one.
const minDisk = 8 << 20

// formatDisk makes a file system on the disk of the inventory and returns the
// device. The label is the last thing that is written: what carries it is whole.
// What doesn't is only ever formatted if it is blank, or if the record says that
// forge itself began to format this very disk and it looks so.
func (n *Node) formatDisk(ctx context.Context, m cluster.Mount, s *state, end time.Time) (device string, err error) {
	if device, err = n.awaitDevice(ctx, m, end); err != nil {
		return "", err
	}
	id, err := n.mayFormat(ctx, m, device, s.Disks[m.Label])
	if err != nil {
		return "", err
	}
	uuid := s.Disks[m.Label].UUID // what a killed run left may carry it
	if s.Disks[m.Label].Disk != id {
		uuid = newUUID()
	}
	s.Disks[m.Label] = diskRecord{Disk: id, UUID: uuid}
	if err := n.saveState(s); err != nil {
		return "", err
	}
	for _, argv := range [][]string{
		// No blocks for root alone: nothing of the system lies there. -F: a begun one may be there.
		{"mkfs.ext4", "-q", "-F", "-m", "0", "-U", uuid, device},
		{"e2label", device, m.Label},
	} {
		n.changes(argv[0] + " " + device)
		if _, err := n.Exec(ctx, User{}, argv); err != nil {
			return "", err
		}
	}
	return device, syncDir(device)
}

// awaitDevice waits for the device of the inventory, until end.
func (n *Node) awaitDevice(ctx context.Context, m cluster.Mount, end time.Time) (string, error) {
	for {
		device, err := filepath.EvalSymlinks(n.path(m.Device))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return device, err
		}
		if !n.Now().Before(end) {
			return "", fmt.Errorf("no disk carries the label %s, and there is no %s to be formatted: is the disk attached, and is its device in the inventory right?", m.Label, m.Device)
		}
		if err := n.Sleep(ctx, time.Second); err != nil {
			return "", err
		}
	}
}

// mayFormat returns the disk's identity if it may be formatted.
func (n *Node) mayFormat(ctx context.Context, m cluster.Mount, device string, begun diskRecord) (id string, err error) {
	d, err := n.OpenDisk(device)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if d.Size < minDisk {
		return "", fmt.Errorf("%s has %d bytes, too few for a file system: is there a medium in it?", m.Device, d.Size)
	}
	signatures, err := n.signatures(ctx, device)
	if err != nil {
		return "", err
	}
	zeros, err := d.zeroEdges()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", device, err)
	}
	if zeros && len(signatures) == 0 {
		return d.ID, nil
	}
	if begun.Disk == d.ID && d.ID != "" {
		ours := len(signatures) == 0 && !d.Place
		if !ours {
			if ours, err = d.unfinished(begun.UUID); err != nil {
				return "", fmt.Errorf("read %s: %w", device, err)
			}
		}
		if ours {
			return d.ID, nil
		}
	}
	what := or(strings.Join(signatures, ", "), "data of an unknown kind")
	return "", fmt.Errorf("no disk carries the label %s, and %s is not blank (it holds %s): forge formats nothing else. If this is the disk, and its file system is to be used, label it (e2label %s %s); if what it holds is worthless, overwrite its first and last MiB with zeros",
		m.Label, m.Device, what, m.Device, m.Label)
}

// signatures are the file systems, partition tables, and members of RAID or LVM
// that util-linux knows and finds on a device.
func (n *Node) signatures(ctx context.Context, device string) ([]string, error) {
	out, err := n.Exec(ctx, User{}, []string{"wipefs", "--no-act", "--parsable", device})
	if err != nil {
		return nil, err
	}
	var types []string
	for line := range strings.Lines(string(out)) { // "0x438,UUID,LABEL,ext4", below a title with #
		if f := strings.Split(strings.TrimSpace(line), ","); len(f) == 4 && !strings.HasPrefix(line, "#") {
			types = append(types, f[3])
		}
	}
	return types, nil
}

func (d *Disk) zeroEdges() (bool, error) {
	for _, at := range []int64{0, max(0, d.Size-edge)} {
		part, err := io.ReadAll(io.NewSectionReader(d, at, edge))
		if err != nil {
			return false, err
		}
		if len(bytes.Trim(part, "\x00")) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// unfinished tells whether a disk holds an ext4 of this UUID that has no label
// yet and was never mounted. The superblock is at 1024: s_mtime at 0x2c, s_magic
// at 0x38, s_uuid at 0x68, s_volume_name at 0x78 (Linux, ext4/super).
func (d *Disk) unfinished(uuid string) (bool, error) {
	super := make([]byte, 1024)
	if _, err := d.ReadAt(super, 1024); err != nil {
		return false, err
	}
	u := super[0x68:0x78]
	is := fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	return binary.LittleEndian.Uint16(super[0x38:]) == 0xef53 && is == uuid &&
		binary.LittleEndian.Uint32(super[0x2c:]) == 0 && len(bytes.Trim(super[0x78:0x88], "\x00")) == 0, nil
}

func newUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // it never fails (crypto/rand)
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// openDisk opens a block device that nothing else uses.
func openDisk(path string) (*Disk, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_EXCL, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("%s is in use: it is mounted, or part of a RAID or a volume group", path)
	}
	if err != nil {
		return nil, err
	}
	d, err := describeDisk(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return d, nil
}

func describeDisk(f *os.File) (*Disk, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return nil, fmt.Errorf("%s is no block device", f.Name())
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	sys := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	name := diskName(sys)
	return &Disk{ReaderAt: f, Closer: f, Size: size, ID: fmt.Sprintf("%s, %d bytes", or(name, f.Name()), size), Place: name == ""}, nil
}

// diskName is the best name that the kernel has for a disk: its world-wide name
// or serial number, with the number of a partition; "" if it has none.
func diskName(sys string) string {
	part, _ := readBounded(sys+"/partition", 64)
	for _, file := range []string{"wwid", "device/wwid", "serial", "device/serial"} {
		for _, dir := range []string{sys, sys + "/.."} {
			name, err := readBounded(filepath.Join(dir, file), 4096)
			if s := strings.TrimSpace(string(name)); err == nil && s != "" {
				return strings.TrimSpace(s + " " + string(part))
			}
			if len(part) == 0 {
				break
			}
		}
	}
	return ""
}
