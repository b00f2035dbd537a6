package rootfs

import "slices"

// firstConfigured are configured before all else, with what they depend on: everybody's scripts
// take them for granted without saying so.
var firstConfigured = [...]string{"base-passwd", "base-files", "libc6", "dpkg", "libc-bin", "perl-base", "debconf"}

// configureOrder returns the packages in an order in which each comes after what it depends on,
// as far as cycles allow (dpkg breaks those): first firstConfigured, then Essential packages, then
// the others, each in the order given. The first core of them are what the scripts of all others
// take for granted: Essential packages with what those depend on.
func configureOrder(units []*unit) (order []*unit, core int) {
	o := ordering{providers: providersOf(units), done: map[*unit]bool{}}
	for _, name := range firstConfigured {
		for _, u := range units {
			if u.Name == name {
				o.visit(u)
			}
		}
	}
	for _, u := range units {
		if u.essential() {
			o.visit(u)
		}
	}
	core = len(o.out)
	for _, u := range units {
		o.visit(u)
	}
	return o.out, core
}

// preinstOrder is the order of the preinst scripts: firstConfigured, then that of configureOrder.
// base-passwd's makes the first /etc/passwd.
func preinstOrder(order []*unit) []*unit {
	rank := func(u *unit) int {
		if i := slices.Index(firstConfigured[:], u.Name); i >= 0 {
			return i
		}
		return len(firstConfigured)
	}
	out := slices.Clone(order)
	slices.SortStableFunc(out, func(a, b *unit) int { return rank(a) - rank(b) })
	return out
}

// providersOf maps names, real and virtual, to the packages of the set; a real one comes first.
func providersOf(units []*unit) map[string][]*unit {
	out := map[string][]*unit{}
	for _, u := range units {
		out[u.Name] = append(out[u.Name], u)
	}
	for _, u := range units {
		for _, v := range u.provides() {
			out[v] = append(out[v], u)
		}
	}
	return out
}

type ordering struct {
	providers map[string][]*unit
	done      map[*unit]bool
	out       []*unit
}

func (o *ordering) visit(u *unit) {
	if o.done[u] {
		return
	}
	o.done[u] = true // before its dependencies: ends a cycle
	for _, d := range o.dependencies(u) {
		o.visit(d)
	}
	o.out = append(o.out, u)
}

// dependencies returns for each dependency of u the first alternative that is in the set.
func (o *ordering) dependencies(u *unit) []*unit {
	var out []*unit
	for _, field := range []string{"Pre-Depends", "Depends"} {
		for _, group := range parseRelations(u.control(field)) {
			for _, a := range group {
				if p := o.providers[a.name]; len(p) > 0 {
					out = append(out, p[0])
					break
				}
			}
		}
	}
	return out
}

// splitLate divides an order into what can be configured before the slow packages are unpacked,
// and what needs one of them, directly or not.
func splitLate(order []*unit) (early, late []*unit) {
	o := ordering{providers: providersOf(order)}
	waits := map[*unit]bool{}
	for changed := true; changed; { // a few rounds: cycles
		changed = false
		for _, u := range order {
			if waits[u] {
				continue
			}
			if u.slow != "" {
				waits[u], changed = true, true
				continue
			}
			for _, d := range o.dependencies(u) {
				if waits[d] {
					waits[u], changed = true, true
				}
			}
		}
	}
	for _, u := range order {
		if waits[u] {
			late = append(late, u)
		} else {
			early = append(early, u)
		}
	}
	return early, late
}
