package builder

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/publish"
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
	return &step.Step{Name: name, Kind: "deb-bill", Version: 1, Settings: set, Needs: needs,
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
