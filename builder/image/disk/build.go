package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/event"
)

const rawName = "disk.raw"

// Build makes the raw disk that s describes. Nothing is left at s.Output when it fails.
func Build(ctx context.Context, s Spec) (Result, error) {
	s, err := s.complete()
	if err != nil {
		return Result{}, err
	}
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return Result{}, fmt.Errorf("disk: open the root tree: %w", err)
	}
	defer root.Close()
	kernel, err := findKernel(root, s.Kernel)
	if err != nil {
		return Result{}, err
	}
	id := deriveIDs(s.Seed)
	files, err := rootFiles(root, s, id, kernel)
	if err != nil {
		return Result{}, err
	}
	content, err := measure(ctx, s.Root, int64(s.Ext4.BlockSize))
	if err != nil {
		return Result{}, err
	}
	for _, f := range files {
		content += roundUp(max(f.size, 1), int64(s.Ext4.BlockSize))
	}
	l, err := newLayout(s.Size, content, s.Ext4)
	if err != nil {
		return Result{}, err
	}
	work, err := os.MkdirTemp(filepath.Dir(s.Output), ".disk-*")
	if err != nil {
		return Result{}, fmt.Errorf("disk: %w", err)
	}
	defer os.RemoveAll(work)
	b := builder{Spec: s, id: id, layout: l, content: content, files: files, root: root, work: work}
	if err := b.make(ctx); err != nil {
		return Result{}, explain(err, work)
	}
	stored, err := publish(filepath.Join(work, rawName), s.Output)
	if err != nil {
		return Result{}, err
	}
	return Result{Path: s.Output, Size: l.total, Stored: stored, Kernel: kernel, RootUUID: id.RootFS.String()}, nil
}

// builder is one run of Build, with everything about the disk decided.
type builder struct {
	Spec
	id      ids
	layout  layout
	content int64 // bytes that the files take
	files   []file
	root    *os.Root
	work    string // directory on the host
}

func (b builder) make(ctx context.Context) error {
	f, err := os.OpenFile(filepath.Join(b.work, rawName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(b.layout.total); err != nil {
		return fmt.Errorf("disk: make a file of %d bytes: %w", b.layout.total, err)
	}
	for _, target := range targets {
		if err := makeCore(ctx, b.Spec, target, filepath.Join(b.work, target+".img")); err != nil {
			return err
		}
	}
	if err := b.partition(ctx); err != nil {
		return err
	}
	if err := b.makeESP(ctx); err != nil {
		return err
	}
	b.Events.Emit(event.Event{Kind: event.Phase, Message: "mke2fs"})
	if err := b.makeRoot(ctx); err != nil {
		return err
	}
	return b.bootFromBIOS(f)
}

// bootFromBIOS installs GRUB for BIOS machines.
func (b builder) bootFromBIOS(f *os.File) error {
	boot, err := b.root.Open(grubPackaged + "/i386-pc/boot.img")
	if err != nil {
		return fmt.Errorf("disk: the image needs the package grub-pc-bin: %w", err)
	}
	defer boot.Close()
	core, err := os.Open(filepath.Join(b.work, "i386-pc.img"))
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	defer core.Close()
	if err := installBoot(f, boot, core); err != nil {
		return err
	}
	return f.Close()
}

// fullBelow is the free space at which a failure is put down to a full disk: the tools say so in
// words of their own, or not at all.
const fullBelow = 1 * mib

// explain adds to a failure that the disk under dir is full, when it is, and what to do.
func explain(err error, dir string) error {
	var st unix.Statfs_t
	if !errors.Is(err, syscall.ENOSPC) && (unix.Statfs(dir, &st) != nil || int64(st.Bavail)*st.Bsize >= fullBelow) {
		return err
	}
	return fmt.Errorf("disk: %w under %s: free some space there, or choose another place (--store): %w", syscall.ENOSPC, filepath.Dir(dir), err)
}

// publish renames a finished file to its place and says how many bytes it takes there.
func publish(from, to string) (int64, error) {
	info, err := os.Stat(from)
	if err != nil {
		return 0, fmt.Errorf("disk: %w", err)
	}
	if err := os.Rename(from, to); err != nil {
		return 0, fmt.Errorf("disk: put the finished file in its place: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * sector, nil
	}
	return info.Size(), nil
}
