package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Offsets in GRUB's boot.img and in the first sector of its core image (include/grub/i386/pc/boot.h
// and grub-core/boot/i386/pc/diskboot.S of GRUB 2.02 to 2.12).
const (
	bootCodeSize     = 440  // the disk's signature and partition table follow
	bootBPBStart     = 0x03 // what a BIOS may keep about the disk
	bootBPBEnd       = 0x5a
	bootKernelSector = 0x5c // where the core image begins, 64 bits
	bootDriveCheck   = 0x66 // a jump that trusts the BIOS's drive number
	coreNextSector   = sector - 12
	coreMaxSize      = 0x78000 // what fits into real mode's memory
)

// installBoot makes f, a disk with a GPT, boot from a BIOS: boot.img into the first sector, the
// core image into the BIOS boot partition. It does what grub-bios-setup --no-rs-codes does, which
// needs a block device or a false /proc to do it.
func installBoot(f *os.File, bootImg, core io.Reader) error {
	boot := make([]byte, sector)
	if _, err := io.ReadFull(bootImg, boot); err != nil {
		return fmt.Errorf("disk: GRUB's boot.img is no boot sector: %w", err)
	}
	image, err := io.ReadAll(io.LimitReader(core, min(coreMaxSize, biosSize)+1))
	if err != nil {
		return fmt.Errorf("disk: read GRUB's core image: %w", err)
	}
	switch {
	case binary.LittleEndian.Uint16(boot[510:]) != 0xaa55:
		return errors.New("disk: GRUB's boot.img is no boot sector: it lacks the signature 55 AA")
	case len(image) < 2*sector:
		return fmt.Errorf("disk: GRUB's core image is too short: %d bytes", len(image))
	case int64(len(image)) > min(coreMaxSize, biosSize):
		return fmt.Errorf("disk: GRUB's core image is larger than %d bytes", min(coreMaxSize, biosSize))
	}
	if length := binary.LittleEndian.Uint16(image[coreNextSector+8:]); int(length) != (len(image)-1)/sector {
		return fmt.Errorf("disk: GRUB's core image says that it has %d sectors after the first, but has %d", length, (len(image)-1)/sector)
	}
	first := make([]byte, sector)
	if _, err := f.ReadAt(first, 0); err != nil {
		return fmt.Errorf("disk: read the first sector: %w", err)
	}
	copy(boot[bootBPBStart:bootBPBEnd], first[bootBPBStart:bootBPBEnd])
	binary.LittleEndian.PutUint64(boot[bootKernelSector:], uint64(biosStart/sector))
	copy(boot[bootDriveCheck:], []byte{0x90, 0x90}) // no jump: a BIOS that names drive 0 means the first hard disk
	binary.LittleEndian.PutUint64(image[coreNextSector:], uint64(biosStart/sector+1))
	if _, err := f.WriteAt(boot[:bootCodeSize], 0); err != nil {
		return fmt.Errorf("disk: write the boot sector: %w", err)
	}
	if _, err := f.WriteAt(image, biosStart); err != nil {
		return fmt.Errorf("disk: write GRUB's core image: %w", err)
	}
	return nil
}
