package provenance

import (
	"time"

	"github.com/mesos-forge/forge/builder/lock"
)

const (
	// PredicateType is that of SLSA provenance v1 (slsa.dev/spec/v1.0/provenance).
	PredicateType = "https://slsa.dev/provenance/v1"
	// BuildType names how Parameters are to be read: docs/supply-chain.md says it.
	BuildType = "https://github.com/mesos-forge/forge/build/v1"
	// Builder is who built: forge itself, on a machine that nothing is claimed about.
	Builder = "https://github.com/mesos-forge/forge"
	// MaxStatement is the most that is read of a statement, in bytes.
	MaxStatement = 32 << 20
)

// Names of entries among the inputs that Verify looks for.
const (
	LockName    = "forge.lock"
	RecipesName = "recipes"
)

// Build is what one role's results were made from.
type Build struct {
	Parameters Parameters
	Forge      Checkout
	Lock       *lock.Lock // what exactly went in
	LockDigest string     // sha256 of its file, 64 hexadecimal digits
	Subjects   []File     // the results
	Byproducts []File     // what tells about them: SBOMs, the list of packages
}

// Parameters are what a build was asked for. A build with the same ones, the same lock and the same checkout
// has the same results.
type Parameters struct {
	Stack    string    `json:"stack"`
	Role     string    `json:"role"`
	Profile  string    `json:"profile"`
	Only     string    `json:"only,omitempty"`
	Formats  []string  `json:"formats,omitempty"`   // of disks
	DiskSize int64     `json:"disk_size,omitempty"` // bytes
	Epoch    time.Time `json:"epoch"`
	Accept   []string  `json:"accept,omitempty"` // rules that may be broken
}

// Checkout is the code and the recipes.
type Checkout struct {
	Version string // of forge: "v1.2.0", a pseudo-version, or "" where it has none
	Commit  string // of the checkout, 40 hexadecimal digits; "" where it is not clean
	Recipes string // sha256 over the stack's recipes and the overlays
	// Tools are versions of what compiles programs and jars of the checkout, by name: other ones may write other bytes.
	Tools map[string]string
}

// File is a file by name and sha256 (64 hexadecimal digits).
type File struct {
	Name, SHA256 string
	MediaType    string // "" where that says nothing
}

// Input is one thing that went in.
type Input struct {
	Name, URI string
	Digest    map[string]string // by algorithm
}

// Provenance is a statement that was read.
type Provenance struct {
	Parameters Parameters
	Versions   map[string]string // of "forge" and what compiled its programs
	Subjects   []File
	Inputs     []Input
	Byproducts []File
}

// Input looks an input up by name.
func (p *Provenance) Input(name string) (Input, bool) {
	for _, in := range p.Inputs {
		if in.Name == name {
			return in, true
		}
	}
	return Input{}, false
}

// Subject looks a result up by its digest.
func (p *Provenance) Subject(sha256 string) (File, bool) {
	for _, f := range p.Subjects {
		if f.SHA256 == sha256 {
			return f, true
		}
	}
	return File{}, false
}
