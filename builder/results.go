package builder

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// The results that all roles share, below the output folder.
const (
	ReportName = "report.html"
	SumsName   = "SHA256SUMS"
)

// ResultFile is a file in the output folder.
type ResultFile struct {
	Path   string       `json:"path"` // below the output folder
	Size   int64        `json:"size"` // bytes
	Digest store.Digest `json:"digest"`
}

// Wanted is a package that a stand-in takes the place of.
type Wanted struct {
	Package string `json:"package"`
	Version string `json:"version"` // of the stand-in
	Summary string `json:"summary"`
	File    string `json:"file,omitempty"` // what the operator's file must be called: "mesos_1.*_amd64.deb"
}

// Size returns how large the results at the given paths are together, in bytes: files, and folders
// with all that is in them.
func (r RoleResult) Size(paths ...string) (sum int64) {
	for _, f := range r.Files {
		if slices.ContainsFunc(paths, func(p string) bool { return f.Path == p || strings.HasPrefix(f.Path, p+"/") }) {
			sum += f.Size
		}
	}
	return sum
}

// placeAll brings the results of the roles into the output folder, the sums over them last.
func (b *Builder) placeAll(ctx context.Context, roles []role, done map[string]step.Done, started time.Time, res *Result) (err error) {
	p, err := openPlacer(ctx, b.opt.Out, b.store)
	if err != nil {
		return err
	}
	defer p.close()
	for _, r := range roles {
		rr, err := b.place(ctx, p, r, done)
		if err != nil {
			return fmt.Errorf("role %s: %w", r.name, err)
		}
		res.Roles = append(res.Roles, rr)
	}
	if err := p.retire(b.opt.Roles); err != nil {
		return err
	}
	var sums bytes.Buffer
	if err := publish.WriteSums(&sums, p.sums()); err != nil {
		return err
	}
	res.Written = p.written
	if err := b.placeReport(ctx, p, roles, done, started, res); err != nil {
		return err
	}
	err = p.text(SumsName, store.DigestOf(sums.Bytes()), func(w io.Writer) error {
		_, err := w.Write(sums.Bytes())
		return err
	})
	res.Report, res.Sums, res.Duration = ReportName, SumsName, time.Since(started)
	return err
}

// place puts the results of a role into the output folder.
func (b *Builder) place(ctx context.Context, p *placer, r role, done map[string]step.Done) (RoleResult, error) {
	res := RoleResult{Role: r.name, Lock: filepath.Join(r.name, lockFile)}
	for i, s := range r.debs {
		var info deb.Result
		d := done[s.Name]
		if err := b.readJSON(d.Outputs["info"].Digest, &info); err != nil {
			return res, err
		}
		rel := filepath.Join("debs", info.Filename)
		if err := p.file(ctx, r.name, rel, d.Outputs["deb"].Digest); err != nil {
			return res, err
		}
		res.Debs = append(res.Debs, rel)
		if err := p.file(ctx, r.name, rel+SBOMSuffix, done[r.sboms[i].Name].Outputs["sbom"].Digest); err != nil {
			return res, err
		}
	}
	outputs := map[string]step.Output{res.Lock: done[r.lock.Name].Outputs["lock"]}
	if r.image != nil {
		var err error
		res.Image = filepath.Join(r.name, "image")
		if res.Digest, err = b.placeImage(ctx, p, r, done[r.image.Name].Outputs["image"].Digest, res.Image); err != nil {
			return res, err
		}
		res.Packages, res.SBOM = filepath.Join(r.name, "packages.json"), filepath.Join(r.name, "sbom.spdx.json")
		outputs[res.Packages], outputs[res.SBOM] = done[r.bill.Name].Outputs["packages"], done[r.bill.Name].Outputs["sbom"]
	}
	if r.disks != nil {
		for _, format := range b.opt.Formats {
			rel := filepath.Join(r.name, "disk."+string(format))
			outputs[rel] = done[r.disks[format].Name].Outputs["disk"]
			res.Disks = append(res.Disks, rel)
		}
	}
	for _, rel := range sortedNames(outputs) {
		if err := p.file(ctx, r.name, rel, outputs[rel].Digest); err != nil {
			return res, err
		}
	}
	if err := b.placeProvenance(ctx, p, &res); err != nil {
		return res, err
	}
	recipe, err := b.stack.Role(r.name)
	if err != nil {
		return res, err
	}
	res.StandIns, res.Wanted, res.Files = b.standIns(recipe), b.wanted(recipe), p.files(r.name)
	if r.bill != nil {
		var bill publish.Bill
		err = b.readJSON(done[r.bill.Name].Outputs["packages"].Digest, &bill)
		res.StandIns, res.Contents = bill.StandIns, len(bill.Packages)
	}
	return res, err
}

// files lists what this build placed for a role, sorted by path.
func (p *placer) files(role string) []ResultFile {
	var out []ResultFile
	for rel, r := range p.results {
		if !p.claimed[rel] || !slices.Contains(r.Roles, role) {
			continue
		}
		for name, f := range r.Files {
			out = append(out, ResultFile{name, f.Size, f.Digest})
		}
	}
	slices.SortFunc(out, func(a, b ResultFile) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// wanted lists the packages that stand-ins take the place of.
func (b *Builder) wanted(r *recipe.Role) []Wanted {
	var out []Wanted
	for _, name := range r.Components {
		c := b.stack.Components[name]
		for _, artifact := range b.files[name].standIns {
			a := c.Artifacts[artifact]
			w := Wanted{Package: c.PackageName(), Version: c.StandinVersion(), Summary: "holds a stand-in of " + a.Standin.File}
			for _, from := range a.Sources {
				w.File = cmp.Or(w.File, from.File)
			}
			out = append(out, w)
		}
		if !b.standsIn(c) {
			continue
		}
		w := Wanted{Package: c.Upstream.Package, Version: c.Upstream.Standin.Version, Summary: c.Upstream.Standin.Summary}
		for _, from := range c.Artifacts[c.Upstream.Artifact].Sources {
			w.File = cmp.Or(w.File, from.File)
		}
		if t := c.Upstream.Tarball; t != nil {
			w.File += " or " + c.Artifacts[t.Artifact].Sources[0].File
		}
		out = append(out, w)
	}
	return out
}

func (b *Builder) readJSON(d store.Digest, v any) error {
	path, err := b.store.BlobPath(d)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// placeImage puts the OCI layout together and returns the digest of its manifest.
func (b *Builder) placeImage(ctx context.Context, p *placer, r role, d store.Digest, rel string) (string, error) {
	return p.place(result{role: r.name, path: rel, from: d, make: func(tmp string) (string, error) {
		var rec imageRecord
		if err := b.readJSON(d, &rec); err != nil {
			return "", err
		}
		for i := range rec.Layers {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			path, err := b.store.BlobPath(store.Digest(rec.Layers[i].Digest))
			if err != nil {
				return "", fmt.Errorf("layer %d: %w", i+1, err)
			}
			rec.Layers[i].Path = path
		}
		return oci.WriteLayout(tmp, rec.Layers, rec.Config)
	}})
}
