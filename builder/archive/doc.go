// Package archive reads archives that others made and writes archives that
// are the same every time.
//
// Readers (ExtractTar, ExtractZip, OpenDeb) treat each byte as hostile: they
// work under an os.Root, so that no name, symbolic link or hard link can reach
// outside of the destination; they are bounded in entries, bytes, depth and
// name length; and they refuse what an archive has no business to hold. Each
// refusal is an *EntryError that names the archive, the entry and the reason.
//
// Writers (WriteTar, Manifest) depend on the tree alone: sorted names, numeric
// ids, clamped times. Nothing in their output comes from the clock, the locale,
// the number of cores or the order in which a file system lists a directory.
//
// All of them stream: memory grows with the number of entries, never with the
// size of a file.
//
// The package must not know what a package, a component or an image is, where
// archives come from, or where the store keeps them.
package archive
