// Package java runs the programs of a JDK, the host's or that of a tree, in a room where they see themselves and what they are given,
// and makes jars of sources.
//
// It promises: the same sources, class path and JDK give the same bytes, whatever the folder and the day; a room has no
// network unless it is asked for; a program that the host lacks is named with the package that has it.
//
// It must not know recipes, the lock, or Maven.
package java
