package builder

import (
	"maps"
	"slices"
	"time"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
)

// Only says which results a build makes of a role; empty means all of them.
type Only string

// What a build may stop at.
const (
	// OnlyPackages makes packages and the lock of what went into them. It asks no apt archive and makes no
	// file tree, hence no packages.json and no SBOM: these say what is in an image.
	OnlyPackages Only = "packages"
	// OnlyImages makes packages and container images, and no disks.
	OnlyImages Only = "images"
)

// Onlys are the values of [Only] that leave something out.
func Onlys() []Only { return []Only{OnlyPackages, OnlyImages} }

// everything is what a build makes of a role.
func everything(r role) []*step.Step {
	all := append([]*step.Step{r.image, r.lock, r.bill}, slices.Collect(maps.Values(r.disks))...)
	if r.image == nil { // packages alone
		all = append(all, r.debs...)
	}
	all = append(all, r.sboms...)
	return slices.DeleteFunc(all, func(s *step.Step) bool { return s == nil })
}

// newestChange is the date of the newest changelog entry of the stack's packages: that of a lock that
// holds nothing but packages.
func newestChange(s *recipe.Stack) (newest time.Time) {
	add := func(log []recipe.Change) {
		for _, c := range log {
			if t, err := time.Parse(time.DateOnly, c.Date); err == nil && t.After(newest) {
				newest = t
			}
		}
	}
	for _, c := range s.Components {
		add(c.Changelog)
		if c.Upstream != nil && c.Upstream.Standin != nil {
			add(c.Upstream.Standin.Changelog)
		}
		if c.Upstream != nil && c.Upstream.Tarball != nil {
			add(c.Upstream.Tarball.Changelog)
		}
	}
	for _, r := range s.Roles {
		add(r.Changelog)
	}
	return newest
}
