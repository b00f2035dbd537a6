// Package builder is the pipeline: it turns a stack's recipes into packages, root file systems and
// images. builder.go is the page to read first.
//
// It promises that each result appears in the output folder whole or not at all, and that it is the
// only place where the stages meet: they hand bytes to each other through the store and don't know
// each other.
//
// It must not know how a person is talked to: progress goes into an event.Sink, results are values.
package builder
