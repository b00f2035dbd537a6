// Package cluster is the inventory: the one file, cluster.yaml, in which a
// cluster's addresses and settings are written, and all that follows from it.
//
// It is shared by the builder (seeds, checks before a build) and by forge-node
// (rendering). It promises that
//
//   - reading is strict: an unknown key, a wrong type, a duplicate or a value
//     that is not ASCII is one [Problem] with file, line and column, and all
//     problems of a file are reported together;
//   - what can be derived is derived ([Inventory.Derive]) and can't be written:
//     quorum, myid, ZooKeeper URLs, fs.default.name, seeds of lists of servers.
//
// Rules named F01 to F27 are the mistakes of field guide section 10 with the
// same number; other rules have names in words.
//
// It must not know packages, images, files on a node or how anything is
// rendered, and it never touches the network.
package cluster
