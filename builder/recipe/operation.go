package recipe

import "slices"

// Artifacts are the component's own artifacts that the operation uses, in the order of its keys. What
// Pack takes from another component is that one's.
func (op Operation) Artifacts() []string {
	out := slices.Clone(op.Copy)
	for _, one := range []string{op.Extract, op.Egg, op.Rearrange} {
		if one != "" {
			out = append(out, one)
		}
	}
	return append(out, op.Jars...)
}

// Uses tells whether the operation uses any artifact of this name.
func (op Operation) Uses(artifact string) bool { return slices.Contains(op.Artifacts(), artifact) }

// Without is the operation without artifacts that are not at hand; false: nothing is left to do. An
// archive that is made without some of its jars is one with fewer, all else needs what it names.
func (op Operation) Without(absent []string) (Operation, bool) {
	gone := func(artifact string) bool { return slices.Contains(absent, artifact) }
	op.Jars = slices.DeleteFunc(slices.Clone(op.Jars), gone)
	return op, !slices.ContainsFunc(op.Artifacts(), gone)
}
