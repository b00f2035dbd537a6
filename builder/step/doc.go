// Package step runs a graph of steps, each at most once for what goes into it.
//
// A step has a key: the sha256 of its kind and version, its settings in canonical form and the
// digests of its inputs. A step whose key has a result in the store is a hit and does not run. The
// outputs of a step, not its key, enter the keys of the steps that need it: a step that runs again and
// makes the same bytes makes no other step run.
//
// It promises: steps that don't depend on each other run side by side, within the bounds given; the
// first failure stops the others and is reported once; what was finished before a failure, an
// interrupt or a kill is used by the next run; two processes that want the same step at the same time
// run it once; and a stored output that is missing or damaged when it is needed is made again.
//
// It must not know what any step does. It knows the store.
package step
