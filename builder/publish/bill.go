package publish

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// The layers that images and disks are stacked from. A container image is base, role and
// container; a disk is base, role and boot.
const (
	LayerBase      = "base"
	LayerRole      = "role"
	LayerContainer = "container"
	LayerBoot      = "boot"
)

// Media types of results.
const (
	SPDX          = "application/spdx+json"
	ImageManifest = "application/vnd.oci.image.manifest.v1+json" // image specification, "media types"
)

// NoAssertion says that nothing is claimed about a licence (SPDX 2.3, 7.15).
const NoAssertion = "NOASSERTION"

// billFormat rises when a field of a Bill gets another meaning.
const billFormat = 1

// Bill is what one role's image and disk hold, package by package.
type Bill struct {
	Format   int       `json:"format"`
	Stack    string    `json:"stack"`
	Version  string    `json:"version"` // of the stack
	Role     string    `json:"role"`
	Arch     string    `json:"arch"`
	Created  time.Time `json:"created"` // the epoch of the results, never the clock
	StandIns []string  `json:"stand_ins"`
	Packages []Package `json:"packages"` // by name, then architecture

	tool bool // see [Spec]
}

// Origin says who made a package.
type Origin string

// The origins of packages.
const (
	FromDebian   Origin = "debian"
	FromForge    Origin = "forge"
	FromOperator Origin = "operator"
)

// Package is a Debian package that is installed in one layer or more.
type Package struct {
	Name          string   `json:"name"`
	Version       string   `json:"version"`
	Architecture  string   `json:"architecture"`
	Source        string   `json:"source"`
	SourceVersion string   `json:"source_version"`
	SHA256        string   `json:"sha256"`         // of the .deb
	Size          int64    `json:"size"`           // of the .deb, bytes
	InstalledSize int64    `json:"installed_size"` // as the package says, bytes
	Licence       string   `json:"licence"`        // SPDX expression or NOASSERTION
	LicenceFile   string   `json:"licence_file"`   // in the tree; "" if there is none
	Layers        []string `json:"layers"`
	Origin        Origin   `json:"origin"`
	StandIn       bool     `json:"stand_in"` // a test double of the software whose name it has
	Purl          string   `json:"purl"`
	Homepage      string   `json:"homepage,omitempty"`
	Contains      []Part   `json:"contains,omitempty"`
}

// Part is software from outside that a package holds as it is: a Maven artifact, a Go module.
type Part struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Purl    string `json:"purl"`
	SHA256  string `json:"sha256,omitempty"`
	Size    int64  `json:"size,omitempty"` // bytes
	File    string `json:"file,omitempty"` // its name; "" for what is linked into a program
	Licence string `json:"licence"`        // SPDX expression or NOASSERTION
}

// Write writes the bill as packages.json.
func (b *Bill) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(b); err != nil {
		return fmt.Errorf("packages of role %s: %w", b.Role, err)
	}
	return nil
}
