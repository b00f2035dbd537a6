// Package seed makes the NoCloud seed of one node: the small volume labelled
// "cidata" from which cloud-init learns a node's name, role, inventory,
// address and keys.
//
// It promises equal bytes for an equal Spec, whoever builds it, in whatever
// time zone; that a Spec which cloud-init would misread is refused by name;
// and that an image appears under its final name only when it is whole, with
// mode 0600.
//
// The package must not know recipes, steps, the store, virtual machines, or
// what an inventory says: it carries the inventory as bytes.
//
// Specifications: cloud-init's NoCloud data source and network-config
// version 2; ECMA-119 (ISO 9660); SUSP and RRIP 1.12 (Rock Ridge).
package seed
