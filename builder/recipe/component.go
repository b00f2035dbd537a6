package recipe

import (
	"github.com/goreleaser/nfpm/v2"

	"github.com/mesos-forge/forge/builder/node"
)

// Component is one piece of software of a stack: components/NAME.yaml. It says
// where the bytes come from, how they are laid out in a package, and what runs
// on a node.
//
// A component is one of:
//
//   - Debian packages (Debian is set): nothing is fetched by forge itself.
//   - an upstream package that keeps its own name (Upstream is set), brought
//     by the operator or replaced by a stand-in.
//   - software that forge packages itself (Artifacts and Layout).
//
// Whatever it adds of its own (layout, overlay, services, files, users) goes
// into the package forge-NAME; see [Component.PackageName].
type Component struct {
	// Name of the component; equals the file's name without ".yaml".
	Name string `yaml:"name" json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9-]*$"`
	// Summary is one line, the synopsis of the package: no name, no full stop.
	Summary string `yaml:"summary" json:"summary"`
	// Description is the long text of the package, paragraphs of plain text.
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Version of the upstream software: "1.2.1".
	Version string `yaml:"version" json:"version" jsonschema:"pattern=^[0-9][A-Za-z0-9.+~]*$"`
	// Revision of the recipe, from 1; it must rise with the package's content.
	Revision int `yaml:"revision,omitempty" json:"revision,omitempty" jsonschema:"minimum=1"`
	// Licence of the software as an SPDX expression: "Apache-2.0".
	Licence string `yaml:"licence" json:"licence"`
	// Copyright lines of the software: "2005-2013 The Apache Software Foundation".
	Copyright []string `yaml:"copyright,omitempty" json:"copyright,omitempty"`
	// Homepage is the upstream's page.
	Homepage string `yaml:"homepage" json:"homepage"`

	// Optional components are in a role only while the operator brings what they
	// are made of: a file in the vendor folder, or a build that the settings name.
	// Without it they are left out of everything, and the version of a role's
	// package that has some ends in "+NAME" for each. Templates ask
	// `has .Components "NAME"`.
	Optional bool `yaml:"optional,omitempty" json:"optional,omitempty"`
	// Debian lists the Debian packages that are this component, or that it
	// needs on every node: they become Depends of forge-NAME, or of the role's
	// package where there is no forge-NAME.
	Debian []string `yaml:"debian,omitempty" json:"debian,omitempty"`
	// Upstream is a package made elsewhere that keeps its own name.
	Upstream *Upstream `yaml:"upstream,omitempty" json:"upstream,omitempty"`
	// Requires lists components that must be in every role that has this one;
	// their packages become Depends of forge-NAME.
	Requires []string `yaml:"requires,omitempty" json:"requires,omitempty"`

	// Artifacts by name: the files that Layout uses.
	Artifacts map[string]Artifact `yaml:"artifacts,omitempty" json:"artifacts,omitempty"`
	// Layout makes the package's files from artifacts, in this order.
	Layout []Operation `yaml:"layout,omitempty" json:"layout,omitempty"`
	// Overlay is a folder of overlays/ whose files go into the package.
	Overlay string `yaml:"overlay,omitempty" json:"overlay,omitempty"`
	// Package is nfpm's own block: depends, conflicts, scripts, deb.fields...
	Package Package `yaml:"package,omitempty" json:"package,omitzero"`
	// Groups and Users that the package makes, with fixed ids.
	Groups []Group `yaml:"groups,omitempty" json:"groups,omitempty"`
	Users  []User  `yaml:"users,omitempty" json:"users,omitempty"`
	// Changelog of the package, the newest entry first; the first entry's
	// Revision is the component's.
	Changelog []Change `yaml:"changelog,omitempty" json:"changelog,omitempty"`
	// LintianOverrides go into the package, each with its reason.
	LintianOverrides []LintianOverride `yaml:"lintian_overrides,omitempty" json:"lintian_overrides,omitempty"`

	// Services, Files, Dirs and Secrets make the manifest that forge-node reads;
	// see [Component.Manifest].
	Services []node.Service `yaml:"services,omitempty" json:"services,omitempty"`
	Files    []node.File    `yaml:"files,omitempty" json:"files,omitempty"`
	Dirs     []node.Dir     `yaml:"dirs,omitempty" json:"dirs,omitempty"`
	Secrets  []node.Secret  `yaml:"secrets,omitempty" json:"secrets,omitempty"`

	// Path of the component's YAML in the stack's FS; Dir is the stack folder
	// that it lies in, where template, file and script paths start.
	Path string `yaml:"-" json:"-"`
	Dir  string `yaml:"-" json:"-"`
}

// Package is nfpm's own configuration block. The keys that the component says
// itself (name, arch, platform, version, release, description, homepage,
// license, maintainer, changelog, mtime) are refused here. Paths in it (scripts, contents'
// src) start at the stack's folder.
type Package struct {
	nfpm.Info `yaml:",inline" json:",inline"`
}

// Upstream is a package that is made elsewhere and keeps its upstream name.
type Upstream struct {
	// Package name: "mesos".
	Package string `yaml:"package" json:"package"`
	// Artifact is the name in Artifacts of the operator's .deb.
	Artifact string `yaml:"artifact" json:"artifact"`
	// Tarball is what forge makes the package of where the operator has the
	// upstream's archive and no package; nil means that it takes packages alone.
	Tarball *Tarball `yaml:"tarball,omitempty" json:"tarball,omitempty"`
	// Finds are paths that differ between the packages of several versions.
	Finds []Find `yaml:"finds,omitempty" json:"finds,omitempty"`
	// Standin takes the package's place while the artifact can't be had; nil
	// means that there is none, and the artifact is needed in every profile.
	Standin *Standin `yaml:"standin,omitempty" json:"standin,omitempty"`
}

// Find is a file of an upstream's package that others need, and that is not in
// the same place in all of its versions: the package itself tells where.
type Find struct {
	// Link is the path at which forge-NAME has a symbolic link to it, whatever the
	// package; empty: it must only be there.
	Link string `yaml:"link,omitempty" json:"link,omitempty"`
	// Paths are where it may be, the usual place of this stack's version, which is
	// that of the stand-in, first. A package has one of them, or several that are
	// links to one file. With another than the first, the version of forge-NAME ends
	// in "+" and that path with dots for slashes.
	Paths []string `yaml:"paths" json:"paths" jsonschema:"minItems=1"`
}

// Tarball makes a package of an upstream's release archive, under the upstream's
// name. Its version is VERSION-0forgeREVISION with the version that the archive's
// name says, PACKAGE-VERSION.tgz: it sorts below the upstream's own package.
type Tarball struct {
	// Artifact is the name in Artifacts of the operator's .tgz.
	Artifact string `yaml:"artifact" json:"artifact"`
	// Launchers are paths below the archive's one folder; one must be there, and
	// executable: "bin/start".
	Launchers []string `yaml:"launchers" json:"launchers" jsonschema:"minItems=1"`
	// Jars are patterns of the program's jar below that folder ("*" within a
	// component, "**" across them). Exactly one file may match, and its name must
	// say the archive's version.
	Jars []string `yaml:"jars" json:"jars" jsonschema:"minItems=1"`
	// Summary and Description of the package.
	Summary     string `yaml:"summary" json:"summary"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Overlay, Layout, Package, Groups, Users, Changelog and LintianOverrides as in
	// Component; the version of the newest change is that of the recipe, not of an
	// archive.
	Overlay          string            `yaml:"overlay,omitempty" json:"overlay,omitempty"`
	Layout           []Operation       `yaml:"layout" json:"layout" jsonschema:"minItems=1"`
	Package          Package           `yaml:"package,omitempty" json:"package,omitzero"`
	Groups           []Group           `yaml:"groups,omitempty" json:"groups,omitempty"`
	Users            []User            `yaml:"users,omitempty" json:"users,omitempty"`
	Changelog        []Change          `yaml:"changelog,omitempty" json:"changelog,omitempty"`
	LintianOverrides []LintianOverride `yaml:"lintian_overrides,omitempty" json:"lintian_overrides,omitempty"`
}

// Standin is a labelled test double of an upstream package: the same name,
// paths, configuration files and services; see design section 4.
type Standin struct {
	// Version of the package, with "~standin" in it so that it sorts below the
	// real one: "1.11.0-1~standin1".
	Version string `yaml:"version" json:"version" jsonschema:"pattern=~standin"`
	// Summary and Description of the package: they must say what it is.
	Summary     string `yaml:"summary" json:"summary"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Licence of the stand-in itself, SPDX.
	Licence string `yaml:"licence" json:"licence"`
	// Overlay is a folder of overlays/ whose files go into the package.
	Overlay string `yaml:"overlay,omitempty" json:"overlay,omitempty"`
	// Layout as in Component; mostly Program operations.
	Layout []Operation `yaml:"layout,omitempty" json:"layout,omitempty"`
	// Package as in Component.
	Package Package `yaml:"package,omitempty" json:"package,omitzero"`
	// Changelog and LintianOverrides as in Component.
	Changelog        []Change          `yaml:"changelog,omitempty" json:"changelog,omitempty"`
	LintianOverrides []LintianOverride `yaml:"lintian_overrides,omitempty" json:"lintian_overrides,omitempty"`
}

// Group is a system group with a fixed id.
type Group struct {
	Name string `yaml:"name" json:"name" jsonschema:"pattern=^[a-z_][a-z0-9_-]*$"`
	GID  int    `yaml:"gid" json:"gid" jsonschema:"minimum=100,maximum=999"`
}

// User is a system user with a fixed id. Data disks outlive images, so an id
// never changes once it is released; a clash on a machine is an error.
type User struct {
	Name string `yaml:"name" json:"name" jsonschema:"pattern=^[a-z_][a-z0-9_-]*$"`
	UID  int    `yaml:"uid" json:"uid" jsonschema:"minimum=100,maximum=999"`
	// Group is the primary group: one of Groups of this component or of one
	// that it requires.
	Group string `yaml:"group" json:"group"`
	// Groups are the others.
	Groups []string `yaml:"groups,omitempty" json:"groups,omitempty"`
	// Home directory; the package doesn't make it unless Layout or Dirs do.
	Home string `yaml:"home" json:"home"`
	// Shell; empty means /usr/sbin/nologin.
	Shell string `yaml:"shell,omitempty" json:"shell,omitempty"`
	// Comment is the GECOS field, without colons.
	Comment string `yaml:"comment,omitempty" json:"comment,omitempty"`
}

// Change is one entry of a package's changelog.
type Change struct {
	// Version of the upstream software and Revision of the recipe then.
	Version  string `yaml:"version" json:"version"`
	Revision int    `yaml:"revision,omitempty" json:"revision,omitempty" jsonschema:"minimum=1"`
	// Date as 2006-01-02.
	Date string `yaml:"date" json:"date" jsonschema:"format=date"`
	// Changes, a sentence each.
	Changes []string `yaml:"changes" json:"changes"`
}

// LintianOverride is a lintian tag that is right for this package.
type LintianOverride struct {
	Tag string `yaml:"tag" json:"tag"`
	// Pattern is the context after the tag, lintian's wildcards allowed.
	Pattern string `yaml:"pattern,omitempty" json:"pattern,omitempty"`
	// Reason is written as the comment above the override.
	Reason string `yaml:"reason" json:"reason"`
}
