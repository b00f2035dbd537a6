// Package disk makes the disk of a virtual machine from a file tree.
//
// Build writes a raw disk: a GPT with a BIOS boot partition, an EFI system partition and an ext4
// root, which boots with GRUB from BIOS and UEFI alike. Convert turns it into the formats that
// hypervisors read.
//
// Promises:
//
//   - No loop device, no block device and no mount of the disk: mke2fs reads the tree as a tar
//     stream and writes at the partition's offset, mtools do the same for FAT, so that root and
//     rootless work alike.
//   - The same Spec and the same tree give the same bytes, in every format: each identifier comes
//     from Spec.Seed, each time from Spec.Epoch, ext4's features from the stack.
//   - The output appears whole or not at all: it is made in a temporary directory beside it. It is
//     not synced: whoever keeps it does that.
//   - Holes stay holes; no file, layer or disk is held in memory.
//   - The root partition and its file system grow to the disk's size at every boot, without
//     network, seed or cloud-init.
//   - A kernel that is installed later by apt boots: /etc/default/grub.d and GRUB's modules are
//     in the image, and the kernel's own hooks find them.
//
// The caller provides two file trees: the tools (sfdisk, mke2fs 1.47.2 or newer with libarchive,
// mkfs.fat, mtools, qemu-img), and the image's own tree, in which grub-mkimage runs: GRUB's core
// image and its modules must come from one version.
//
// The package must not know roles, components, steps or the store.
package disk
