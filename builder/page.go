package builder

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/report"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// placeReport writes the report. One that speaks of the same results stays when nothing had to be
// done: it is the one that says how they were made.
func (b *Builder) placeReport(ctx context.Context, p *placer, roles []role, done map[string]step.Done, started time.Time, res *Result) error {
	made, err := json.Marshal(res.Roles)
	if err != nil {
		return err
	}
	if res.Ran > 0 {
		delete(p.results, ReportName)
	}
	return p.text(ReportName, store.DigestOf(made), func(w io.Writer) (err error) {
		d := report.Data{Stack: b.stack.Name, Version: b.stack.Version, Summary: b.stack.Summary,
			Distribution: fmt.Sprintf("%s %s (%s)", b.stack.Distribution.ID, b.stack.Distribution.Version, b.stack.Distribution.Suite),
			Epoch:        b.opt.Epoch, Started: started, Took: time.Since(started), Steps: pageSteps(done, started)}
		for i, r := range roles {
			page, err := b.pageRole(r, done, res.Roles[i])
			if err != nil {
				return err
			}
			d.Roles = append(d.Roles, page)
			d.Next = append(d.Next, nextCommands(r, len(page.StandIns) > 0)...)
		}
		if d.Changes, err = p.pageChanges(ctx, roles); err != nil {
			return err
		}
		return report.Write(w, d)
	})
}

func nextCommands(r role, standIns bool) []report.Command {
	var out []report.Command
	if r.disks != nil {
		out = append(out, report.Command{What: "Boot the disk in a virtual machine", Line: "forge boot --role " + r.name})
	}
	if r.image == nil {
		return append(out, report.Command{What: "Build the image and the disk as well", Line: "forge build --role " + r.name})
	}
	push := "forge push REGISTRY/NAME:TAG --role " + r.name
	if standIns {
		push += " --allow-standins"
	}
	return append(out, report.Command{What: "Put the image into the local Docker engine", Line: "forge load --role " + r.name},
		report.Command{What: "Put the image into a registry", Line: push})
}

func pageSteps(done map[string]step.Done, started time.Time) []report.Step {
	var out []report.Step
	for _, name := range sortedNames(done) {
		d := done[name]
		s := report.Step{Name: name, Kind: d.Kind, Hit: d.Hit, Took: d.Duration, Made: d.Started}
		if !d.Hit {
			s.Offset = d.Started.Sub(started)
		}
		out = append(out, s)
	}
	return out
}

func (b *Builder) pageRole(r role, done map[string]step.Done, res RoleResult) (report.Role, error) {
	recipe, err := b.stack.Role(r.name)
	if err != nil {
		return report.Role{}, err
	}
	out := report.Role{Name: r.name, Summary: recipe.Summary, Image: res.Digest}
	for _, name := range recipe.Components {
		c := b.stack.Components[name]
		out.Components = append(out.Components, report.Component{Name: name, Version: c.Version, Summary: c.Summary, Homepage: c.Homepage, StandIn: b.standsIn(c) || b.fileStandsIn(c)})
	}
	for _, s := range res.Wanted {
		out.StandIns = append(out.StandIns, report.StandIn{Package: s.Package, Version: s.Version, Summary: s.Summary, Want: s.File, Vendor: b.opt.Vendor})
	}
	out.Results = pageResults(res)
	if len(res.Disks) > 0 {
		out.DiskSize = res.Size(res.Disks[0])
	}
	if r.image == nil {
		return out, nil
	}
	return out, b.pageImage(&out, r, done)
}

// pageImage adds what is in a role's image and disk.
func (b *Builder) pageImage(out *report.Role, r role, done map[string]step.Done) error {
	var bill publish.Bill
	var usage map[string]report.Folder
	var image imageRecord
	outputs := done[r.bill.Name].Outputs
	if err := cmp.Or(b.readJSON(outputs["packages"].Digest, &bill), b.readJSON(outputs["usage"].Digest, &usage),
		b.readJSON(done[r.image.Name].Outputs["image"].Digest, &image)); err != nil {
		return err
	}
	count := map[string]int{}
	for _, p := range bill.Packages {
		for _, l := range p.Layers {
			count[l]++
		}
		out.Packages = append(out.Packages, report.Package{Name: p.Name, Version: p.Version, Licence: p.Licence, Layer: p.Layers[0],
			Installed: p.InstalledSize, Deb: p.Size, StandIn: p.StandIn})
	}
	in := map[string]string{publish.LayerBase: "image and the disk", publish.LayerRole: "image and the disk", publish.LayerContainer: "image", publish.LayerBoot: "disk"}
	for i, name := range []string{publish.LayerBase, publish.LayerRole, publish.LayerContainer, publish.LayerBoot} {
		tree, made := usage[name]
		if !made {
			continue
		}
		l := report.Layer{Name: name, In: in[name], Packages: count[name], Tree: tree}
		if r.disks == nil {
			l.In = "image"
		}
		if i < len(image.Layers) { // the layers of the image, in this order
			l.Compressed, l.Digest = image.Layers[i].Size, image.Layers[i].Digest
			out.ImageSize += l.Compressed
		}
		out.Layers = append(out.Layers, l)
	}
	return nil
}

// pageResults lists a role's results, the image as one.
func pageResults(res RoleResult) []report.File {
	var out []report.File
	if res.Image != "" {
		out = append(out, report.File{Path: res.Image + "/", Size: res.Size(res.Image), Digest: res.Digest})
	}
	for _, f := range res.Files {
		if in, err := filepath.Rel(res.Image, f.Path); res.Image != "" && err == nil && filepath.IsLocal(in) {
			continue
		}
		out = append(out, report.File{Path: f.Path, Size: f.Size, Digest: string(f.Digest)})
	}
	slices.SortFunc(out, func(a, b report.File) int { return cmp.Compare(a.Path, b.Path) })
	return out
}
