package lock

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Format is the version of the file format that this package reads and writes.
const Format = 1

// Lock is the content of a forge.lock.
type Lock struct {
	Format int `yaml:"format"` // Format
	// Date of the newest thing in the lock; SOURCE_DATE_EPOCH of builds from it. Whole seconds, UTC.
	Date  time.Time `yaml:"date"`
	Stack string    `yaml:"stack"`
	// Suites are the indexes that Debs were solved from, in the order that was used.
	Suites []Suite `yaml:"suites,omitempty"`
	// Artifacts are files that are no Debian packages, sorted by name.
	Artifacts []Artifact `yaml:"artifacts,omitempty"`
	// Builds are the files that the builds of artifacts took from Maven repositories, sorted by path, by the
	// artifact's NAME: several components may have the same one.
	Builds map[string][]BuildFile `yaml:"builds,omitempty"`
	// Debs are Debian packages by solve: "base", "role/slave", "boot", "tools". Within one solve
	// they stand in the order in which they are unpacked, which is part of the result.
	Debs map[string][]Deb `yaml:"debs,omitempty"`
	// Packages are those that forge made, sorted by name and version.
	Packages []Package `yaml:"packages,omitempty"`
}

// Suite is one suite of a Debian archive at one time.
type Suite struct {
	Archive  string    `yaml:"archive"` // "debian", "debian-security"
	Name     string    `yaml:"name"`    // "bookworm-updates"
	Codename string    `yaml:"codename,omitempty"`
	Version  string    `yaml:"version,omitempty"` // "12.11"
	Date     time.Time `yaml:"date"`
	SHA256   string    `yaml:"sha256"` // of its InRelease file
}

// Artifact is one file.
type Artifact struct {
	Name    string `yaml:"name"` // COMPONENT/NAME
	Kind    string `yaml:"kind"` // "maven", "pypi", "http", "file", "maven-build"
	Version string `yaml:"version,omitempty"`
	File    string `yaml:"file,omitempty"` // base name
	Size    int64  `yaml:"size"`           // bytes
	SHA256  string `yaml:"sha256"`
	Purl    string `yaml:"purl,omitempty"`
	Home    string `yaml:"home,omitempty"` // the upstream's home page
}

// BuildFile is one file that a build takes from a Maven repository.
type BuildFile struct {
	Path   string `yaml:"path"` // below the repository
	Size   int64  `yaml:"size"` // bytes
	SHA256 string `yaml:"sha256"`
}

// Deb is one Debian package.
type Deb struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	Arch    string `yaml:"arch"` // "amd64", "all"
	// Source and SourceVersion are those of the source package where they aren't the package's own.
	Source        string `yaml:"source,omitempty"`
	SourceVersion string `yaml:"source_version,omitempty"`
	Size          int64  `yaml:"size"` // bytes
	SHA256        string `yaml:"sha256"`
	// Filename is the path below the archive: pool/main/h/hello/hello_2.10-3_amd64.deb.
	Filename string `yaml:"filename"`
	Archive  string `yaml:"archive,omitempty"`
	// Auto tells that it is there only because another package needs it.
	Auto bool   `yaml:"auto,omitempty"`
	Home string `yaml:"home,omitempty"` // the upstream's home page
}

// Package is a .deb that forge made.
type Package struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	Arch    string `yaml:"arch"`
	SHA256  string `yaml:"sha256"`
}

// Artifact looks an artifact up by name.
func (l *Lock) Artifact(name string) (Artifact, bool) {
	i := slices.IndexFunc(l.Artifacts, func(a Artifact) bool { return a.Name == name })
	if i < 0 {
		return Artifact{}, false
	}
	return l.Artifacts[i], true
}

// Sort puts what has no order of its own into the order in which it is written.
func (l *Lock) Sort() {
	slices.SortFunc(l.Artifacts, func(a, b Artifact) int { return cmp.Compare(a.Name, b.Name) })
	for _, files := range l.Builds {
		slices.SortFunc(files, func(a, b BuildFile) int { return cmp.Compare(a.Path, b.Path) })
	}
	slices.SortFunc(l.Packages, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Arch, b.Arch))
	})
}

// ConflictError says that a package that forge made has the name and version of one in the lock,
// and other bytes.
type ConflictError struct {
	Old, New Package
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("package %s %s differs from the one in the lock (sha256 %s, now %s): what has other content needs another version; raise the component's revision, then run forge lock",
		e.New.Name, e.New.Version, e.Old.SHA256, e.New.SHA256)
}

// Conflict compares a package that was made with the lock. The error is a *ConflictError.
func (l *Lock) Conflict(p Package) error {
	for _, old := range l.Packages {
		if old.Name == p.Name && old.Version == p.Version && old.Arch == p.Arch && old.SHA256 != p.SHA256 {
			return &ConflictError{Old: old, New: p}
		}
	}
	return nil
}

// Diff says line by line what differs from old to new, in a fixed order: "+ ..." only in new,
// "- ..." only in old, "~ ..." changed. Equal locks give none.
func Diff(old, new *Lock) []string {
	var d diff
	if !old.Date.Equal(new.Date) {
		d.change("date", stamp(old.Date), stamp(new.Date))
	}
	if old.Stack != new.Stack {
		d.change("stack", old.Stack, new.Stack)
	}
	d.tables(suiteTable(old), suiteTable(new))
	d.tables(artifactTable(old), artifactTable(new))
	d.tables(buildTable(old), buildTable(new))
	for _, solve := range union(old.Debs, new.Debs) {
		d.tables(debTable(solve, old.Debs[solve]), debTable(solve, new.Debs[solve]))
		if a, b := debNames(old.Debs[solve]), debNames(new.Debs[solve]); !slices.Equal(a, b) && slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))) {
			d = append(d, "~ debs "+solve+": order of unpacking")
		}
	}
	d.tables(packageTable(old), packageTable(new))
	return d
}

type diff []string

func (d *diff) change(what, old, new string) {
	*d = append(*d, fmt.Sprintf("~ %s: %s -> %s", what, old, new))
}

// tables compares two tables of what is there (key) and what it is (value).
func (d *diff) tables(old, new map[string]string) {
	for _, key := range union(old, new) {
		a, before := old[key]
		b, after := new[key]
		switch {
		case !before:
			*d = append(*d, "+ "+key+" "+b)
		case !after:
			*d = append(*d, "- "+key+" "+a)
		case a != b:
			d.change(key, a, b)
		}
	}
}

func suiteTable(l *Lock) map[string]string {
	m := map[string]string{}
	for _, s := range l.Suites {
		m["suite "+s.Archive+"/"+s.Name] = join(s.Version, stamp(s.Date), short(s.SHA256))
	}
	return m
}

func artifactTable(l *Lock) map[string]string {
	m := map[string]string{}
	for _, a := range l.Artifacts {
		m["artifact "+a.Name] = join(a.Kind, a.Version, a.File, short(a.SHA256))
	}
	return m
}

// buildTable has one line for all files of a build: they change together.
func buildTable(l *Lock) map[string]string {
	m := map[string]string{}
	for name, files := range l.Builds {
		m["build "+name] = fmt.Sprintf("%d files %s", len(files), short(BuildDigest(files)))
	}
	return m
}

// BuildDigest is the sha256, in hexadecimal digits, over all that the lines of a build say.
func BuildDigest(files []BuildFile) string {
	sum := sha256.New()
	for _, f := range files {
		fmt.Fprintf(sum, "%s %d %s\n", f.Path, f.Size, f.SHA256)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func debTable(solve string, debs []Deb) map[string]string {
	m := map[string]string{}
	for _, p := range debs {
		m["deb "+solve+": "+p.Name+":"+p.Arch] = join(p.Version, short(p.SHA256))
	}
	return m
}

func packageTable(l *Lock) map[string]string {
	m := map[string]string{}
	for _, p := range l.Packages {
		m["package "+p.Name+" "+p.Version+" "+p.Arch] = short(p.SHA256)
	}
	return m
}

func debNames(debs []Deb) []string {
	out := make([]string, len(debs))
	for i, p := range debs {
		out[i] = p.Name
	}
	return out
}

func union[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

func join(parts ...string) string {
	out := ""
	for _, p := range parts {
		if p != "" {
			out += " " + p
		}
	}
	return out[min(1, len(out)):]
}

func short(sha256 string) string { return sha256[:min(12, len(sha256))] }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
