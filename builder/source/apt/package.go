package apt

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/store"
)

// Package is one binary package that a solve asks for.
type Package struct {
	Name          string       `json:"name"`
	Version       string       `json:"version"`
	Architecture  string       `json:"architecture"` // "amd64", "all"
	Source        string       `json:"source"`
	SourceVersion string       `json:"source_version"`
	Digest        store.Digest `json:"digest"`
	Size          int64        `json:"size"` // bytes
	// Filename is the path below the archive's URI, such as pool/main/h/hello/hello_2.10-3_amd64.deb.
	// Empty for a local package.
	Filename string `json:"filename,omitempty"`
	Archive  string `json:"archive,omitempty"` // name of the Archive; empty: not known, or local
	Local    string `json:"local,omitempty"`   // path of a package given in Request.LocalDebs

	Essential bool   `json:"essential,omitempty"`
	MultiArch string `json:"multi_arch,omitempty"`
	Priority  string `json:"priority,omitempty"`
	Section   string `json:"section,omitempty"`
	Homepage  string `json:"homepage,omitempty"`
	// Auto tells that no request named it: it is there because another package needs it.
	Auto bool `json:"auto,omitempty"`
}

// String returns name=version.
func (p Package) String() string { return p.Name + "=" + p.Version }

// File returns the name that dpkg gives the package's file, the epoch's colon as %3a
// (as apt names it in its cache).
func (p Package) File() string {
	return p.Name + "_" + strings.ReplaceAll(p.Version, ":", "%3a") + "_" + p.Architecture + ".deb"
}

// Purl returns the package URL (package-url specification, type deb).
func (p Package) Purl() string {
	esc := strings.NewReplacer("+", "%2B", ":", "%3A", "~", "~")
	return fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s", esc.Replace(p.Name), esc.Replace(p.Version), p.Architecture)
}

var (
	// Debian policy 5.6.1 and 5.6.12.
	nameRE    = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	versionRE = regexp.MustCompile(`^([0-9]+:)?[A-Za-z0-9][A-Za-z0-9.+~-]*$`)
)

// packageOf makes a Package of a paragraph of an index, or of a .deb's control file (which has
// no Filename, Size and SHA256).
func packageOf(p paragraph) (Package, error) {
	out := Package{
		Name: p.get("Package"), Version: p.get("Version"), Architecture: p.get("Architecture"),
		Filename:  p.get("Filename"),
		Essential: p.get("Essential") == "yes", MultiArch: p.get("Multi-Arch"),
		Priority: p.get("Priority"), Section: p.get("Section"), Homepage: p.get("Homepage"),
	}
	if !nameRE.MatchString(out.Name) || !versionRE.MatchString(out.Version) || !nameRE.MatchString(out.Architecture) {
		return out, fmt.Errorf("package %q version %q architecture %q: not valid (Debian policy, 5.6)", out.Name, out.Version, out.Architecture)
	}
	// Source: NAME [(VERSION)]; absent where both are those of the package.
	out.Source, out.SourceVersion = out.Name, out.Version
	if f := p.words("Source"); len(f) > 0 {
		out.Source = f[0]
		if len(f) > 1 {
			out.SourceVersion = strings.Trim(f[1], "()")
		}
	}
	return out, nil
}

// indexed completes packageOf with the fields that only an index has.
func indexed(p paragraph) (Package, error) {
	out, err := packageOf(p)
	if err != nil {
		return out, err
	}
	if out.Size, err = strconv.ParseInt(p.get("Size"), 10, 64); err != nil || out.Size <= 0 {
		return out, fmt.Errorf("package %s: size %q", out, p.get("Size"))
	}
	if out.Digest, err = store.ParseDigest(p.get("SHA256")); err != nil {
		return out, fmt.Errorf("package %s: SHA256: %w", out, err)
	}
	return out, checkPool(out.Filename)
}

var poolRE = regexp.MustCompile(`^[A-Za-z0-9+~_%:.-]+(/[A-Za-z0-9+~_%:.-]+)*$`)

// checkPool refuses a Filename that leaves the archive.
func checkPool(name string) error {
	if !poolRE.MatchString(name) {
		return fmt.Errorf("file name %q is not a path below an archive", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == ".." {
			return errors.New("file name " + strconv.Quote(name) + " leaves the archive")
		}
	}
	return nil
}
