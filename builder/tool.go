package builder

import (
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
)

// layers are those that images and disks have in common: the base of the stack and the role on it.
func layers(solveBase, base, solveRole, delta *step.Step, debs []*step.Step) []billLayer {
	return []billLayer{
		{name: publish.LayerBase, solve: solveBase, tree: base},
		{name: publish.LayerRole, solve: solveRole, tree: delta, below: []string{publish.LayerBase}, debs: debs},
	}
}

// toolChain adds the image of a tool to its packages: the two layers that it has, without what runs services.
func (b *Builder) toolChain(r *recipe.Role, chain role, s *solver, bill []billLayer) (role, error) {
	if s.err != nil {
		return role{}, s.err
	}
	chain.image = b.image(r, b.layer(bill[0].tree, false), b.layer(bill[1].tree, true))
	chain.bill = b.bill(r, bill...)
	chain.lock = b.roleLock(r, chain.debs, s.indexes, s.solves)
	return chain, nil
}
