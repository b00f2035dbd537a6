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
// What is known of a cluster ([Facts]) checks settings and lines of text with
// the same rules, wherever those come from: extra settings here, files and
// scripts in package lint.
//
// [Rules] is the table of all rules. Those named F01 to F27 are the mistakes of
// field guide section 10 with the same number; others have names in words. The
// inventory may accept a broken rule, with a reason: the [Problem] is told then,
// and is no error.
//
// It must not know packages, images, files on a node or how anything is
// rendered, and it never touches the network.
package cluster
