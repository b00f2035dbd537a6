package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/mesos-forge/forge/builder/recipe"
)

// systems is the list of what a cluster is made of.
type systems struct {
	Stacks []string `yaml:"stacks"`
	// Agent are components that are no systems of their own: what every node has.
	Agent   []string `yaml:"agent"`
	Systems []system `yaml:"systems"`
}

// system is one of them, with a row for each stack that has it.
type system struct {
	Name string `yaml:"name"`
	Rows []row  `yaml:"rows"`
}

// row is a system in one stack.
type row struct {
	Stack     string `yaml:"stack"`
	Component string `yaml:"component"`
	// Services of the component that this system is; empty: all.
	Services []string `yaml:"services"`
	// Tests as "FOLDER TEST": "cmd/forge TestSystems/hdfs".
	Tests []string `yaml:"tests"`
	// Inputs says what the tests took in place of files that only an operator has; "" if they had the real ones.
	Inputs string `yaml:"inputs"`
}

func readSystems(text []byte) (*systems, error) {
	s := &systems{}
	if err := yaml.UnmarshalWithOptions(text, s, yaml.Strict()); err != nil {
		return nil, err
	}
	return s, nil
}

// complete tells whether every component that a stack has of its own is a system, and every row names something
// that is there. What a stack has from the one that it extends is shown there.
func (s *systems) complete(stacks map[string]*recipe.Stack) error {
	var errs []error
	named := map[[2]string]bool{}
	for _, sys := range s.Systems {
		for _, r := range sys.Rows {
			named[[2]string{r.Stack, r.Component}] = true
			errs = append(errs, r.check(sys.Name, stacks))
		}
	}
	for _, name := range s.Stacks {
		all, err := stacks[name].Role(recipe.Golden)
		if err != nil {
			return err
		}
		for _, c := range all.Components {
			own := stacks[name].Components[c].Dir == "recipes/"+name
			if own && !named[[2]string{name, c}] && !slices.Contains(s.Agent, c) {
				errs = append(errs, fmt.Errorf("the component %s of the stack %s is in no system", c, name))
			}
		}
	}
	return errors.Join(errs...)
}

func (r row) check(system string, stacks map[string]*recipe.Stack) error {
	stack := stacks[r.Stack]
	if stack == nil {
		return fmt.Errorf("%s: no stack %q", system, r.Stack)
	}
	c := stack.Components[r.Component]
	if c == nil {
		return fmt.Errorf("%s: the stack %s has no component %q", system, r.Stack, r.Component)
	}
	for _, name := range r.Services {
		if !slices.ContainsFunc(services(c, nil), func(s string) bool { return s == name }) {
			return fmt.Errorf("%s: %s of %s has no service %q", system, r.Component, r.Stack, name)
		}
	}
	if len(r.Tests) == 0 {
		return fmt.Errorf("%s: no test shows %s of %s", system, r.Component, r.Stack)
	}
	return nil
}

// shown tells whether every test of the list passed.
func (s *systems) shown(passed map[string]bool) error {
	var errs []error
	for _, sys := range s.Systems {
		for _, r := range sys.Rows {
			for _, t := range r.Tests {
				if !passed[t] {
					errs = append(errs, fmt.Errorf("%s in %s: the test %s did not run, or failed", sys.Name, r.Stack, t))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// services are the names of a component's services: those of only, or all.
func services(c *recipe.Component, only []string) []string {
	var out []string
	for _, s := range c.Services {
		if len(only) == 0 || slices.Contains(only, s.Name) {
			out = append(out, s.Name)
		}
	}
	return out
}
