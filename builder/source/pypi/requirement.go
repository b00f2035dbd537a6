package pypi

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// Requirement names one source archive of an index.
type Requirement struct {
	Name    string // as it was written
	Version string
}

var (
	// nameRE is a project's name (PEP 508).
	nameRE = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	// versionRE is a public version in its normal form (PEP 440), without an epoch.
	versionRE = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?$`)
	// loose is what a requirement of pip may look like that is none here.
	loose      = regexp.MustCompile(`^([A-Za-z0-9._-]+)\s*(===?|=|~=|!=|<=?|>=?|@)\s*([A-Za-z0-9.*+!_-]+)$`)
	separators = regexp.MustCompile(`[-_.]+`)
)

// Parse reads NAME==VERSION.
func Parse(s string) (Requirement, error) {
	name, version, ok := strings.Cut(s, "==")
	if ok && nameRE.MatchString(name) && versionRE.MatchString(version) {
		return Requirement{Name: name, Version: version}, nil
	}
	hint := ""
	if m := loose.FindStringSubmatch(s); m != nil && versionRE.MatchString(m[3]) {
		hint = fmt.Sprintf("; did you mean %q?", m[1]+"=="+m[3])
	}
	switch {
	case ok && nameRE.MatchString(name):
		return Requirement{}, fmt.Errorf("pypi requirement %q: %q is not a version such as 3.5.6: name a fixed one in its normal form%s", s, version, hint)
	case strings.ContainsAny(s, "<>~!@"):
		return Requirement{}, fmt.Errorf("pypi requirement %q: it may mean another version tomorrow: want NAME==VERSION%s", s, hint)
	default:
		return Requirement{}, fmt.Errorf("pypi requirement %q: want NAME==VERSION%s", s, hint)
	}
}

// String returns what Parse reads.
func (r Requirement) String() string { return r.Name + "==" + r.Version }

// File returns the archive's name: NAME-VERSION.tar.gz (PEP 625).
func (r Requirement) File() string {
	return strings.ReplaceAll(normal(r.Name), "-", "_") + "-" + r.Version + sdistSuffix
}

// Purl returns the package URL (package-url specification, type pypi).
func (r Requirement) Purl() string { return "pkg:pypi/" + normal(r.Name) + "@" + r.Version }

const sdistSuffix = ".tar.gz"

// normal is a project's name as indexes compare it (PEP 503).
func normal(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// version returns the version of a project's source archive by the archive's name, or "". Older
// archives keep the capitals, dots and dashes of their project's name.
func (r Requirement) version(file string) string {
	stem, ok := strings.CutSuffix(file, sdistSuffix)
	if !ok {
		return ""
	}
	at := strings.LastIndex(stem, "-")
	if at < 0 || normal(stem[:at]) != normal(r.Name) || !versionRE.MatchString(stem[at+1:]) {
		return ""
	}
	return stem[at+1:]
}

// others says which versions there are instead of the one that is wanted.
func (r Requirement) others(versions []string) string {
	if len(versions) == 0 {
		return "it has no source archive of " + r.Name
	}
	const shown = 5
	last := versions[max(0, len(versions)-shown):]
	return fmt.Sprintf("it has %d other versions of %s, at last %s%s", len(versions), r.Name, strings.Join(last, ", "), cluster.DidYouMean(r.Version, versions))
}
