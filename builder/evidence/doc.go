// Package evidence attaches to results what tells where they come from, shows it, and checks it: SBOMs, provenance
// and signatures, in a registry beside an image or in the output folder beside a file.
//
// It promises: nothing of a result counts before the signature over it holds; what does not fit is named, by file, blob or
// step; reading is bounded; a rebuild has the inputs that the provenance names, or says which one it has not.
//
// It must not know how anything is built: it asks package builder for that.
package evidence
