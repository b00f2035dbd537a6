// Package publish writes what tells others about the results: the list of packages, the SBOM and
// the file of checksums.
//
// It promises: all of it is the same for the same inputs; no place that bytes were fetched from is
// named, only package URLs and home pages; a licence is named by its SPDX identifier where that
// is certain, and otherwise by a reference to the text that the package itself has; and no
// link in a tree leads out of it, nor is more than a bounded part of a file read.
//
// It must not know how a package was made, nor what an image or a disk is. It imports no other
// stage.
package publish
