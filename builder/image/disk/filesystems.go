package disk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// mke2fsConf leaves every choice to mke2fs's arguments. The sections keep it from warning that it
// does not find the types it looks up.
const mke2fsConf = `[defaults]
	base_features = none
	default_mntopts = acl,user_xattr
	enable_periodic_fsck = 0
[fs_types]
	ext4 = {
		inode_ratio = 16384
	}
	forge = {
		inode_ratio = 16384
	}
`

func (b builder) partition(ctx context.Context) error {
	return b.tool(ctx, b.work, sandbox.Spec{
		Args:  []string{"sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--wipe", "never", inTools(rawName)},
		Stdin: strings.NewReader(sfdiskScript(b.layout, b.id)),
	})
}

// makeESP makes the FAT of the EFI system partition, with GRUB at the path that firmware tries
// when it knows no other.
func (b builder) makeESP(ctx context.Context) error {
	core := "x86_64-efi.img"
	if err := os.Chtimes(filepath.Join(b.work, core), b.Epoch, b.Epoch); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	esp := fmt.Sprintf("%s@@%d", inTools(rawName), espStart)
	for _, args := range [][]string{
		{"mkfs.fat", "--invariant", "-i", b.id.volumeID(), "-F", "32", "-s", "1", "-n", "ESP", // --invariant sets a serial number too
			"-h", strconv.FormatInt(espStart/sector, 10), "--offset", strconv.FormatInt(espStart/sector, 10),
			inTools(rawName), strconv.FormatInt(espSize/kib, 10)},
		{"mmd", "-i", esp, "::/EFI", "::/EFI/BOOT"},
		{"mcopy", "-m", "-i", esp, inTools(core), "::/EFI/BOOT/BOOTX64.EFI"},
	} {
		if err := b.tool(ctx, b.work, sandbox.Spec{Args: args}); err != nil {
			return err
		}
	}
	return nil
}

// mke2fsArgs is the command that makes the root file system of a tar on its standard input. The
// disk is one hole when it starts: assume_storage_prezeroed leaves inode tables and journal so and
// marks them as written, so that the kernel need not zero them at first boot either.
func (b builder) mke2fsArgs() []string {
	e := b.Ext4
	return []string{
		"mke2fs", "-q", "-F", "-t", "ext4", "-T", "forge", "-O", featureList(e.Features), "-b", strconv.Itoa(e.BlockSize), "-I", strconv.Itoa(e.InodeSize),
		"-i", strconv.Itoa(e.BytesPerInode), "-m", strconv.Itoa(e.ReservedPercent), "-J", fmt.Sprintf("size=%d", e.JournalMiB),
		"-L", b.Label, "-U", b.id.RootFS.String(),
		"-E", fmt.Sprintf("offset=%d,hash_seed=%s,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,assume_storage_prezeroed=1,nodiscard", rootStart, b.id.HashSeed),
		"-d", "-", inTools(rawName), fmt.Sprintf("%dk", b.layout.rootSize/kib),
	}
}

// makeRoot streams the tree and b.files into an ext4 at the root partition's place.
func (b builder) makeRoot(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(b.work, "mke2fs.conf"), []byte(mke2fsConf), 0o644); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	r, w, err := os.Pipe() // a file, which mke2fs reads without a copy in between
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, int(mib)) // fewer switches; the usual 64 KiB work too
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	merged := make(chan error, 1)
	go func() {
		buffered := bufio.NewWriterSize(w, pipeBuffer)
		err := writeRootTar(ctx, buffered, b.Tree, b.files, b.Epoch, b.progress())
		if err == nil {
			err = buffered.Flush()
		} else {
			cancel() // or mke2fs would take a cut archive for a bad one, and say so first
		}
		merged <- errors.Join(err, w.Close())
	}()
	err = b.tool(ctx, b.work, sandbox.Spec{
		Args: b.mke2fsArgs(), Env: []string{"MKE2FS_CONFIG=" + inTools("mke2fs.conf")}, Stdin: r,
	})
	r.Close() // whoever still writes gets EPIPE
	tarErr := <-merged
	switch {
	case tarErr != nil && !errors.Is(tarErr, syscall.EPIPE):
		return tarErr
	case tarErr != nil && err == nil:
		return errors.New("disk: mke2fs ended before it had read the whole tree")
	}
	return err
}

// progress returns a function that is told of bytes of files, and emits an event every 16 MiB.
func (b builder) progress() func(int64) {
	var done, told int64
	return func(n int64) {
		if done += n; done-told < 16*mib {
			return
		}
		told = done
		b.Events.Emit(event.Event{Kind: event.Progress, Message: "root file system", Done: done, Total: max(b.content, done), Unit: "bytes"})
	}
}

// pipeBuffer is how much is collected before it goes through a pipe: tar writers write by 512 bytes.
const pipeBuffer = 256 << 10

// errStopped is what a writer gets when nobody reads any more.
var errStopped = errors.New("disk: the reader of the tree has stopped")
