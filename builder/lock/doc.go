// Package lock is the lock file: every byte from outside that a stack is built from, by name,
// version, size and sha256, and the identity of the indexes that Debian packages were taken from.
//
// It promises: reading is strict (an unknown key, a digest that is none, a name twice are errors
// with file:line:column) and bounded; the same Lock is always written as the same bytes, one
// entry per line, so that a diff shows what changed; writing is all or nothing; no host name of a mirror
// stands in it.
//
// It must not know how anything is fetched, nor what a recipe is.
package lock
