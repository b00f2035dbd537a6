package recipe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/node"
)

// PackageName is the name of the package that forge makes for the component,
// "forge-NAME", or "" when the component has nothing of its own (it is Debian
// packages and no more). The component "node" is the agent: "forge-node".
func (c *Component) PackageName() string {
	if len(c.Layout) == 0 && c.Overlay == "" && len(c.Services) == 0 && len(c.Files) == 0 &&
		len(c.Dirs) == 0 && len(c.Users) == 0 && len(c.Groups) == 0 {
		return ""
	}
	return "forge-" + c.Name
}

// PackageVersion is the version of that package: VERSION-REVISION.
func (c *Component) PackageVersion() string {
	return fmt.Sprintf("%s-%d", c.Version, c.Revision)
}

// StandinVersion is the version of that package while stand-ins take the place
// of artifacts in it: it sorts below PackageVersion.
func (c *Component) StandinVersion() string { return c.PackageVersion() + "~standin" }

// FullVersion is the version of that package with these optional artifacts in it.
func (c *Component) FullVersion(optional []string) string {
	return withMore(c.PackageVersion(), optional)
}

// withMore adds names to a version. A hyphen would end the upstream part of it (Debian Policy, 5.6.12), so it
// becomes a full stop.
func withMore(version string, names []string) string {
	for _, name := range names {
		version += "+" + strings.ReplaceAll(name, "-", ".")
	}
	return version
}

// At is what the version of forge-NAME says of the path number i, from 0: "" for the usual one.
func (f Find) At(i int) string {
	if i == 0 || f.Link == "" {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '-' || r == '_' {
			return '.'
		}
		return r
	}, strings.TrimPrefix(f.Paths[i], "/"))
}

// MayHoldMore tells whether any artifact of the component is optional, or a link of its package
// may lead elsewhere.
func (c *Component) MayHoldMore() bool {
	if c.Upstream != nil {
		for _, f := range c.Upstream.Finds {
			if f.Link != "" && len(f.Paths) > 1 {
				return true
			}
		}
	}
	for _, a := range c.Artifacts {
		if a.Optional {
			return true
		}
	}
	return false
}

// MayStandIn tells whether any artifact of the component has a stand-in.
func (c *Component) MayStandIn() bool {
	for _, a := range c.Artifacts {
		if a.Standin != nil {
			return true
		}
	}
	return false
}

// TarballVersion is the version of the upstream's package that forge makes of a
// release archive of that version.
func (t *Tarball) TarballVersion(upstream string) string {
	revision := 1
	if len(t.Changelog) > 0 {
		revision = max(revision, t.Changelog[0].Revision)
	}
	return fmt.Sprintf("%s-0forge%d", upstream, revision)
}

// Upstreams tells whether an artifact is the operator's package, or what it is made
// of: one or the other is there, or none where a stand-in may be.
func (c *Component) Upstreams(artifact string) bool {
	u := c.Upstream
	return u != nil && (u.Artifact == artifact || u.Tarball != nil && u.Tarball.Artifact == artifact)
}

// Date is that of the newest entry of the changelog; zero without one.
func (c *Component) Date() time.Time {
	if len(c.Changelog) == 0 {
		return time.Time{}
	}
	t, _ := time.Parse(time.DateOnly, c.Changelog[0].Date) // checked by Load
	return t
}

// Manifest is what forge-node reads about the component.
func (c *Component) Manifest() node.Component {
	return node.Component{
		Name: c.Name, Version: c.Version,
		Services: c.Services, Files: c.Files, Dirs: c.Dirs, Secrets: c.Secrets,
	}
}

// Templates are the paths in the stack's FS of the component's template files
// by the name that the manifest uses.
func (c *Component) Templates() map[string]string {
	m := map[string]string{}
	for _, f := range c.Files {
		if f.Template != "" {
			m[f.Template] = c.Dir + "/templates/" + c.Name + "/" + f.Template
		}
	}
	return m
}

// Golden is the name of the role that no recipe has: its image holds every role of the stack, and each
// node of it becomes what its seed, or the kernel's command line, says.
const Golden = "all"

func (s *Stack) golden() *Role {
	g := &Role{Name: Golden, Summary: "image that holds every role of the stack", Revision: 1}
	for _, name := range sortedKeys(s.Roles) {
		r := s.Roles[name]
		g.Holds = append(g.Holds, r)
		g.Components = append(g.Components, r.Components...)
		g.Services = append(g.Services, r.Services...)
		g.Packages = append(g.Packages, r.Packages...)
	}
	for _, list := range []*[]string{&g.Components, &g.Services, &g.Packages} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return g
}

// Packaged are the roles whose packages an image of the role has: itself, or those that a golden one holds.
func (r *Role) Packaged() []*Role {
	if len(r.Holds) > 0 {
		return r.Holds
	}
	return []*Role{r}
}

// PackageName is "forge-role-NAME".
func (r *Role) PackageName() string { return "forge-role-" + r.Name }

// RoleVersion is STACKVERSION-REVISION of the role's package, with "+NAME" for each optional component in it.
func (s *Stack) RoleVersion(r *Role) string {
	var optional []string
	for _, name := range sortedKeys(s.Components) {
		if s.Components[name].Optional && slices.Contains(r.Components, name) {
			optional = append(optional, name)
		}
	}
	return withMore(fmt.Sprintf("%s-%d", s.Version, r.Revision), optional)
}

// RoleManifest is what forge-node reads about the role. Its components are those
// that have a package, hence a manifest, of their own.
func (s *Stack) RoleManifest(r *Role) node.Role {
	m := node.Role{
		Name: r.Name, Description: r.Summary, Services: r.Services,
		MustNotListen: r.MustNotListen, InitSystem: s.InitSystem, Components: []string{},
	}
	for _, name := range r.Components {
		if s.Components[name].PackageName() != "" {
			m.Components = append(m.Components, name)
		}
	}
	return m
}
