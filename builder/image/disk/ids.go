package disk

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// namespace is the name space of all identifiers of disks (RFC 9562, section 6.5).
const namespace = "5ad8fa4e-5e0c-5c1f-9f0b-0d6b3fd5c2a7"

// ids are the identifiers of a disk.
type ids struct {
	Disk, BIOSPart, ESPPart, RootPart uuid.UUID // in the GPT
	RootFS, HashSeed                  uuid.UUID // in the ext4 superblock
	Volume                            uint32    // serial number of the FAT
}

// deriveIDs gives the identifiers that belong to seed: name-based UUIDs of version 5.
func deriveIDs(seed string) ids {
	derive := func(name string) uuid.UUID {
		return uuid.NewSHA1(uuid.MustParse(namespace), []byte(name+"\x00"+seed))
	}
	esp := derive("esp")
	return ids{
		Disk: derive("disk"), BIOSPart: derive("bios part"), ESPPart: derive("esp part"), RootPart: derive("root part"),
		RootFS: derive("root"), HashSeed: derive("root hash seed"),
		Volume: binary.BigEndian.Uint32(esp[:4]),
	}
}

// volumeID is the FAT serial number as mkfs.fat takes it.
func (i ids) volumeID() string { return fmt.Sprintf("%08x", i.Volume) }

// Cmdline is the command line that the boot loader of a disk made with this seed and these parameters gives
// its kernel.
func Cmdline(seed, parameters string) string { return deriveIDs(seed).cmdline(parameters) }

func (i ids) cmdline(parameters string) string {
	return fmt.Sprintf("root=UUID=%s ro %s", i.RootFS, parameters)
}

// volumeUUID is the FAT serial number as fstab and blkid write it.
func (i ids) volumeUUID() string {
	return strings.ToUpper(fmt.Sprintf("%04x-%04x", i.Volume>>16, i.Volume&0xffff))
}

// gpt is an identifier as sfdisk writes it.
func gpt(u uuid.UUID) string { return strings.ToUpper(u.String()) }
