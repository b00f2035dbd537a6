package recipe

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// componentCheck checks one component.
type componentCheck struct {
	*loader
	stack *Stack
	c     *Component
	d     *document
	used  map[string]bool // artifacts that something uses
}

func (k *componentCheck) run() {
	c, d := k.c, k.d
	k.used = map[string]bool{}
	checkPackages(d, "debian", c.Debian)
	checkURL(d, "homepage", c.Homepage)
	k.artifacts()
	k.layout("layout", c.Layout)
	k.overlay(d, "overlay", c.Overlay)
	k.upstream()
	for i, r := range c.Requires {
		at := "requires/" + strconv.Itoa(i)
		if r == c.Name {
			d.errorf(at, "", "component %q requires itself", r)
		} else if other, ok := k.stack.Components[r]; !ok {
			d.errorf(at, didYouMean(r, sortedKeys(k.stack.Components)), "requires unknown component %q", r)
		} else if other.Optional && !c.Optional {
			d.errorf(at, "", "component %q is optional, and this one is not", r)
		}
	}
	if c.Optional {
		k.optionalComponent()
	}
	for _, name := range sortedKeys(c.Artifacts) {
		if !k.used[name] {
			d.errorf("artifacts/"+name, "", "nothing uses artifact %q", name)
		}
	}
	if len(c.Artifacts) > 0 && len(c.Layout) == 0 && c.Upstream == nil {
		d.errorf("artifacts", "", "there are artifacts but no layout")
	}
	if c.PackageName() == "" && len(c.Debian) == 0 {
		d.errorf("", "", "component %q is empty: no debian packages, layout, overlay, services or files", c.Name)
	}
	k.users("users/", c.Users, k.groups(c, nil))
	if c.PackageName() != "" {
		k.packaging("", c.Package, c.Changelog, c.LintianOverrides)
		k.changelogHead()
	}
	k.node()
}

func (k *componentCheck) artifacts() {
	for _, name := range sortedKeys(k.c.Artifacts) {
		a, at := k.c.Artifacts[name], "artifacts/"+name
		if !namePattern.MatchString(strings.ReplaceAll(name, ".", "-")) {
			k.d.errorf(at, "", "%q can't be an artifact's name: small letters, digits, - and .", name)
		}
		for i, s := range a.Sources {
			k.source(at+"/sources/"+strconv.Itoa(i), s)
		}
		for i, sum := range a.SHA256 {
			if !digestPattern.MatchString(sum) {
				k.d.errorf(at+"/sha256/"+strconv.Itoa(i), "", "%q is not a sha256: 64 small hexadecimal digits", sum)
			}
		}
		for i, r := range a.Refused {
			k.baseGlob(at+"/refused/"+strconv.Itoa(i)+"/file", r.File)
		}
		if a.Standin != nil {
			k.standinFile(at, a)
		}
		if a.Optional {
			k.optional(at, name, a)
		}
	}
}

// optionalComponent checks a component that may be left out: that the operator alone decides on it.
func (k *componentCheck) optionalComponent() {
	if len(k.c.Artifacts) == 0 || k.c.Upstream != nil {
		k.d.errorf("optional", "", "an optional component is one that the operator brings artifacts for, to be packaged by forge")
	}
	for _, name := range sortedKeys(k.c.Artifacts) {
		a, at := k.c.Artifacts[name], "artifacts/"+name
		for i, s := range a.Sources {
			if s.File == "" && s.MavenBuild == nil {
				k.d.errorf(at+"/sources/"+strconv.Itoa(i), "", "artifacts of an optional component are the operator's files or builds; what another source has is never absent")
			}
		}
		if a.Standin != nil || a.Optional {
			k.d.errorf(at, "", "without the artifact the component is left out: it can't be optional by itself or have a stand-in")
		}
	}
}

// optional checks an artifact that may be absent: that nobody could take another thing for it.
func (k *componentCheck) optional(at, name string, a Artifact) {
	for i, s := range a.Sources {
		if s.File == "" && s.MavenBuild == nil {
			k.d.errorf(at+"/sources/"+strconv.Itoa(i), "leave out optional", "an optional artifact is the operator's file; what another source has is never absent")
		}
	}
	if a.Standin != nil || k.c.Upstream != nil && k.c.Upstream.Artifact == name {
		k.d.errorf(at+"/optional", "", "what a stand-in or an upstream package is there for is not optional")
	}
	for i, op := range k.c.Layout {
		if len(op.Copy) > 1 && op.Uses(name) {
			k.d.errorf("layout/"+strconv.Itoa(i)+"/copy", "", "copy the optional artifact %q by an operation of its own", name)
		}
	}
}

func (k *componentCheck) baseGlob(at, glob string) {
	if _, err := path.Match(glob, ""); err != nil || strings.Contains(glob, "/") {
		k.d.errorf(at, "", "%q is not a pattern for a file's base name", glob)
	}
}

// standinFile checks the stand-in of an artifact: it must be what an operator would bring.
func (k *componentCheck) standinFile(at string, a Artifact) {
	s := a.Standin
	matches := func(src Source) bool {
		ok, err := path.Match(src.File, s.File)
		return err == nil && ok
	}
	if !slices.ContainsFunc(a.Sources, matches) {
		k.d.errorf(at+"/standin/file", "", "no source of the artifact matches %q", s.File)
	}
	if u := k.c.Upstream; u != nil && u.Standin != nil {
		k.d.errorf(at+"/standin", "", "the component has a stand-in of its package %s already", u.Package)
	}
	names := slices.Concat(s.Files, s.Programs, s.Dirs, sortedKeys(s.Texts), sortedKeys(s.Links))
	seen := map[string]bool{}
	for _, name := range names {
		switch {
		case path.IsAbs(name) || path.Clean(name) != name || name == "." || strings.HasPrefix(name, "../"):
			k.d.errorf(at+"/standin", "", "%q is not a path in an archive", name)
		case seen[name]:
			k.d.errorf(at+"/standin", "", "%q comes twice", name)
		}
		seen[name] = true
	}
}

// artifact checks a reference to an artifact.
func (k *componentCheck) artifact(at, name string) {
	if _, ok := k.c.Artifacts[name]; !ok {
		k.d.errorf(at, didYouMean(name, sortedKeys(k.c.Artifacts)), "unknown artifact %q", name)
		return
	}
	k.used[name] = true
}

// users checks a list at key path prefix; groups are those that there are.
func (k *componentCheck) users(prefix string, users []User, groups []string) {
	for i, u := range users {
		at := prefix + strconv.Itoa(i)
		for j, g := range append([]string{u.Group}, u.Groups...) {
			if !slices.Contains(groups, g) {
				sub := at + "/group"
				if j > 0 {
					sub = at + "/groups/" + strconv.Itoa(j-1)
				}
				k.d.errorf(sub, didYouMean(g, groups), "group %q is made neither here nor by a required component", g)
			}
		}
		checkTargetPath(k.d, at+"/home", u.Home)
		if u.Shell != "" {
			checkTargetPath(k.d, at+"/shell", u.Shell)
		}
		if strings.ContainsAny(u.Comment, ":\n\"") {
			k.d.errorf(at+"/comment", "", "a comment can't hold colons, quotes or line breaks")
		}
	}
}

// groups are the names of the groups of c and of what it requires.
func (k *componentCheck) groups(c *Component, seen []string) []string {
	var names []string
	for _, g := range c.Groups {
		names = append(names, g.Name)
	}
	for _, r := range c.Requires {
		if rc, ok := k.stack.Components[r]; ok && !slices.Contains(seen, r) {
			names = append(names, k.groups(rc, append(seen, c.Name))...)
		}
	}
	return names
}

// packaging checks the parts that components, stand-ins and roles share.
func (k *componentCheck) packaging(at string, p Package, log []Change, overrides []LintianOverride) {
	k.checkPackaging(k.d, at, k.c.Dir, p, log, overrides)
}

func (k *componentCheck) changelogHead() {
	if len(k.c.Changelog) == 0 {
		k.d.errorf("changelog", "", "a component with a package needs a changelog")
		return
	}
	if head := k.c.Changelog[0]; head.Version != k.c.Version || max(head.Revision, 1) != k.c.Revision {
		k.d.errorf("changelog/0", "", "the newest entry is about %s-%d, but the component is %s",
			head.Version, max(head.Revision, 1), k.c.PackageVersion())
	}
}

// forgeKeys are the keys of nfpm's block that forge sets.
var forgeKeys = []string{"name", "arch", "platform", "epoch", "version", "version_schema", "release", "prerelease",
	"version_metadata", "description", "homepage", "license", "maintainer", "vendor", "changelog", "mtime", "umask"}

// checkPackaging checks an nfpm block, a changelog and lintian overrides at
// key path prefix at.
func (l *loader) checkPackaging(d *document, at, dir string, p Package, log []Change, overrides []LintianOverride) {
	for _, key := range forgeKeys {
		if d.has(at + "package/" + key) {
			d.errorf(at+"package/"+key, "remove it", "%q is set by forge, from the rest of the recipe", key)
		}
	}
	scripts := packageScripts(p)
	for _, key := range sortedKeys(scripts) {
		if scripts[key] != "" {
			l.checkSourcePath(d, at+"package/"+key, dir, scripts[key])
		}
	}
	for i, c := range p.Contents {
		sub := at + "package/contents/" + strconv.Itoa(i)
		checkTargetPath(d, sub+"/dst", c.Destination)
		if !sourceless(c.Type) {
			l.checkSourcePath(d, sub+"/src", dir, c.Source)
		}
	}
	for i, e := range log {
		sub := at + "changelog/" + strconv.Itoa(i)
		t, err := time.Parse(time.DateOnly, e.Date)
		if err != nil {
			d.errorf(sub+"/date", "write it as 2006-01-02", "%q is not a date", e.Date)
		} else if i > 0 {
			if newer, err := time.Parse(time.DateOnly, log[i-1].Date); err == nil && newer.Before(t) {
				d.errorf(sub+"/date", "the newest entry comes first", "date %s is after the entry above", e.Date)
			}
		}
		if len(e.Changes) == 0 {
			d.errorf(sub+"/changes", "", "an entry says what changed")
		}
	}
	for i, o := range overrides {
		if strings.TrimSpace(o.Reason) == "" {
			d.errorf(at+"lintian_overrides/"+strconv.Itoa(i)+"/reason", "", "an override needs a reason")
		}
	}
}
