// Package bundle writes and reads bundles: all that a build takes from outside, in one file or folder, for a
// machine without a network.
//
// A bundle is an index and blobs by their sha256. As a file it is a plain tar (POSIX ustar) whose
// entries stand in one order; as a folder the same names lie below it:
//
//	forge-bundle.json     what is in it, see Index
//	blobs/sha256/<hex>    one file each, sorted by name
//
// Writers promise: the same index and blobs give the same bytes; a file appears whole or not at all; a
// folder that held an older bundle stays one until the new index is in place, and blobs that both name
// are not written again; what a killed writer left is used up by the next one.
//
// Readers treat each byte as hostile: a bundle is exactly what a writer writes, or an *Error that says which
// entry is wrong. What is handed out is bounded by the sizes in the index.
//
// The package must not know what inputs are for. It knows digests, not where blobs come from or go to.
package bundle
