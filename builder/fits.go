package builder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/fit"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/file"
)

// fitRule is the rule that [Builder.checkFits] holds the operator's files to; Options.Accept lets it be broken.
const fitRule = "F25"

// jarVersion is in the name of an operator's hadoop-mesos.
var jarVersion = regexp.MustCompile(`^hadoop-mesos-([0-9]+(?:\.[0-9]+)+)[^/]*\.jar$`)

// cdhVersion is in the version of a component that CDH has.
var cdhVersion = regexp.MustCompile(`cdh([0-9]+(?:\.[0-9]+)+)`)

// versionAtHand is which version of a software goes into a build.
type versionAtHand struct {
	version string
	from    string // the operator's file; "": the recipe
}

// checkFits refuses versions of the operator's files that don't go together, or not with what the stack has. What
// the recipes alone pair is lint's to say.
func (b *Builder) checkFits() error {
	if slices.Contains(b.opt.Accept, fitRule) {
		return nil
	}
	at, err := b.versionsAtHand()
	if err != nil {
		return err
	}
	for _, software := range []string{"marathon", "hadoop-mesos", "spark"} {
		for _, other := range []string{"mesos", "cdh"} {
			ours, theirs := at[software], at[other]
			if ours.version == "" || theirs.version == "" || ours.from == "" && theirs.from == "" {
				continue
			}
			if message, hint := fit.Unfit(software, ours.version, other, theirs.version); message != "" {
				var files []string
				for _, f := range []string{ours.from, theirs.from} {
					if f != "" {
						files = append(files, filepath.Join(b.opt.Vendor, f))
					}
				}
				return fmt.Errorf("%s: %s [%s]: %s, or if it is meant so, write accept: [%s] into forge.yaml", strings.Join(files, ", "), message, fitRule, hint, fitRule)
			}
		}
	}
	return b.checkLibrary(at)
}

// versionsAtHand are the versions of the components of this build, by software.
func (b *Builder) versionsAtHand() (map[string]versionAtHand, error) {
	vendor := file.Open(b.opt.Vendor)
	defer vendor.Close()
	at := map[string]versionAtHand{}
	for _, name := range sortedNames(b.files) {
		c := b.stack.Components[name]
		at[name] = versionAtHand{version: c.Version}
		if m := cdhVersion.FindStringSubmatch(c.Version); m != nil {
			at["cdh"] = versionAtHand{version: m[1]}
		}
		if o := b.operator[name]; o != nil {
			if m := upstreamVersion.FindStringSubmatch(o.Version); m != nil {
				at[name] = versionAtHand{m[1], o.Filename}
			}
		}
		if a, ok := c.Artifacts["hadoop-mesos"]; ok {
			if err := hadoopMesos(vendor, a, at); err != nil {
				return nil, err
			}
		}
	}
	return at, nil
}

// hadoopMesos reads the version of the operator's jar from its name, and that of the Mesos library in it, where
// it holds one, from what Maven put beside it.
func hadoopMesos(vendor *file.Folder, a recipe.Artifact, at map[string]versionAtHand) error {
	_, found, err := matches(vendor, a)
	if err != nil {
		return err
	}
	for _, f := range found {
		m := jarVersion.FindStringSubmatch(filepath.Base(f))
		if m == nil {
			continue
		}
		at["hadoop-mesos"] = versionAtHand{m[1], f}
		library, err := mesosLibrary(vendor, f)
		if err != nil {
			return err
		}
		at[libraryOf] = versionAtHand{library, f}
	}
	return nil
}

// libraryOf is the Mesos library in the operator's hadoop-mesos, among versions at hand.
const libraryOf = "mesos in hadoop-mesos"

// mesosLibrary is the version of the Mesos library that a jar holds, "" if it holds none or does not say.
func mesosLibrary(vendor *file.Folder, name string) (string, error) {
	f, err := vendor.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	member, err := archive.OpenZipMember(f, info.Size(), name, "META-INF/maven/org.apache.mesos/mesos/pom.properties", maxProperties)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s is no library of Java: %w", filepath.Join(vendor.String(), name), err)
	}
	defer member.Close()
	text, err := io.ReadAll(member)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(line, "version="); ok {
			return strings.TrimSpace(version), nil
		}
	}
	return "", nil
}

// maxProperties is the most of a pom.properties that is read, in bytes.
const maxProperties = 64 << 10

// checkLibrary refuses a hadoop-mesos that holds the library of another Mesos: the two talk to each other in the
// words of one release.
func (b *Builder) checkLibrary(at map[string]versionAtHand) error {
	in, mesos := at[libraryOf], at["mesos"]
	if in.version == "" || mesos.version == "" || fit.Compare(in.version, minor(mesos.version)) == 0 {
		return nil
	}
	return fmt.Errorf("%s: it holds the library of Mesos %s, and the Mesos beside it is %s [%s]: build it with that version in its pom, or if it is meant so, write accept: [%s] into forge.yaml",
		filepath.Join(b.opt.Vendor, in.from), in.version, mesos.version, fitRule, fitRule)
}

// minor cuts a version after its second number.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
