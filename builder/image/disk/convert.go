package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// Format is a format of disk images.
type Format string

// The formats that Convert writes.
const (
	QCOW2 Format = "qcow2" // version 3, compressed: QEMU, OpenStack
	VMDK  Format = "vmdk"  // stream-optimized: VMware
	VHD   Format = "vhd"   // dynamic: Hyper-V, Azure
	Raw   Format = "raw"   // sparse
)

// Formats are all of them, the default first.
func Formats() []Format { return []Format{QCOW2, Raw, VMDK, VHD} }

// Compression is how the clusters of a QCOW2 are compressed.
type Compression string

// The compressions of a QCOW2. On 600 MB of a Debian, Zstd takes 3 s where Zlib takes 15 s, and its
// result is 2 % smaller.
const (
	Zstd Compression = "zstd" // QEMU 5.1 and newer
	Zlib Compression = "zlib" // all that read version 3
)

// Conversion describes a disk in another format.
type Conversion struct {
	Tools  string // directory: file tree with qemu-img
	Source string // path of the disk to convert
	Output string // path of the file to make; its directory exists
	Format Format

	SourceFormat Format // "" means Raw

	Compression Compression // of a QCOW2; "" means Zstd

	Seed  string    // the identifiers that some formats have are derived from it
	Epoch time.Time // the time stamp that some formats have, whole seconds, from 2000 on

	Run    RunFunc    // nil: sandbox.Run
	Events event.Sink // nil: event.Discard
}

// sourceTarget is where the disk appears in the tools tree.
const sourceTarget = "/run/forge-disk-source"

// qemuOptions are qemu-img's name of the format and its arguments for it. Without -W it writes in
// order, so that equal disks give equal files.
func (c Conversion) qemuOptions() ([]string, error) {
	switch {
	case c.Compression != Zstd && c.Compression != Zlib:
		return nil, fmt.Errorf("disk: compression %q is not %s or %s", c.Compression, Zstd, Zlib)
	case c.Format == QCOW2:
		return []string{"-O", "qcow2", "-c", "-o", fmt.Sprintf("compat=1.1,compression_type=%s,cluster_size=65536", c.Compression)}, nil
	case c.Format == VMDK:
		return []string{"-O", "vmdk", "-o", "subformat=streamOptimized"}, nil
	case c.Format == VHD:
		return []string{"-O", "vpc", "-o", "subformat=dynamic,force_size=on"}, nil
	case c.Format == Raw:
		return []string{"-O", "raw"}, nil
	}
	return nil, fmt.Errorf("disk: format %q is not one of %s, %s, %s, %s", c.Format, QCOW2, VMDK, VHD, Raw)
}

// Convert writes a disk in another format. Nothing is left at c.Output when it fails.
func Convert(ctx context.Context, c Conversion) error {
	if c.Compression == "" {
		c.Compression = Zstd
	}
	options, err := c.qemuOptions()
	if err != nil {
		return err
	}
	if c.SourceFormat == "" {
		c.SourceFormat = Raw
	}
	if c.Run == nil {
		c.Run = sandbox.Run
	}
	if c.Events == nil {
		c.Events = event.Discard
	}
	if c.Seed == "" || c.Epoch.Before(vhdEpoch) {
		return errors.New("disk: a conversion needs a seed and a time stamp from 2000 on")
	}
	work, err := os.MkdirTemp(filepath.Dir(c.Output), ".disk-*")
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	defer os.RemoveAll(work)
	c.Events.Emit(event.Event{Kind: event.Phase, Message: string(c.Format)})
	args := append([]string{"qemu-img", "convert", "-m", "8", "-f", qemuName(c.SourceFormat)}, options...)
	err = Spec{Tools: c.Tools, Epoch: c.Epoch, Run: c.Run}.tool(ctx, work, sandbox.Spec{
		Args:  append(args, sourceTarget, inTools("disk")),
		Binds: []sandbox.Bind{{Source: c.Source, Target: sourceTarget, ReadOnly: true}},
	})
	if err != nil {
		return explain(err, work)
	}
	if err := c.settle(filepath.Join(work, "disk")); err != nil {
		return fmt.Errorf("disk: set the identifiers of a %s: %w", c.Format, err)
	}
	_, err = publish(filepath.Join(work, "disk"), c.Output)
	return err
}

// qemuName is what qemu-img calls a format.
func qemuName(f Format) string {
	if f == VHD {
		return "vpc"
	}
	return string(f)
}

// settle replaces what qemu-img took from the clock and from chance.
func (c Conversion) settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	id := deriveIDs(c.Seed).Disk
	switch c.Format {
	case VMDK:
		err = settleVMDK(f, binary.BigEndian.Uint32(id[:4]))
	case VHD:
		err = settleVHD(f, id, c.Epoch)
	}
	return errors.Join(err, f.Close())
}

// settleVMDK sets the content identifier in the descriptor, which follows the header of a sparse
// extent (VMware Virtual Disk Format 1.1).
func settleVMDK(f *os.File, cid uint32) error {
	const descriptorStart, descriptorSize = sector, 20 * sector
	text := make([]byte, descriptorSize)
	if _, err := f.ReadAt(text, descriptorStart); err != nil {
		return err
	}
	settled, err := settleDescriptor(text, cid)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(settled, descriptorStart)
	return err
}

// settleDescriptor gives the line CID= of a descriptor 8 digits. qemu-img draws the number and writes it
// without leading zeros, so what follows the line may move; zeros fill the rest of the descriptor.
func settleDescriptor(text []byte, cid uint32) ([]byte, error) {
	head, rest, found := bytes.Cut(text, []byte("\nCID="))
	_, tail, ends := bytes.Cut(rest, []byte("\n"))
	if digits := len(rest) - len(tail) - 1; !found || !ends || digits < 1 || digits > 8 {
		return nil, errors.New("its descriptor has no line CID= with 1 to 8 digits")
	}
	settled := fmt.Appendf(nil, "%s\nCID=%08x\n", head, cid&0x7fffffff|1) // 0, fffffffe and ffffffff have meanings
	settled = append(settled, tail...)
	if len(bytes.Trim(settled[len(text):], "\x00")) > 0 {
		return nil, errors.New("its descriptor has no room for 8 digits of CID=")
	}
	return settled[:len(text)], nil
}

// vhdEpoch is where VHD's time stamps begin.
var vhdEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// settleVHD sets the identifier and the time stamp in the footer and in its copy at the start
// (Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format").
func settleVHD(f *os.File, id uuid.UUID, epoch time.Time) error {
	const timeAt, sumAt, idAt = 24, 64, 68
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for _, at := range []int64{0, info.Size() - sector} {
		footer := make([]byte, sector)
		if _, err := f.ReadAt(footer, at); err != nil {
			return err
		}
		if !bytes.HasPrefix(footer, []byte("conectix")) {
			return fmt.Errorf("no footer at byte %d", at)
		}
		binary.BigEndian.PutUint32(footer[timeAt:], uint32(epoch.Sub(vhdEpoch)/time.Second))
		copy(footer[idAt:], id[:])
		binary.BigEndian.PutUint32(footer[sumAt:], 0)
		var sum uint32
		for _, c := range footer {
			sum += uint32(c)
		}
		binary.BigEndian.PutUint32(footer[sumAt:], ^sum)
		if _, err := f.WriteAt(footer, at); err != nil {
			return err
		}
	}
	return nil
}
