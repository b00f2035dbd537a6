package lock

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// problem is one thing wrong with a Lock, and where in it.
type problem struct {
	path    string // "debs.base[3]"
	message string
}

var (
	sha256RE  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	solveRE   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*$`)
	nameRE    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*(/[A-Za-z0-9][A-Za-z0-9+._-]*)*$`)
	versionRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+~:-]*$`)
	poolRE    = regexp.MustCompile(`^[A-Za-z0-9+~_%:.-]+(/[A-Za-z0-9+~_%:.-]+)*$`)
	textRE    = regexp.MustCompile(`^[\x20-\x7e]*$`)
)

// check returns the first thing that is wrong, or nil.
func (l *Lock) check() *problem {
	switch {
	case l.Format != Format:
		return &problem{"format", fmt.Sprintf("format %d is not known to this forge, which knows %d", l.Format, Format)}
	case !goodDate(l.Date):
		return &problem{"date", "want a date in whole seconds from 1970 to 9999"}
	case !solveRE.MatchString(l.Stack):
		return &problem{"stack", fmt.Sprintf("%q is not the name of a stack", l.Stack)}
	}
	if p := table("suites", l.Suites, func(s Suite) (string, string) { return s.Archive + "/" + s.Name, s.wrong() }); p != nil {
		return p
	}
	if p := table("artifacts", l.Artifacts, func(a Artifact) (string, string) { return a.Name, a.wrong() }); p != nil {
		return p
	}
	for _, name := range slices.Sorted(maps.Keys(l.Builds)) {
		if !slices.ContainsFunc(l.Artifacts, func(a Artifact) bool { return path.Base(a.Name) == name }) {
			return &problem{"builds", fmt.Sprintf("%q is not the name of an artifact in the lock", name)}
		}
		if p := table("builds.'"+name+"'", l.Builds[name], func(f BuildFile) (string, string) { return f.Path, f.wrong() }); p != nil {
			return p
		}
	}
	for _, solve := range slices.Sorted(maps.Keys(l.Debs)) {
		if !solveRE.MatchString(solve) {
			return &problem{"debs", fmt.Sprintf("%q is not the name of a solve", solve)}
		}
		place := "debs." + solve
		if strings.Contains(solve, "/") {
			place = "debs.'" + solve + "'"
		}
		if p := table(place, l.Debs[solve], func(d Deb) (string, string) { return d.Name + ":" + d.Arch, d.wrong() }); p != nil {
			return p
		}
	}
	return table("packages", l.Packages, func(p Package) (string, string) {
		return p.Name + " " + p.Version + " " + p.Arch, p.wrong()
	})
}

// table checks each entry, and that no two have one key.
func table[T any](place string, entries []T, look func(T) (key, wrong string)) *problem {
	seen := map[string]bool{}
	for i, e := range entries {
		key, wrong := look(e)
		if wrong == "" && seen[key] {
			wrong = key + " stands there twice"
		}
		if wrong != "" {
			return &problem{fmt.Sprintf("%s[%d]", place, i), wrong}
		}
		seen[key] = true
	}
	return nil
}

func (s Suite) wrong() string {
	return firstOf(
		unless(nameRE.MatchString(s.Archive) && nameRE.MatchString(s.Name), "archive %q, name %q: not a suite of an archive", s.Archive, s.Name),
		unless(textRE.MatchString(s.Codename+s.Version), "%s: codename or version is not plain text", s.Name),
		unless(goodDate(s.Date), "%s: want a date in whole seconds from 1970 to 9999", s.Name),
		badDigest(s.Name, s.SHA256))
}

func (a Artifact) wrong() string {
	return firstOf(
		unless(nameRE.MatchString(a.Name), "%q is not the name of an artifact", a.Name),
		unless(nameRE.MatchString(a.Kind) && textRE.MatchString(a.Version+a.Purl+a.Home), "%s: kind, version, purl or home is not plain text", a.Name),
		unless(a.File == "" || textRE.MatchString(a.File) && path.Base(a.File) == a.File && a.File != "." && a.File != "..", "%s: file %q is not a base name", a.Name, a.File),
		unless(a.Size >= 0, "%s: size %d", a.Name, a.Size),
		badDigest(a.Name, a.SHA256))
}

func (f BuildFile) wrong() string {
	return firstOf(
		unless(poolRE.MatchString(f.Path) && path.Clean(f.Path) == f.Path && !strings.HasPrefix(f.Path, "../"), "%q is not a path below a repository", f.Path),
		unless(f.Size >= 0, "%s: size %d", f.Path, f.Size),
		badDigest(f.Path, f.SHA256))
}

func (d Deb) wrong() string {
	return firstOf(
		badPackage(d.Name, d.Version, d.Arch),
		unless(d.Source == "" || nameRE.MatchString(d.Source) && !strings.Contains(d.Source, "/"), "%s: source %q", d.Name, d.Source),
		unless(d.SourceVersion == "" || versionRE.MatchString(d.SourceVersion), "%s: source version %q", d.Name, d.SourceVersion),
		unless(textRE.MatchString(d.Home), "%s: home is not plain text", d.Name),
		unless(d.Size > 0, "%s: size %d", d.Name, d.Size),
		unless(poolRE.MatchString(d.Filename) && path.Clean(d.Filename) == d.Filename && !strings.HasPrefix(d.Filename, "../"),
			"%s: filename %q is not a path below an archive", d.Name, d.Filename),
		unless(d.Archive == "" || nameRE.MatchString(d.Archive), "%s: archive %q", d.Name, d.Archive),
		badDigest(d.Name, d.SHA256))
}

func (p Package) wrong() string {
	return firstOf(badPackage(p.Name, p.Version, p.Arch), badDigest(p.Name, p.SHA256))
}

func badPackage(name, version, arch string) string {
	return firstOf(
		unless(nameRE.MatchString(name) && !strings.Contains(name, "/"), "%q is not the name of a package", name),
		unless(versionRE.MatchString(version), "%s: %q is not a version", name, version),
		unless(nameRE.MatchString(arch), "%s: %q is not an architecture", name, arch))
}

func badDigest(name, sum string) string {
	return unless(sha256RE.MatchString(sum), "%s: sha256 %q: want 64 lower-case hexadecimal digits", name, sum)
}

// goodDate tells whether t can be written and be SOURCE_DATE_EPOCH.
func goodDate(t time.Time) bool {
	return t.Unix() >= 0 && t.Nanosecond() == 0 && t.UTC().Year() <= 9999
}

func unless(ok bool, format string, args ...any) string {
	if ok {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func firstOf(messages ...string) string {
	for _, m := range messages {
		if m != "" {
			return m
		}
	}
	return ""
}
