package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// RunFunc runs one program; sandbox.Run is the one that is meant.
type RunFunc func(context.Context, sandbox.Spec) error

// Spec describes a disk.
type Spec struct {
	Tools  string // directory: file tree with the programs that make disks
	Root   string // directory: the image's merged file tree, read for the kernel, GRUB and sizes; grub-mkimage runs in it
	Output string // path of the raw disk to make; its directory exists

	// Tree writes the image's merged file tree as a tar: numeric owners, times not after Epoch,
	// a directory before what lies in it, the same bytes at every call.
	Tree func(ctx context.Context, w io.Writer) error

	Size    int64     // bytes of the whole disk, at most 2 TiB; 0: what the files need and room to work, in whole GiB
	Seed    string    // all identifiers of the disk are derived from it, e.g. "bookworm/slave"
	Epoch   time.Time // time stamp of all that is not in Tree, whole seconds, 1980 to 2100
	Label   string    // ext4 label, up to 16 of A-Z a-z 0-9 . _ -; "" means "root"
	Kernel  string    // version of the kernel to boot, e.g. "6.1.0-37-cloud-amd64"; "" means the only one in /boot
	Cmdline string    // kernel parameters besides root=; "" means DefaultCmdline
	Ext4    Ext4

	Run    RunFunc    // nil: sandbox.Run
	Events event.Sink // nil: event.Discard
}

// Ext4 names what mke2fs would else take from its own configuration file. Zero values mean the
// defaults that are named here.
type Ext4 struct {
	Features        []string // exactly these; nil means DefaultFeatures
	BlockSize       int      // bytes: 1024, 2048 or 4096 (default)
	InodeSize       int      // bytes: 128, 256 (default), 512 or 1024
	BytesPerInode   int      // one inode for so many bytes of the disk; default 16384
	ReservedPercent int      // of the blocks for root alone, 1 to 50; default 1
	JournalMiB      int      // default 64
}

// DefaultCmdline has the console on the screen and on the first serial line; the kernel's messages
// and systemd's go to both, /dev/console is the serial line.
const DefaultCmdline = "console=tty0 console=ttyS0,115200"

// DefaultFeatures is what Linux 4.4 and newer mount and GRUB 2.02 and newer read.
func DefaultFeatures() []string {
	return []string{
		"has_journal", "ext_attr", "resize_inode", "dir_index", "filetype", "extent", "64bit",
		"flex_bg", "sparse_super", "large_file", "huge_file", "dir_nlink", "extra_isize", "metadata_csum",
	}
}

// Result describes a disk that Build made.
type Result struct {
	Path     string
	Size     int64  // bytes that the machine sees
	Stored   int64  // bytes that it takes on the host's disk
	Kernel   string // version of the kernel that it boots
	RootUUID string // of the ext4 file system
}

// unreadable are ext4 features that GRUB 2.06 and older refuse to read.
var unreadable = []string{"casefold", "compression", "ea_inode", "inline_data", "journal_dev", "large_dir", "metadata_csum_seed"}

var (
	labelForm   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,16}$`)
	featureForm = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)
	kernelForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+~_-]{0,127}$`)
	cmdlineForm = regexp.MustCompile(`^[A-Za-z0-9_.,:=/@+%~ -]*$`)
)

// complete returns s with its defaults, or what is wrong with it.
func (s Spec) complete() (Spec, error) {
	if s.Label == "" {
		s.Label = "root"
	}
	if s.Cmdline == "" {
		s.Cmdline = DefaultCmdline
	}
	s.Cmdline = strings.Join(strings.Fields(s.Cmdline), " ")
	if s.Run == nil {
		s.Run = sandbox.Run
	}
	if s.Events == nil {
		s.Events = event.Discard
	}
	s.Ext4 = s.Ext4.complete()
	return s, errors.Join(s.check(), s.Ext4.check())
}

func (s Spec) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("disk: "+format, args...)) }
	for _, p := range []struct{ name, path string }{{"tools tree", s.Tools}, {"root tree", s.Root}, {"output", s.Output}} {
		if !filepath.IsAbs(p.path) {
			bad("the %s %q is not an absolute path", p.name, p.path)
		}
	}
	if s.Tree == nil {
		bad("no tree to write")
	}
	if s.Seed == "" {
		bad("no seed to derive identifiers from")
	}
	if y := s.Epoch.UTC().Year(); y < 1980 || y > 2100 || s.Epoch.Nanosecond() != 0 {
		bad("the time stamp %s is not a whole second from 1980 to 2100 (FAT starts in 1980)", s.Epoch.UTC().Format(time.RFC3339Nano))
	}
	if s.Size < 0 || s.Size > maxSize {
		bad("a size of %d bytes is not between 0 and 2 TiB", s.Size)
	}
	if !labelForm.MatchString(s.Label) {
		bad("the label %q is not 1 to 16 of A-Z a-z 0-9 . _ -", s.Label)
	}
	if s.Kernel != "" && !kernelForm.MatchString(s.Kernel) {
		bad("%q is not a kernel version", s.Kernel)
	}
	if len(s.Cmdline) > 1024 {
		bad("the kernel parameters are %d bytes, more than 1024", len(s.Cmdline))
	}
	if !cmdlineForm.MatchString(s.Cmdline) {
		bad("the kernel parameters %q hold a character that GRUB would read as its own", s.Cmdline)
	}
	if slices.ContainsFunc(strings.Fields(s.Cmdline), func(f string) bool { return strings.HasPrefix(f, "root=") }) {
		bad("the kernel parameters %q name a root; the disk has its own", s.Cmdline)
	}
	return errors.Join(errs...)
}

func (e Ext4) complete() Ext4 {
	for _, d := range []struct {
		field *int
		value int
	}{{&e.BlockSize, 4096}, {&e.InodeSize, 256}, {&e.BytesPerInode, 16384}, {&e.ReservedPercent, 1}, {&e.JournalMiB, 64}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if e.Features == nil {
		e.Features = DefaultFeatures()
	}
	return e
}

func (e Ext4) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("disk: ext4: "+format, args...)) }
	if !slices.Contains([]int{1024, 2048, 4096}, e.BlockSize) {
		bad("a block size of %d is not 1024, 2048 or 4096", e.BlockSize)
	}
	if !slices.Contains([]int{128, 256, 512, 1024}, e.InodeSize) {
		bad("an inode size of %d is not 128, 256, 512 or 1024", e.InodeSize)
	}
	if e.BytesPerInode < 1024 || e.BytesPerInode > 64<<20 {
		bad("%d bytes per inode is not between 1 KiB and 64 MiB", e.BytesPerInode)
	}
	if e.ReservedPercent < 1 || e.ReservedPercent > 50 {
		bad("%d percent reserved is not between 1 and 50", e.ReservedPercent)
	}
	if e.JournalMiB < 4 || e.JournalMiB > 1024 {
		bad("a journal of %d MiB is not between 4 and 1024", e.JournalMiB)
	}
	for _, f := range e.Features {
		switch {
		case !featureForm.MatchString(f) || f == "none":
			bad("%q is not the name of a feature", f)
		case slices.Contains(unreadable, f):
			bad("the boot loader cannot read a file system with the feature %q: take it out of the stack's list", f)
		}
	}
	if !slices.Contains(e.Features, "filetype") || !slices.Contains(e.Features, "resize_inode") {
		bad("the features %v lack filetype or resize_inode, without which the root cannot grow", e.Features)
	}
	return errors.Join(errs...)
}
