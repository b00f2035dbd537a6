// Package lint finds the mistakes that an inventory alone doesn't show: in recipes, overlays, templates
// and maintainer scripts of a stack, in the files that its nodes would have ([Check]), and in a node that
// was made by hand ([Import]).
//
// It promises that
//
//   - a rule is written once. What is wrong with a value or a line is said by [cluster.Facts], which the
//     inventory's own rules use, too; what is wrong with a command stands in one table here; and what only
//     several places together show (two versions, two names, something missing) is a rule over sightings,
//     gathered from all texts;
//   - each problem has a file and, where it is about a line, that line, the wrong value and the right one;
//   - reading is bounded, follows no link and runs nothing.
//
// It must not use the network, run programs, write, or know how packages and images are made.
package lint
