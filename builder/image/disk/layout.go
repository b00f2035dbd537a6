package disk

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Sizes are bytes; partitions begin and end on whole MiB.
const (
	sector       = 512
	kib    int64 = 1 << 10
	mib    int64 = 1 << 20
	gib    int64 = 1 << 30

	biosStart = 1 * mib
	biosSize  = 1 * mib
	espStart  = biosStart + biosSize
	espSize   = 64 * mib // the least that is FAT32 with room for other boot loaders
	rootStart = espStart + espSize
	tailSize  = 1 * mib // the second GPT

	maxSize = 2 << 40 // what a protective MBR describes
)

// Numbers of the partitions.
const (
	biosPart = 1
	espPart  = 2
	rootPart = 3 // the last on the disk, so that it can grow
)

// Types of partitions: UEFI specification, Discoverable Partitions Specification, and GRUB's manual.
const (
	typeBIOS = "21686148-6449-6E6F-744E-656564454649"
	typeESP  = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	typeRoot = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709" // root of an x86-64, which systemd-repart grows
)

// layout is where things are on a disk of total bytes.
type layout struct {
	total    int64
	rootSize int64
}

// newLayout lays out a disk for files that take content bytes in ext4 blocks. A size of 0 means
// that it is chosen.
func newLayout(size, content int64, e Ext4) (layout, error) {
	journal := int64(e.JournalMiB) * mib
	if size == 0 {
		size = roundUp(content+content/8+journal+rootStart+tailSize+gib, gib)
	}
	size -= size % mib
	l := layout{total: size, rootSize: size - rootStart - tailSize}
	// Inode tables, and 2 percent for bitmaps, descriptors and directories.
	inodes := l.rootSize / int64(e.BytesPerInode) * int64(e.InodeSize)
	if need := content + content/50 + journal + inodes; l.rootSize < need {
		least := roundUp(rootStart+tailSize+need+need/10+64*mib, 64*mib)
		return layout{}, fmt.Errorf("disk: a size of %d MiB is too small: the files take %d MiB; ask for %d MiB or more (--disk-size)",
			size/mib, content/mib, least/mib)
	}
	return l, nil
}

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// sfdiskScript is the partition table in sfdisk's own language (sfdisk(8), "Header lines").
func sfdiskScript(l layout, id ids) string {
	var b strings.Builder
	fmt.Fprintf(&b, "label: gpt\nlabel-id: %s\nunit: sectors\nsector-size: %d\nfirst-lba: %d\n\n", gpt(id.Disk), sector, biosStart/sector)
	for _, p := range []struct {
		start, size      int64
		kind, uuid, name string
	}{
		{biosStart, biosSize, typeBIOS, gpt(id.BIOSPart), "bios"},
		{espStart, espSize, typeESP, gpt(id.ESPPart), "esp"},
		{rootStart, l.rootSize, typeRoot, gpt(id.RootPart), "root"},
	} {
		fmt.Fprintf(&b, "start=%d, size=%d, type=%s, uuid=%s, name=\"%s\"\n", p.start/sector, p.size/sector, p.kind, p.uuid, p.name)
	}
	return b.String()
}

// measure says how many bytes the files under root take in blocks of the given size. Hard links
// count once.
func measure(ctx context.Context, root string, block int64) (int64, error) {
	type inode struct{ dev, ino uint64 }
	seen := map[inode]bool{}
	var total int64
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 && !d.IsDir() {
			key := inode{st.Dev, st.Ino}
			if seen[key] {
				return nil
			}
			seen[key] = true
		}
		switch {
		case d.IsDir():
			total += roundUp(max(info.Size(), 1), block)
		case info.Mode().IsRegular():
			total += roundUp(info.Size(), block)
		case info.Mode()&os.ModeSymlink != 0 && info.Size() >= 60: // shorter ones live in the inode
			total += block
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("disk: measure the tree: %w", err)
	}
	return total, nil
}
