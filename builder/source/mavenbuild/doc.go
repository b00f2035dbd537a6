// Package mavenbuild makes a jar of a Maven project: `mvn package`, with all that it takes from repositories
// known by digest.
//
// Record runs the build once with the network and an empty local repository, and takes down every file that came:
// only a real build tells which plugins take what. Build lays these files out, and nothing else, and runs the build
// without a network. The host's mvn and JDK run, in a room where they see themselves, the project and those files.
//
// It promises: Build reaches nothing but the files it is given, each checked by its digest; the same project, files
// and JDK give the same bytes; only fixed versions (a file whose bytes change from day to day, such as a list of
// versions or a snapshot, is not taken down); tests of the project are not run.
//
// It must not know recipes, the lock, or where the project came from.
package mavenbuild
