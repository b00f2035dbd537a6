// Package seed makes the seed of one node, from which cloud-init learns its
// name, role, inventory, secrets, address and keys: a NoCloud volume, an
// OpenStack configuration drive, or user-data alone.
//
// It promises equal bytes for an equal Spec, whoever builds it, in whatever
// time zone; that a Spec which cloud-init would misread, or which contradicts
// what forge says, is refused by name; and that a seed appears under its final
// name only when it is whole, with mode 0600.
//
// The package must not know recipes, steps, the store, virtual machines, or
// what an inventory says: it carries the inventory as bytes.
//
// Specifications: cloud-init's data sources NoCloud, ConfigDrive and Ec2, its
// user-data formats, merging, and network-config version 2; ECMA-119 (ISO
// 9660); SUSP and RRIP 1.12 (Rock Ridge). The tests let cloud-init itself read
// every format.
package seed
