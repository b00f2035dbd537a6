package builder

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

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
	return nil
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

// hadoopMesos reads the version of the operator's jar from its name.
func hadoopMesos(vendor *file.Folder, a recipe.Artifact, at map[string]versionAtHand) error {
	_, found, err := matches(vendor, a)
	if err != nil {
		return err
	}
	for _, f := range found {
		if m := jarVersion.FindStringSubmatch(filepath.Base(f)); m != nil {
			at["hadoop-mesos"] = versionAtHand{m[1], f}
		}
	}
	return nil
}
