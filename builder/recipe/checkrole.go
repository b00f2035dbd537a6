package recipe

import (
	"fmt"
	"path"
	"slices"
	"strconv"
)

// serviceNames are the services of all components, sorted by component.
func (s *Stack) serviceNames() []string {
	var names []string
	for _, c := range sortedKeys(s.Components) {
		for _, svc := range s.Components[c].Services {
			names = append(names, svc.Name)
		}
	}
	return names
}

func (l *loader) checkRole(s *Stack, r *Role) {
	d := l.docs[r.Path]
	if r.Name == Golden {
		d.errorf("name", "give it another name", "%q is the golden role, which holds all the others: forge makes it by itself", Golden)
	}
	var services, missing []string
	for i, name := range r.Components {
		at := "components/" + strconv.Itoa(i)
		c, ok := s.Components[name]
		if !ok {
			d.errorf(at, didYouMean(name, sortedKeys(s.Components)), "unknown component %q", name)
			continue
		}
		if slices.Contains(r.Components[:i], name) {
			d.errorf(at, "", "component %q is listed twice", name)
		}
		for _, svc := range c.Services {
			services = append(services, svc.Name)
		}
		for _, req := range c.Requires {
			if !slices.Contains(r.Components, req) && !slices.Contains(missing, req) {
				missing = append(missing, req)
				d.errorf(at, "add it", "component %q requires %q, which the role doesn't have", name, req)
			}
		}
	}
	for i, name := range r.Services {
		at := "services/" + strconv.Itoa(i)
		if !slices.Contains(services, name) {
			hint := didYouMean(name, s.serviceNames())
			if slices.Contains(s.serviceNames(), name) {
				hint = "the component that has it is not in the role"
			}
			d.errorf(at, hint, "no component of the role has a service %q", name)
		}
		if slices.Contains(r.Services[:i], name) {
			d.errorf(at, "", "service %q is listed twice", name)
		}
	}
	for i, port := range r.MustNotListen {
		if port < 1 || port > 65535 {
			d.errorf("must_not_listen/"+strconv.Itoa(i), "", "%d is not a port", port)
		}
	}
	checkPackages(d, "packages", r.Packages)
	l.overlay(d, "overlay", r.Overlay)
	l.checkPackaging(d, "", r.Dir, r.Package, r.Changelog, r.LintianOverrides)
	if len(r.Changelog) == 0 {
		d.errorf("changelog", "", "a role needs a changelog")
	} else if head := r.Changelog[0]; r.Dir == path.Dir(s.Path) && (head.Version != s.Version || max(head.Revision, 1) != r.Revision) {
		d.errorf("changelog/0", "", "the newest entry is about %s-%d, but the role is %s-%d",
			head.Version, max(head.Revision, 1), s.Version, r.Revision)
	}
}

// checkTool checks what is different about the role of a tool.
func (l *loader) checkTool(s *Stack, r *Role) {
	d := l.docs[r.Path]
	if len(r.Runs.Program) == 0 {
		d.errorf("runs/program", "", "the image of a tool runs a program")
	} else {
		checkTargetPath(d, "runs/program/0", r.Runs.Program[0])
	}
	for _, name := range sortedKeys(r.Runs.Env) {
		if !envPattern.MatchString(name) {
			d.errorf("runs/env/"+name, "", "%q is no name of an environment variable", name)
		}
	}
	if len(r.Services) > 0 {
		d.errorf("services", "remove them", "a tool runs its program, and no services")
	}
	for i, name := range r.Components {
		if c, ok := s.Components[name]; ok && len(c.Services) > 0 {
			d.errorf("components/"+strconv.Itoa(i), "", "component %q has services, which no tool runs", name)
		}
	}
}

// checkUnique finds what two components of a stack both claim: names of
// services, and names and ids of users and groups.
func (l *loader) checkUnique(s *Stack) {
	owner := map[string]string{}
	claim := func(c *Component, at, what string) {
		if other, taken := owner[what]; taken {
			l.docs[c.Path].errorf(at, "", "%s is taken by %s", what, other)
			return
		}
		owner[what] = c.Path
	}
	for _, name := range sortedKeys(s.Components) {
		c := s.Components[name]
		for i, svc := range c.Services {
			claim(c, fmt.Sprintf("services/%d/name", i), fmt.Sprintf("service %q", svc.Name))
		}
		ids := func(at string, groups []Group, users []User) {
			for i, g := range groups {
				claim(c, fmt.Sprintf("%sgroups/%d/name", at, i), fmt.Sprintf("group %q", g.Name))
				claim(c, fmt.Sprintf("%sgroups/%d/gid", at, i), fmt.Sprintf("gid %d", g.GID))
			}
			for i, u := range users {
				claim(c, fmt.Sprintf("%susers/%d/name", at, i), fmt.Sprintf("user %q", u.Name))
				claim(c, fmt.Sprintf("%susers/%d/uid", at, i), fmt.Sprintf("uid %d", u.UID))
			}
		}
		ids("", c.Groups, c.Users)
		if c.Upstream != nil && c.Upstream.Tarball != nil {
			ids("upstream/tarball/", c.Upstream.Tarball.Groups, c.Upstream.Tarball.Users)
		}
	}
}

// checkOwners finds a file that the overlays of two packages of one role both
// have: dpkg would refuse the second.
func (l *loader) checkOwners(s *Stack) {
	for _, roleName := range sortedKeys(s.Roles) {
		r := s.Roles[roleName]
		owner := map[string]string{}
		claim := func(overlay, who string) {
			o, ok := l.overlays[overlay]
			if !ok {
				return
			}
			for _, e := range o.Entries {
				if e.Kind == EntryDir {
					continue
				}
				if other, taken := owner[e.Path]; taken && other != who {
					l.docs[r.Path].errorf("components", "", "%s is in the overlays of both %s and %s", e.Path, other, who)
				}
				owner[e.Path] = who
			}
		}
		for _, name := range r.Components {
			if c, ok := s.Components[name]; ok {
				claim(c.Overlay, "component "+name)
			}
		}
		claim(r.Overlay, "role "+roleName)
	}
}
