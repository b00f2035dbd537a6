package step

import (
	"fmt"
	"strings"
)

// Graph is a set of steps without cycles, in an order in which each follows those it needs.
type Graph struct {
	steps []*Step
	names map[string]*Step
}

// NewGraph returns the graph of the targets and all that they need. Two steps of one name, a
// step without a Run function and a cycle are errors.
func NewGraph(targets ...*Step) (*Graph, error) {
	g := &Graph{names: map[string]*Step{}}
	for _, t := range targets {
		if err := g.add(t, nil); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Steps returns the steps, each after those it needs.
func (g *Graph) Steps() []*Step { return append([]*Step(nil), g.steps...) }

func (g *Graph) add(s *Step, path []string) error {
	for _, name := range path {
		if name == s.Name {
			return fmt.Errorf("steps need each other in a circle: %s", strings.Join(append(path, s.Name), " -> "))
		}
	}
	if have, ok := g.names[s.Name]; ok {
		if have != s {
			return fmt.Errorf("two steps are called %s", s.Name)
		}
		return nil
	}
	if s.Run == nil {
		return fmt.Errorf("step %s has nothing to run", s.Name)
	}
	for _, ref := range s.Needs {
		if err := g.add(ref.Step, append(path, s.Name)); err != nil {
			return err
		}
	}
	g.names[s.Name] = s
	g.steps = append(g.steps, s)
	return nil
}
