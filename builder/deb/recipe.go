package deb

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

// Inputs is what the packages of a stack are made of besides their recipe.
type Inputs struct {
	Stack *recipe.Stack
	// Checkout is the directory on the host that Stack.FS reads.
	Checkout string
	// Tree is the directory that the recipe's layout made, "" when it has none.
	Tree string
	// StandIn tells that artifacts in Tree are stand-ins: the package has another version then,
	// and says so.
	StandIn bool
	// Optional are the optional artifacts in Tree, sorted: they are told by the version.
	Optional []string
	// Links are symbolic links by path, with their targets, that the package has besides: see
	// [recipe.Find].
	Links map[string]string
	// TempDir as in [Spec].
	TempDir string
}

// Where forge-node looks for what the packages say.
const shareDir = "/usr/share/forge"

const authors = "2025 The Mesos Forge authors"

// ForComponent returns the package forge-NAME of a component: its layout and overlay, the manifest
// and templates for forge-node, its users; it depends on what the recipe requires, exactly where
// forge makes it.
func ForComponent(in Inputs, c *recipe.Component) (Spec, error) {
	s, err := in.spec(c.Dir, c.Overlay, c.Package)
	if err != nil {
		return Spec{}, fmt.Errorf("component %s: %w", c.Name, err)
	}
	s.name(c.PackageName(), c.FullVersion(in.Optional), c.Summary, c.Description)
	s.Info.Homepage, s.Info.License = c.Homepage, c.Licence
	s.Groups, s.Users, s.Changelog, s.LintianOverrides = c.Groups, c.Users, c.Changelog, c.LintianOverrides
	s.depend(c.Debian...)
	if c.Upstream != nil {
		s.depend(c.Upstream.Package)
	}
	for _, name := range c.Requires {
		s.depend(in.packages(name)...)
	}
	if in.StandIn {
		s.Info.Version = c.StandinVersion()
		if err := s.labelStandIn(c.Name, s.Info.Name, s.Info.Version); err != nil {
			return Spec{}, err
		}
	}
	for at, target := range in.Links {
		s.Entries = append(s.Entries, Entry{Path: at, Kind: recipe.EntryLink, Target: target})
	}
	manifest := c.Manifest()
	if err := s.addJSON(path.Join(shareDir, "components", c.Name+".json"), manifest); err != nil {
		return Spec{}, err
	}
	for name, source := range c.Templates() {
		s.Entries = append(s.Entries, Entry{Path: path.Join(shareDir, "templates", c.Name, name),
			Kind: recipe.EntryFile, Source: source, FS: in.Stack.FS})
	}
	s.Purge = rendered(manifest)
	if in.Stack.InitSystem == node.InitUpstart {
		s.forUpstart(manifest.Services)
	}
	if c.Name == "node" {
		if in.Stack.InitSystem != node.InitUpstart { // where its job says when it starts
			s.Enable = []string{"forge-node.service"}
		}
		s.Purge = append(s.Purge, "/etc/forge", "/var/lib/forge", "/run/forge")
	}
	works, err := artifactWorks(c)
	if err != nil {
		return Spec{}, fmt.Errorf("component %s: %w", c.Name, err)
	}
	works = append([]Work{{Files: "*", Holders: holders(c.Copyright), Licence: c.Licence}}, works...)
	works = append(works, ownWork(c))
	s.Copyright, err = Copyright(c.Name, c.Homepage, works...)
	return s, err
}

// ForStandin returns the package that stands in for a component's upstream package, under the
// upstream's name and with "~standin" in its version.
func ForStandin(in Inputs, c *recipe.Component) (Spec, error) {
	if c.Upstream == nil || c.Upstream.Standin == nil {
		return Spec{}, fmt.Errorf("component %s has no stand-in", c.Name)
	}
	d := c.Upstream.Standin
	if !strings.Contains(d.Version, "~standin") {
		return Spec{}, fmt.Errorf("component %s: the stand-in's version %q has no \"~standin\" in it", c.Name, d.Version)
	}
	s, err := in.spec(c.Dir, d.Overlay, d.Package)
	if err != nil {
		return Spec{}, fmt.Errorf("stand-in of %s: %w", c.Name, err)
	}
	s.name(c.Upstream.Package, d.Version, d.Summary, d.Description)
	s.Changelog, s.LintianOverrides = d.Changelog, d.LintianOverrides
	s.Info.License = d.Licence
	if err := s.labelStandIn(c.Name, c.Upstream.Package, d.Version); err != nil {
		return Spec{}, err
	}
	s.Purge = rendered(node.Component{Dirs: c.Dirs})
	s.Copyright, err = Copyright("forge-standin", c.Homepage, Work{Files: "*", Holders: []string{authors}, Licence: d.Licence})
	return s, err
}

// ForTarball returns the package that is made of an upstream's release archive of a version, under the
// upstream's name.
func ForTarball(in Inputs, c *recipe.Component, version string) (Spec, error) {
	if c.Upstream == nil || c.Upstream.Tarball == nil {
		return Spec{}, fmt.Errorf("component %s: its package is made of no release archive", c.Name)
	}
	t := c.Upstream.Tarball
	s, err := in.spec(c.Dir, t.Overlay, t.Package)
	if err != nil {
		return Spec{}, fmt.Errorf("package %s: %w", c.Upstream.Package, err)
	}
	s.name(c.Upstream.Package, t.TarballVersion(version), t.Summary, t.Description)
	s.Info.Homepage, s.Info.License = c.Homepage, c.Licence
	s.Groups, s.Users, s.Changelog, s.LintianOverrides = t.Groups, t.Users, t.Changelog, t.LintianOverrides
	s.Purge = rendered(node.Component{Dirs: c.Dirs})
	s.Copyright, err = Copyright(c.Upstream.Package, c.Homepage, Work{Files: "*", Holders: holders(c.Copyright), Licence: c.Licence})
	return s, err
}

// ForRole returns the package forge-role-NAME, which depends on the packages of all components of
// the role and carries its overlay and manifest.
func ForRole(in Inputs, r *recipe.Role) (Spec, error) {
	s, err := in.spec(r.Dir, r.Overlay, r.Package)
	if err != nil {
		return Spec{}, fmt.Errorf("role %s: %w", r.Name, err)
	}
	s.name(r.PackageName(), in.Stack.RoleVersion(r), r.Summary, r.Description)
	s.Changelog, s.LintianOverrides = r.Changelog, r.LintianOverrides
	for _, name := range r.Components {
		s.depend(in.packages(name)...)
	}
	s.depend(r.Packages...)
	if err := s.addJSON(path.Join(shareDir, "roles", r.Name+".json"), in.Stack.RoleManifest(r)); err != nil {
		return Spec{}, err
	}
	s.Copyright, err = Copyright(s.Info.Name, "https://github.com/mesos-forge/forge", Work{Files: "*", Holders: []string{authors}, Licence: "Apache-2.0"})
	return s, err
}

func (in Inputs) spec(dir, overlay string, p recipe.Package) (Spec, error) {
	s := Spec{Info: p.Info, Dir: filepath.Join(in.Checkout, filepath.FromSlash(dir)), TempDir: in.TempDir}
	s.Info.Depends = slices.Clone(p.Info.Depends)
	s.Info.Maintainer = in.Stack.Maintainer
	if overlay != "" {
		o, ok := in.Stack.Overlays[overlay]
		if !ok {
			return Spec{}, fmt.Errorf("no overlay %q was loaded with the stack", overlay)
		}
		s.Entries = FromOverlay(in.Stack.FS, o)
	}
	if in.Tree != "" {
		s.Trees = []Tree{{Dir: in.Tree}}
	}
	return s, nil
}

func (s *Spec) name(name, version, summary, description string) {
	s.Info.Name, s.Info.Version = name, version
	s.Info.Description = summary + "\n" + description
}

// depend adds packages to Depends, each once.
func (s *Spec) depend(packages ...string) {
	for _, p := range packages {
		if !slices.Contains(s.Info.Depends, p) {
			s.Info.Depends = append(s.Info.Depends, p)
		}
	}
}

// packages are the packages that are a component: forge's own with exactly this version, or
// Debian's. With artifacts that may be stood in for or be absent, each of its versions will do: the
// package that depends on it has one content.
func (in Inputs) packages(component string) []string {
	c := in.Stack.Components[component]
	if name := c.PackageName(); name != "" {
		least, most := c.PackageVersion(), "<= "+c.PackageVersion()
		if c.MayStandIn() {
			least = c.StandinVersion()
		}
		if c.MayHoldMore() {
			most = "<< " + c.PackageVersion() + ".0" // sorts above each +NAME
		}
		if c.MayStandIn() || c.MayHoldMore() {
			return []string{fmt.Sprintf("%s (>= %s)", name, least), fmt.Sprintf("%s (%s)", name, most)}
		}
		return []string{fmt.Sprintf("%s (= %s)", name, c.PackageVersion())}
	}
	if c.Upstream != nil {
		return append(slices.Clone(c.Debian), c.Upstream.Package)
	}
	return c.Debian
}

// labelStandIn adds the file by which a node knows a stand-in.
func (s *Spec) labelStandIn(component, pkg, version string) error {
	return s.addJSON(path.Join(shareDir, "standins", component+".json"), node.StandIn{Name: component, Package: pkg, Version: version})
}

func (s *Spec) addJSON(at string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	s.Entries = append(s.Entries, Entry{Path: at, Kind: recipe.EntryFile, Text: append(text, '\n')})
	return nil
}

// rendered lists what forge-node writes for a component and no one will miss after a purge: its
// configuration and its log directories. Paths that depend on the inventory are left out.
func rendered(c node.Component) []string {
	var out []string
	add := func(p string) {
		if checkPurge(p) == nil && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	for _, f := range c.Files {
		if f.Format != node.FormatFlags {
			add(f.Path)
			continue
		}
		if len(f.Settings) == 0 { // attributes and resources: all names come from the inventory
			add(f.Path)
		}
		for name := range f.Settings {
			add(path.Join(f.Path, name))
		}
	}
	for _, d := range c.Dirs {
		if strings.HasPrefix(d.Path, "/var/log/") || strings.HasPrefix(d.Path, "/var/cache/") {
			add(d.Path)
		}
	}
	sort.Strings(out)
	return out
}

func holders(lines []string) []string {
	if len(lines) == 0 {
		return []string{authors}
	}
	return lines
}
