package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/mesos-forge/forge/builder/store"
)

// Format is the version of bundles that this package reads and writes.
const Format = 1

// IndexName is the name of the index, in the tar and in the folder.
const IndexName = "forge-bundle.json"

// Bounds of a bundle.
const (
	maxIndex  = 64 << 20 // bytes
	maxInputs = 200_000
	maxBlob   = 4 << 30 // bytes; ustar could say 8 GiB
)

// Kinds of inputs.
const (
	KindLock     = "lock"      // forge.lock, and tools.lock for programs that no lock has
	KindDeb      = "deb"       // a Debian package
	KindArtifact = "artifact"  // a file of a component, by the lock's name for it
	KindModule   = "go-module" // a file of a Go module, by its path at a module proxy
)

var kinds = []string{KindArtifact, KindDeb, KindModule, KindLock}

// Index says what is in a bundle.
type Index struct {
	Format int      `json:"format"` // Format
	Forge  string   `json:"forge"`  // version of the forge that wrote it
	Stack  string   `json:"stack"`
	Roles  []string `json:"roles"`          // sorted
	Only   string   `json:"only,omitempty"` // what it is enough for; "": everything
	// Go is the toolchain of the machine that wrote it: another one may make other bytes of forge's programs.
	Go string `json:"go,omitempty"`
	// Inputs are sorted by kind, name, version and digest. Several may have one blob.
	Inputs []Input `json:"inputs"`
}

// Input is one file from outside.
type Input struct {
	Kind    string       `json:"kind"`
	Name    string       `json:"name"`
	Version string       `json:"version,omitempty"`
	Size    int64        `json:"size"` // bytes
	SHA256  store.Digest `json:"sha256"`
}

// String names the input for people: "deb adduser:all 3.134".
func (i Input) String() string {
	s := i.Kind + " " + i.Name
	if i.Version != "" {
		s += " " + i.Version
	}
	return s
}

func (i Input) compare(o Input) int {
	return cmp.Or(cmp.Compare(i.Kind, o.Kind), cmp.Compare(i.Name, o.Name), cmp.Compare(i.Version, o.Version), cmp.Compare(i.SHA256, o.SHA256))
}

// Sorted returns the index with roles and inputs in their order, each once.
func (x Index) Sorted() Index {
	x.Roles = slices.Compact(slices.Sorted(slices.Values(x.Roles)))
	x.Inputs = slices.CompactFunc(slices.SortedFunc(slices.Values(x.Inputs), Input.compare), func(a, b Input) bool { return a.compare(b) == 0 })
	return x
}

// Input looks an input up by kind and name.
func (x *Index) Input(kind, name string) (Input, bool) {
	i := slices.IndexFunc(x.Inputs, func(in Input) bool { return in.Kind == kind && in.Name == name })
	if i < 0 {
		return Input{}, false
	}
	return x.Inputs[i], true
}

// Blob is one file of a bundle, and the first input that it is.
type Blob struct {
	Digest store.Digest
	Size   int64 // bytes
	Input  Input
}

func (b Blob) name() string { return blobFolder + b.Digest.Hex() }

const blobFolder = "blobs/sha256/"

// Blobs lists the files, sorted by digest.
func (x *Index) Blobs() []Blob {
	var out []Blob
	for _, in := range x.Inputs {
		out = append(out, Blob{in.SHA256, in.Size, in})
	}
	slices.SortStableFunc(out, func(a, b Blob) int { return cmp.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(out, func(a, b Blob) bool { return a.Digest == b.Digest })
}

// Size is the length of all files together, in bytes.
func (x *Index) Size() (sum int64) {
	for _, b := range x.Blobs() {
		sum += b.Size
	}
	return sum
}

// encode returns a sorted index as it is written.
func (x *Index) encode() ([]byte, error) {
	if err := x.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(x); err != nil {
		return nil, err
	}
	if b.Len() > maxIndex {
		return nil, fmt.Errorf("an index of %d bytes; allowed are %d", b.Len(), maxIndex)
	}
	return b.Bytes(), nil
}

// decode reads an index and accepts what encode writes.
func decode(r io.Reader) (*Index, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxIndex+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxIndex {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", ErrIndex, maxIndex)
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &version); err == nil && version.Format != Format {
		return nil, fmt.Errorf("%w: it has format %d, and this forge reads %d: use the forge that wrote it, or write it anew", ErrIndex, version.Format, Format)
	}
	x := &Index{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(x); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIndex, err)
	}
	if err := x.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIndex, err)
	}
	if again, err := x.encode(); err != nil || !bytes.Equal(again, text) {
		return nil, fmt.Errorf("%w: it is not as forge writes it", ErrIndex)
	}
	return x, nil
}

var (
	wordRE  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	plainRE = regexp.MustCompile(`^[\x21-\x7e][\x20-\x7e]*$`)
)

// isPlain tells whether s is one line of ASCII, of 1 to 1024 characters.
func isPlain(s string) bool { return len(s) <= 1024 && plainRE.MatchString(s) }

func (x *Index) check() error {
	switch {
	case x.Format != Format:
		return fmt.Errorf("format %d", x.Format)
	case !wordRE.MatchString(x.Stack):
		return fmt.Errorf("%q is not the name of a stack", x.Stack)
	case len(x.Roles) == 0:
		return errors.New("it names no role")
	case !isPlain(x.Forge), x.Only != "" && !wordRE.MatchString(x.Only), x.Go != "" && !isPlain(x.Go):
		return errors.New("its head has something that is no plain text")
	case len(x.Inputs) > maxInputs:
		return fmt.Errorf("%d inputs; allowed are %d", len(x.Inputs), maxInputs)
	}
	for i, role := range x.Roles {
		if !wordRE.MatchString(role) || i > 0 && x.Roles[i-1] >= role {
			return fmt.Errorf("role %q is no name, or not in its place", role)
		}
	}
	sizes := map[store.Digest]int64{}
	for i, in := range x.Inputs {
		if err := in.check(); err != nil {
			return fmt.Errorf("input %d: %w", i+1, err)
		}
		if i > 0 && x.Inputs[i-1].compare(in) >= 0 {
			return fmt.Errorf("input %s is there twice or not in its place", in)
		}
		if size, seen := sizes[in.SHA256]; seen && size != in.Size {
			return fmt.Errorf("input %s: %s has two sizes", in, in.SHA256)
		}
		sizes[in.SHA256] = in.Size
	}
	return nil
}

func (i Input) check() error {
	d, err := store.ParseDigest(string(i.SHA256))
	switch {
	case !slices.Contains(kinds, i.Kind):
		return fmt.Errorf("%q is no kind of input", i.Kind)
	case !isPlain(i.Name), i.Version != "" && !isPlain(i.Version):
		return fmt.Errorf("%q, version %q: no plain text", i.Name, i.Version)
	case i.Size < 0 || i.Size > maxBlob:
		return fmt.Errorf("%s has %d bytes; allowed are %d", i, i.Size, int64(maxBlob))
	case err != nil:
		return fmt.Errorf("%s: %w", i, err)
	case d != i.SHA256:
		return fmt.Errorf("%s: digest %q: want sha256: and 64 hexadecimal digits", i, i.SHA256)
	}
	return nil
}
