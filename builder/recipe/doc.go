// Package recipe holds what a stack is made of, as data: [Stack], [Component],
// [Role] and [Overlay], read from YAML below recipes/ and from the file trees
// below overlays/.
//
// It is for builder, which turns a stack into steps, and for the commands that
// show, check and document recipes.
//
// # Promises
//
//   - [Load] is strict: an unknown key, a wrong type, a duplicate or a
//     reference to something that isn't there is one error with
//     file:line:column and, where a name is close, a "did you mean". All
//     errors of a stack come at once, sorted.
//   - What Load returns is complete and consistent: every name in it resolves,
//     every path is clean and inside its tree, every mode is an octal number.
//   - Reading is bounded: size of a file, depth of a document, number of files.
//   - The same checkout gives the same values and the same [Input] digests,
//     whatever the order of keys, the comments and the file's line breaks.
//
// It must not use the network, run programs, write, or know how a package or
// an image is made.
package recipe
