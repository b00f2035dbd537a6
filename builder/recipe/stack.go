package recipe

import (
	"io/fs"

	"github.com/mesos-forge/forge/builder/node"
)

// Stack is a set of versions that work together on one distribution release:
// the folder recipes/NAME/, with stack.yaml, components/*.yaml, roles/*.yaml
// and the files that these name.
type Stack struct {
	// Name of the stack; equals the folder's name.
	Name string `yaml:"name" json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9-]*$"`
	// Summary is one line for people.
	Summary string `yaml:"summary" json:"summary"`
	// Version of the stack's own packages (the roles): "1".
	Version string `yaml:"version" json:"version" jsonschema:"pattern=^[0-9][A-Za-z0-9.+~]*$"`
	// Maintainer of every package that forge makes: "Name <mail@host>".
	Maintainer string `yaml:"maintainer" json:"maintainer"`
	// Extends names the parent stack: its components and roles are taken over
	// unless this stack has a file of the same name, and so is every section
	// of stack.yaml that is absent here.
	Extends string `yaml:"extends,omitempty" json:"extends,omitempty"`
	// Distribution that the images are.
	Distribution Distribution `yaml:"distribution,omitempty" json:"distribution,omitzero"`
	// InitSystem of the distribution: "systemd", also where nothing is said, or
	// "upstart".
	InitSystem node.InitSystem `yaml:"init_system,omitempty" json:"init_system,omitempty" jsonschema:"enum=systemd,enum=upstart"`
	// Arch lists the architectures in Debian's words; only amd64 for now.
	Arch []string `yaml:"arch,omitempty" json:"arch,omitempty" jsonschema:"enum=amd64"`
	// Apt says where Debian packages come from.
	Apt Apt `yaml:"apt,omitempty" json:"apt,omitzero"`
	// Rootfs is the tree all images of the stack start from; it has no kernel.
	Rootfs Layer `yaml:"rootfs,omitempty" json:"rootfs,omitzero"`
	// Container is what only container images get on top of a role.
	Container Layer `yaml:"container,omitempty" json:"container,omitzero"`
	// Boot is what only disks get on top of a role, and how they boot.
	Boot Boot `yaml:"boot,omitempty" json:"boot,omitzero"`
	// Tools is the snapshot with the programs that make images.
	Tools Tools `yaml:"tools,omitempty" json:"tools,omitzero"`

	// Components by name, Roles by name, Overlays by folder name: filled by
	// Load, with those of the parent stack.
	Components map[string]*Component `yaml:"-" json:"-"`
	Roles      map[string]*Role      `yaml:"-" json:"-"`
	Overlays   map[string]*Overlay   `yaml:"-" json:"-"`
	// ToolRoles are the stack's own roles that are no nodes of a cluster, by name; see [Runs].
	ToolRoles map[string]*Role `yaml:"-" json:"-"`
	// FS is the checkout that the stack was read from: paths in [Input],
	// [OverlayEntry] and [Component.Path] open in it.
	FS fs.FS `yaml:"-" json:"-"`
	// Path of stack.yaml in FS.
	Path string `yaml:"-" json:"-"`

	digests map[string]string // of the files that packages are made of, by path
}

// Distribution names a release in the words of os-release and apt.
type Distribution struct {
	// ID as in os-release: "debian".
	ID string `yaml:"id" json:"id"`
	// Suite is the code name: "bookworm".
	Suite string `yaml:"suite" json:"suite"`
	// Version as in os-release's VERSION_ID: "12".
	Version string `yaml:"version" json:"version"`
}

// Apt says which apt archives a stack takes packages from. The mirror is the
// host's own: its apt entries whose Release says this Origin.
type Apt struct {
	// Origin that the Release file must say: "Debian".
	Origin string `yaml:"origin" json:"origin"`
	// Suites in apt's words, without the mirror: "bookworm",
	// "bookworm-updates", "bookworm-security".
	Suites []string `yaml:"suites" json:"suites"`
	// Components of the archive: "main".
	Components []string `yaml:"components" json:"components"`
	// Keyring is the host's file with the archive's keys.
	Keyring string `yaml:"keyring" json:"keyring"`
	// More are other archives that packages come from. They are preferred to the
	// distribution's own: see AptArchive.
	More []AptArchive `yaml:"more,omitempty" json:"more,omitempty"`
	// Mirror, when set, is used in place of the host's own entries, for every
	// suite. The setting apt.mirror of forge.yaml wins over it.
	Mirror string `yaml:"mirror,omitempty" json:"mirror,omitempty"`
}

// AptArchive is an archive besides the distribution's. Where both have a
// package, the one of this archive is taken, whatever its version.
type AptArchive struct {
	// Name of the archive in settings and locks: "cdh" is apt.archives.cdh.
	Name string `yaml:"name" json:"name" jsonschema:"pattern=^[a-z0-9][a-z0-9-]*$"`
	// Summary says what it is, for messages: "CDH 5.1.2 for trusty".
	Summary string `yaml:"summary" json:"summary"`
	// Suites and Components as in Apt.
	Suites     []string `yaml:"suites" json:"suites"`
	Components []string `yaml:"components" json:"components"`
}

// Layer is Debian packages and an overlay that are added to a tree.
type Layer struct {
	// Packages by name, without versions; Recommends are never followed.
	Packages []string `yaml:"packages,omitempty" json:"packages,omitempty"`
	// Overlay is a folder of overlays/, laid over the tree after the packages.
	Overlay string `yaml:"overlay,omitempty" json:"overlay,omitempty"`
}

// KernelFlavour says which of Debian's kernels a disk boots.
type KernelFlavour string

// The kernel flavours.
const (
	KernelCloud   KernelFlavour = "cloud"   // linux-image-cloud-amd64: virtual machines
	KernelGeneric KernelFlavour = "generic" // linux-image-amd64: also bare metal
)

// Boot is the delta between a role's tree and a bootable disk.
type Boot struct {
	// Kernel chooses the entry of Kernels.
	Kernel KernelFlavour `yaml:"kernel,omitempty" json:"kernel,omitempty" jsonschema:"enum=cloud,enum=generic"`
	// Kernels are the packages of each flavour.
	Kernels map[KernelFlavour][]string `yaml:"kernels,omitempty" json:"kernels,omitempty"`
	// Packages are the others: boot loader, initramfs, cloud-init.
	Packages []string `yaml:"packages,omitempty" json:"packages,omitempty"`
	// Overlay is a folder of overlays/, laid over the tree after the packages.
	Overlay string `yaml:"overlay,omitempty" json:"overlay,omitempty"`
	// Cmdline is the kernel's command line after root=.
	Cmdline string `yaml:"cmdline,omitempty" json:"cmdline,omitempty"`
	// Disk says how the disk is laid out.
	Disk Disk `yaml:"disk,omitempty" json:"disk,omitzero"`
}

// Disk is the layout of a bootable disk.
type Disk struct {
	// SizeMiB of the whole disk; 0 means as small as the content allows.
	// --disk-size wins.
	SizeMiB int `yaml:"size_mib,omitempty" json:"size_mib,omitempty"`
	// Ext4Features is the exact list for mke2fs -O after "none", so that the
	// file system doesn't depend on a mke2fs.conf.
	Ext4Features []string `yaml:"ext4_features,omitempty" json:"ext4_features,omitempty"`
}

// Tools is the tree with the programs that make images, from a suite of its
// own. Each set is a snapshot of its own.
type Tools struct {
	// Distribution and Apt of the tools, as in [Stack].
	Distribution Distribution `yaml:"distribution" json:"distribution"`
	Apt          Apt          `yaml:"apt" json:"apt"`
	// Image makes file systems and disks: e2fsprogs, mtools, qemu-utils.
	Image []string `yaml:"image,omitempty" json:"image,omitempty"`
	// Boot runs a disk: qemu-system-x86, qemu-utils, ovmf.
	Boot []string `yaml:"boot,omitempty" json:"boot,omitempty"`
	// Java fetches Maven artifacts where the host has no mvn: maven.
	Java []string `yaml:"java,omitempty" json:"java,omitempty"`
	// Publish writes the indexes of apt repositories: apt-utils.
	Publish []string `yaml:"publish,omitempty" json:"publish,omitempty"`
}

// KernelPackages are the packages of the chosen kernel.
func (b Boot) KernelPackages() []string { return b.Kernels[b.Kernel] }
