package recipe

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// upstream checks how an upstream's package comes about.
func (k *componentCheck) upstream() {
	u := k.c.Upstream
	if u == nil {
		return
	}
	checkPackages(k.d, "upstream/package", []string{u.Package})
	k.artifact("upstream/artifact", u.Artifact)
	k.tarball()
	k.finds()
	s := u.Standin
	if s == nil {
		return
	}
	k.overlay(k.d, "upstream/standin/overlay", s.Overlay)
	k.layout("upstream/standin/layout", s.Layout)
	k.packaging("upstream/standin/", s.Package, s.Changelog, s.LintianOverrides)
}

// tarball checks how an upstream's package is made of a release archive.
func (k *componentCheck) tarball() {
	const at = "upstream/tarball"
	t := k.c.Upstream.Tarball
	if t == nil {
		return
	}
	k.artifact(at+"/artifact", t.Artifact)
	a := k.c.Artifacts[t.Artifact]
	if t.Artifact == k.c.Upstream.Artifact {
		k.d.errorf(at+"/artifact", "", "%q is the package itself", t.Artifact)
	} else if a.Optional || a.Standin != nil || slices.ContainsFunc(a.Sources, func(s Source) bool { return s.File == "" }) {
		k.d.errorf(at+"/artifact", "", "%q must be a file of the operator's, neither optional nor stood in for: the stand-in is the package's", t.Artifact)
	}
	for i, p := range slices.Concat(t.Launchers, t.Jars) {
		if path.IsAbs(p) || path.Clean(p) != p || strings.HasPrefix(p, "..") {
			k.d.errorf(at, "", "%q (number %d of launchers and jars) is not a path below the archive's folder", p, i+1)
		}
	}
	k.overlay(k.d, at+"/overlay", t.Overlay)
	k.layout(at+"/layout", t.Layout)
	groups := k.groups(k.c, nil)
	for _, g := range t.Groups {
		groups = append(groups, g.Name)
	}
	k.users(at+"/users/", t.Users, groups)
	k.packaging(at+"/", t.Package, t.Changelog, t.LintianOverrides)
}

// finds checks the paths that are looked for in an upstream's package.
func (k *componentCheck) finds() {
	for i, f := range k.c.Upstream.Finds {
		at := "upstream/finds/" + strconv.Itoa(i)
		if f.Link != "" {
			checkTargetPath(k.d, at+"/link", f.Link)
		}
		for j, p := range f.Paths {
			checkTargetPath(k.d, at+"/paths/"+strconv.Itoa(j), p)
			if p == f.Link || slices.Contains(f.Paths[:j], p) {
				k.d.errorf(at+"/paths/"+strconv.Itoa(j), "", "%q comes twice", p)
			}
		}
	}
}
