package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// mke2fsConf leaves every choice to mke2fs's arguments.
const mke2fsConf = "[defaults]\n\tbase_features = none\n"

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
		{"mkfs.fat", "-F", "32", "-s", "1", "-i", b.id.volumeID(), "-n", "ESP", "--invariant",
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

// mke2fsArgs is the command that makes the root file system of a tar on its standard input.
func (b builder) mke2fsArgs() []string {
	e := b.Ext4
	return []string{
		"mke2fs", "-q", "-F", "-O", featureList(e.Features), "-b", strconv.Itoa(e.BlockSize), "-I", strconv.Itoa(e.InodeSize),
		"-i", strconv.Itoa(e.BytesPerInode), "-m", strconv.Itoa(e.ReservedPercent), "-J", fmt.Sprintf("size=%d", e.JournalMiB),
		"-L", b.Label, "-U", b.id.RootFS.String(),
		"-E", fmt.Sprintf("offset=%d,hash_seed=%s,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard", rootStart, b.id.HashSeed),
		"-d", "-", inTools(rawName), fmt.Sprintf("%dk", b.layout.rootSize/kib),
	}
}

// makeRoot streams the tree and b.files into an ext4 at the root partition's place.
func (b builder) makeRoot(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(b.work, "mke2fs.conf"), []byte(mke2fsConf), 0o644); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	r, w := io.Pipe()
	merged := make(chan error, 1)
	go func() {
		err := writeRootTar(ctx, w, b.Tree, b.files, b.Epoch)
		w.CloseWithError(err)
		merged <- err
	}()
	err := b.tool(ctx, b.work, sandbox.Spec{
		Args: b.mke2fsArgs(), Env: []string{"MKE2FS_CONFIG=" + inTools("mke2fs.conf")}, Stdin: r,
	})
	r.CloseWithError(errStopped)
	if tarErr := <-merged; tarErr != nil && !errors.Is(tarErr, errStopped) {
		return errors.Join(tarErr, err)
	} else if err == nil && tarErr != nil {
		return errors.New("disk: mke2fs ended before it had read the whole tree")
	}
	return err
}

// errStopped is what a writer gets when nobody reads any more.
var errStopped = errors.New("disk: the reader of the tree has stopped")
