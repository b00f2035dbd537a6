package recipe

import "slices"

// Without is the stack without some optional components, by name: no role has them or their services.
// Everything else is shared with s, which stays as it is.
func (s *Stack) Without(absent ...string) *Stack {
	out := *s
	out.Components, out.Roles = map[string]*Component{}, map[string]*Role{}
	var services []string
	for name, c := range s.Components {
		if !slices.Contains(absent, name) {
			out.Components[name] = c
			continue
		}
		for _, svc := range c.Services {
			services = append(services, svc.Name)
		}
	}
	for name, r := range s.Roles {
		pruned := *r
		pruned.Components = without(r.Components, absent)
		pruned.Services = without(r.Services, services)
		out.Roles[name] = &pruned
	}
	return &out
}

// OptionalComponents are the names of those, sorted.
func (s *Stack) OptionalComponents() []string {
	return slices.DeleteFunc(sortedKeys(s.Components), func(name string) bool { return !s.Components[name].Optional })
}

func without(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(gone, s) })
}
