// Package file is the source for files that an operator has: the vendor folder, or a mirror that
// is a folder.
//
// It promises: a file is found by its name, by a glob, or by its digest, anywhere in the folder;
// symbolic links can't lead out of the folder; only regular files are read, in bounds.
//
// It must not know where else an artifact may come from.
package file
