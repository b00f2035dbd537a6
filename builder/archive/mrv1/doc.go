// Package mrv1 turns CDH 5's tarball of Hadoop, which runs MapReduce 2, into the archive from which Mesos starts
// MapReduce 1: programs, examples and configuration of MapReduce 2 move aside, links in their places lead to
// those of MapReduce 1, and the library hadoop-mesos comes in.
//
// It works from stream to stream in one pass: nothing is unpacked, and memory grows with the number of names,
// never with the size of a file. The result depends on the input's entries and the options alone, and it has been
// checked when Rearrange returns: every link leads to something that is there, bin/hadoop can be run, and there
// is one folder at the top, of a name that the executor finds. Whatever the input has that such an archive has
// no business to hold, or lacks, is an *archive.EntryError with its path.
//
// The package knows nothing of recipes, nor of where archives come from.
package mrv1
