package recipe

// Role is what a node is: roles/NAME.yaml. Its package forge-role-NAME depends
// on everything that the role needs and carries its overlay.
type Role struct {
	// Name of the role; equals the file's name without ".yaml".
	Name string `yaml:"name" json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9-]*$"`
	// Summary is one line, the synopsis of the package.
	Summary string `yaml:"summary" json:"summary"`
	// Description is the long text of the package.
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Revision of the recipe, from 1; the version is the stack's.
	Revision int `yaml:"revision" json:"revision" jsonschema:"minimum=1"`
	// Components that are installed, in no particular order.
	Components []string `yaml:"components" json:"components"`
	// Services of those components that run on a node of this role; the
	// others stay disabled.
	Services []string `yaml:"services" json:"services"`
	// MustNotListen are TCP ports that belong to other roles.
	MustNotListen []int `yaml:"must_not_listen,omitempty" json:"must_not_listen,omitempty"`
	// Packages are further Debian packages that the role depends on.
	Packages []string `yaml:"packages,omitempty" json:"packages,omitempty"`
	// Overlay is a folder of overlays/ whose files go into the package.
	Overlay string `yaml:"overlay,omitempty" json:"overlay,omitempty"`
	// Runs makes the role's image that of a tool instead of a node.
	Runs *Runs `yaml:"runs,omitempty" json:"runs,omitempty"`
	// Package, Changelog and LintianOverrides as in [Component].
	Package          Package           `yaml:"package,omitempty" json:"package,omitzero"`
	Changelog        []Change          `yaml:"changelog,omitempty" json:"changelog,omitempty"`
	LintianOverrides []LintianOverride `yaml:"lintian_overrides,omitempty" json:"lintian_overrides,omitempty"`

	// Holds are the roles that a golden role is made of; see [Golden].
	Holds []*Role `yaml:"-" json:"-"`
	// Path and Dir as in [Component].
	Path string `yaml:"-" json:"-"`
	Dir  string `yaml:"-" json:"-"`
}

// Runs is what the container of a tool runs in place of forge-node. The role of a tool has no services and no disk,
// no node of an inventory may have it, the golden role does not hold it, stacks that extend its stack do not
// have it, and it is built only when it is named.
type Runs struct {
	// Program is the entry point: a program and its first arguments.
	Program []string `yaml:"program" json:"program"`
	// Env are environment variables.
	Env map[string]string `yaml:"env,omitempty" json:"env,omitempty"`
}
