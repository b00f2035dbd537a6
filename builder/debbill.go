package builder

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/step"
)

// SBOMSuffix comes after the name of a package's file, for the file that says what is in it.
const SBOMSuffix = ".spdx.json"

// debBills returns the steps that draw up the SBOMs of packages, in their order; known is what the recipes
// say about them, by package name.
func (b *Builder) debBills(debs []*step.Step, known map[string]billPackage) []*step.Step {
	var out []*step.Step
	for _, d := range debs {
		out = append(out, b.once("sbom/"+d.Name, func(name string) *step.Step { return b.debBill(name, d, known) }))
	}
	return out
}

func (b *Builder) debBill(name string, d *step.Step, known map[string]billPackage) *step.Step {
	own, made := strings.TrimPrefix(d.Name, "deb/"), map[string]*step.Step{}
	set := struct {
		Created int64
		Package billPackage
	}{b.date().Unix(), known[own]}
	needs := append([]step.Ref{d.Out("deb")}, madeOf(d, made)...)
	ours := set.Package.Origin == publish.FromForge
	if ours {
		needs = append(needs, d.Out("copyright"))
	}
	return &step.Step{Name: name, Kind: "deb-bill", Version: 2, Settings: set, Needs: needs,
		Run: func(ctx context.Context, run *step.Run) error {
			row, err := debRow(ctx, run, d, map[string]billPackage{own: set.Package}, made)
			if err != nil {
				return err
			}
			var refs []publish.Extracted
			if ours {
				if refs, err = readLicence(run, d, &row); err != nil {
					return err
				}
			}
			return run.Write("sbom", func(w io.Writer) error { return row.WriteSBOM(w, time.Unix(set.Created, 0), refs) })
		}}
}

// readLicence takes a package's licence from the copyright file that forge put into it.
func readLicence(run *step.Run, d *step.Step, p *publish.Package) ([]publish.Extracted, error) {
	path, err := run.Blob(d.Out("copyright"))
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var refs []publish.Extracted
	p.Licence, refs, err = publish.ParseCopyright(content, p.Source)
	return refs, err
}

// date is the time of everything in the results; where nothing says it, that of the recipes' newest change.
func (b *Builder) date() time.Time {
	if b.opt.Epoch.IsZero() {
		return newestChange(b.stack)
	}
	return b.opt.Epoch
}

// debRow describes a package that no archive has.
func debRow(ctx context.Context, run *step.Run, d *step.Step, known map[string]billPackage, made map[string]*step.Step) (publish.Package, error) {
	p, err := debFields(ctx, run, d)
	if err != nil {
		return publish.Package{}, err
	}
	row, k := billRow(p), known[p.Name]
	row.Origin, row.StandIn, row.Licence, row.Purl = k.Origin, k.StandIn, k.Licence, ownPurl(p, k.Origin)
	if row.Homepage == "" && k.Origin == publish.FromForge {
		row.Homepage = homePage
	}
	if row.Contains, err = parts(run, k, made); err != nil {
		return row, fmt.Errorf("package %s: %w", p.Name, err)
	}
	return row, nil
}

// madeOf are the outputs that a package is made of and that made does not have yet. It enters their steps
// there, by name.
func madeOf(d *step.Step, made map[string]*step.Step) (needs []step.Ref) {
	for _, ref := range d.Needs {
		if made[ref.Step.Name] == nil && (ref.Output == "files" || ref.Output == "program") {
			needs = append(needs, ref)
			made[ref.Step.Name] = ref.Step
		}
	}
	return needs
}

// debFields reads what a package that no archive has says about itself.
func debFields(ctx context.Context, run *step.Run, d *step.Step) (apt.Package, error) {
	out, err := run.Digest(d.Out("deb"))
	if err != nil {
		return apt.Package{}, err
	}
	path, err := run.Blob(d.Out("deb"))
	if err != nil {
		return apt.Package{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return apt.Package{}, err
	}
	defer f.Close()
	file, err := archive.OpenDeb(ctx, f, out.Size, archive.DebOptions{Name: d.Name})
	if err != nil {
		return apt.Package{}, err
	}
	field := file.Control.Get
	return apt.Package{Name: field("Package"), Version: field("Version"), Architecture: field("Architecture"), Source: field("Package"),
		SourceVersion: field("Version"), Digest: out.Digest, Size: out.Size, Homepage: field("Homepage")}, nil
}

// ownPurl names a package that is in none of Debian's archives: one that forge made, or the operator's
// file, of which nothing but its content is known.
func ownPurl(p apt.Package, origin publish.Origin) string {
	name := strings.TrimPrefix(p.Purl(), "pkg:deb/debian/")
	if origin == publish.FromOperator {
		name, _, _ = strings.Cut(name, "?")
		return "pkg:generic/" + name + "?checksum=sha256:" + p.Digest.Hex()
	}
	return "pkg:deb/mesos-forge/" + name
}
