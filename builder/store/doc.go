// Package store is the content-addressed store that every step reads from and writes to.
//
// It holds blobs (files by sha256), trees (directories by the sha256 of their canonical
// manifest), results (what a step made, by the step's key) and temporary folders.
//
// It promises: what is in the store is whole, because everything enters by a rename; what is
// handed out is what its digest says, because a file whose stat signature or boot differs from
// the one recorded at its last check is hashed again; several processes may use one store at the
// same time; and what a killed process left behind is removed by the next one.
//
// It must not know what a step is, nor what a blob or a tree means.
//
// Layout below the root (format 1):
//
//	FORMAT                    the number 1
//	blobs/sha256/ab/<hex>     file, mode 0444
//	trees/<hex>/fs/           directory tree
//	meta/{blobs,trees}/<hex>  stat signature of the last check, see check
//	results/<hex>             JSON, by key; its modification time is that of its last use
//	last/<name>               the key that a step of this name had last
//	logs/<name>               the log of its last run
//	locks/                    flock files
//	tmp/                      temporary folders, each with a lock that its owner holds
package store
