// Package compare says how two images, trees or packages differ: bit for bit, by the first place where
// they do ([First]), and as a whole, by what they hold ([ReadTree], [Files], [Packages], [Sizes], [Debs]).
//
// It promises: contents are streamed and hashed, never held, so that memory grows with the number of
// paths alone and within [Limits]; a layer that is not what its digest says is an error; whiteouts and
// opaque directories are applied as the OCI image specification says; and what it returns is sorted, the
// same for the same input.
//
// It must not know where images come from: it is handed layers that it may open. It imports no other stage.
package compare
