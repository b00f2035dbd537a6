package builder

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/report"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/source/maven"
	"github.com/mesos-forge/forge/builder/source/pypi"
	"github.com/mesos-forge/forge/builder/step"
)

// homePage is forge's own.
const homePage = "https://github.com/mesos-forge/forge"

// billLayer is one layer of a role for its bill: the solve that says what is in it, and its tree.
type billLayer struct {
	name        string
	solve, tree *step.Step
	below       []string     // the topmost first
	debs        []*step.Step // that forge made or the operator brings, on top of the solve
}

// billSettings are what goes into a bill besides the trees and the packages.
type billSettings struct {
	Epoch                      int64
	Stack, Version, Role, Arch string
	Packages                   map[string]billPackage // those that are not Debian's, by name
	Tool                       bool                   `json:",omitempty"`
}

// billPackage is what the recipes know about a package and its file does not say.
type billPackage struct {
	Component string
	Origin    publish.Origin
	StandIn   bool
	Licence   string
	Parts     map[string]publish.Part // by COMPONENT/ARTIFACT, without digest
	Programs  []string                // forge's own
	Jars      []publish.Part          `json:",omitempty"` // of forge's own sources
}

// bill returns the step that draws up the list of a role's packages and the SBOM, and measures
// its file trees. A layer comes after those below it.
func (b *Builder) bill(r *recipe.Role, layers ...billLayer) *step.Step {
	set := billSettings{Epoch: b.opt.Epoch.Unix(), Stack: b.stack.Name, Version: b.stack.Version, Role: r.Name, Arch: "amd64", Packages: b.billPackages(r), Tool: r.Runs != nil}
	var needs []step.Ref
	made := map[string]*step.Step{} // what packages are made of, by name
	for _, l := range layers {
		needs = append(needs, l.solve.Out("packages"), l.tree.Out("tree"))
		for _, d := range l.debs {
			needs = append(append(needs, d.Out("deb")), madeOf(d, made)...)
		}
	}
	return &step.Step{Name: "bill/" + r.Name, Kind: "bill", Version: 4, Settings: set, Needs: needs,
		Run: func(ctx context.Context, run *step.Run) error {
			spec := publish.Spec{Stack: set.Stack, Version: set.Version, Role: set.Role, Arch: set.Arch, Epoch: b.opt.Epoch, Tool: set.Tool}
			usage := map[string]report.Folder{}
			for _, l := range layers {
				layer, err := billed(ctx, run, l, set.Packages, made)
				if err != nil {
					return err
				}
				if usage[l.name], err = report.Measure(ctx, layer.Dir); err != nil {
					return err
				}
				spec.Layers = append(spec.Layers, layer)
			}
			bill, refs, err := publish.Collect(spec)
			if err != nil {
				return err
			}
			if err := run.Write("packages", bill.Write); err != nil {
				return err
			}
			if err := run.Write("sbom", func(w io.Writer) error { return bill.WriteSBOM(w, refs) }); err != nil {
				return err
			}
			return run.PutJSON("usage", usage)
		}}
}

// billed reads what was put into a layer.
func billed(ctx context.Context, run *step.Run, l billLayer, known map[string]billPackage, made map[string]*step.Step) (publish.Layer, error) {
	out := publish.Layer{Name: l.name, Below: l.below}
	var err error
	if out.Dir, err = run.Tree(ctx, l.tree.Out("tree")); err != nil {
		return out, err
	}
	var pkgs []apt.Package
	if err := run.JSON(l.solve.Out("packages"), &pkgs); err != nil {
		return out, err
	}
	for _, p := range pkgs {
		row := billRow(p)
		row.Origin = publish.FromDebian
		out.Packages = append(out.Packages, row)
	}
	for _, d := range l.debs {
		row, err := debRow(ctx, run, d, known, made)
		if err != nil {
			return out, err
		}
		out.Packages = append(out.Packages, row)
	}
	return out, nil
}

func billRow(p apt.Package) publish.Package {
	return publish.Package{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Source: p.Source, SourceVersion: p.SourceVersion,
		SHA256: p.Digest.Hex(), Size: p.Size, Purl: p.Purl(), Homepage: p.Homepage}
}

// billPackages returns what the recipes say about the packages of a role that forge makes or that the
// operator brings, by package name.
func (b *Builder) billPackages(r *recipe.Role) map[string]billPackage {
	out := map[string]billPackage{}
	for _, one := range r.Packaged() {
		out[one.PackageName()] = billPackage{Origin: publish.FromForge}
	}
	for _, name := range r.Components {
		c := b.stack.Components[name]
		if own := c.PackageName(); own != "" {
			p := billPackage{Component: name, Origin: publish.FromForge, Licence: c.Licence, Parts: map[string]publish.Part{}, StandIn: b.fileStandsIn(c)}
			b.enter(&p, c, b.atHand(c))
			out[own] = p
		}
		switch {
		case c.Upstream == nil:
		case b.standsIn(c):
			p := billPackage{Component: name, Origin: publish.FromForge, StandIn: true, Licence: c.Upstream.Standin.Licence, Parts: map[string]publish.Part{}}
			b.enter(&p, c, c.Upstream.Standin.Layout)
			out[c.Upstream.Package] = p
		case b.operator[name].Release != "":
			p := billPackage{Component: name, Origin: publish.FromForge, Licence: c.Licence, Parts: map[string]publish.Part{}}
			b.enter(&p, c, c.Upstream.Tarball.Layout)
			key := c.Name + "/" + c.Upstream.Tarball.Artifact
			part := p.Parts[key]
			part.Version = b.operator[name].Release
			part.Purl = "pkg:generic/" + c.Upstream.Package + "@" + part.Version
			p.Parts[key] = part
			out[c.Upstream.Package] = p
		default:
			out[c.Upstream.Package] = billPackage{Component: name, Origin: publish.FromOperator, Licence: c.Licence}
		}
	}
	return out
}

// enter adds what a component's layout takes to a package, and what the layouts that it packs take.
func (b *Builder) enter(p *billPackage, c *recipe.Component, ops []recipe.Operation) {
	for _, op := range ops {
		if op.Program != "" {
			p.Programs = append(p.Programs, op.Program)
		}
		if op.Java != "" {
			p.Jars = append(p.Jars, jarPart(c, op))
		}
		for _, name := range op.Artifacts() {
			p.Parts[c.Name+"/"+name] = b.part(c, name)
		}
		if packed := b.stack.Components[op.Pack]; packed != nil {
			b.enter(p, packed, b.atHand(packed))
		}
	}
}

// part describes an artifact of a component as this build has it.
func (b *Builder) part(c *recipe.Component, name string) publish.Part {
	if slices.Contains(b.files[c.Name].standIns, name) {
		return standInPart(c, name)
	}
	part := partOf(c, name)
	if b.pins.isBuilt(name, c.Artifacts[name]) {
		part.Version, part.Purl = b.opt.Builds[name].Commit, b.pins.buildPurl(name)
	}
	return part
}

// partOf describes an artifact of a component by the coordinates of its first Maven or PyPI source, or else
// by the component's name and version.
func partOf(c *recipe.Component, name string) publish.Part {
	a := c.Artifacts[name]
	part := publish.Part{Name: name, Version: c.Version, Purl: "pkg:generic/" + c.Name + "-" + name + "@" + c.Version, Licence: a.Licence}
	if part.Licence == "" {
		part.Licence = c.Licence
	}
	for _, s := range a.Sources {
		if req, err := pypi.Parse(s.PyPI); err == nil {
			part.Name, part.Version, part.Purl = req.Name, req.Version, req.Purl()
			break
		}
		if co, err := maven.Parse(s.Maven); err == nil {
			part.Name, part.Version, part.Purl = co.Group+":"+co.Artifact, co.Version, co.Purl()
			break
		}
	}
	return part
}

// jarPart describes a jar of a recipe's own sources by its package, whose version it has.
func jarPart(c *recipe.Component, op recipe.Operation) publish.Part {
	name, version := filepath.Base(op.To), c.PackageVersion()
	return publish.Part{Name: name, File: name, Version: version, Purl: "pkg:generic/" + c.PackageName() + "/" + name + "@" + version, Licence: "Apache-2.0"}
}

// standInPart describes what forge made in place of an artifact.
func standInPart(c *recipe.Component, name string) publish.Part {
	version := c.Version + "~standin"
	return publish.Part{Name: "stand-in of " + name, Version: version, Purl: "pkg:generic/forge-standin-" + c.Name + "-" + name + "@" + version, Licence: "Apache-2.0"}
}

// parts returns the artifacts in a package, also in archives that lie in it, with their digests, and the modules that its programs
// are linked from.
func parts(run *step.Run, k billPackage, made map[string]*step.Step) ([]publish.Part, error) {
	var out []publish.Part
	files := map[string]map[string]fetched{} // by component
	for _, name := range sortedNames(k.Parts) {
		component, artifact, _ := strings.Cut(name, "/")
		if files[component] == nil {
			sources := made["sources/"+component]
			if sources == nil {
				return nil, fmt.Errorf("artifact %s: no step of the build fetched it", name)
			}
			of := map[string]fetched{}
			if err := run.JSON(sources.Out("files"), &of); err != nil {
				return nil, err
			}
			files[component] = of
		}
		f, part := files[component][artifact], k.Parts[name]
		part.SHA256, part.Size, part.File = f.Digest.Hex(), f.Size, filepath.Base(f.File)
		out = append(out, part)
	}
	out = append(out, k.Jars...)
	for _, name := range k.Programs {
		path, err := run.Blob(made["program/"+name].Out("program"))
		if err != nil {
			return nil, err
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("program %s: %w", name, err)
		}
		out = append(out, modules(info)...)
	}
	return out, nil
}

// modules returns what a Go program is linked from: the standard library and its modules.
func modules(info *buildinfo.BuildInfo) []publish.Part {
	version := strings.TrimPrefix(info.GoVersion, "go")
	out := []publish.Part{{Name: "std", Version: version, Purl: "pkg:golang/std@" + version, Licence: "BSD-3-Clause"}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, publish.Part{Name: m.Path, Version: m.Version, Purl: "pkg:golang/" + strings.ToLower(m.Path) + "@" + m.Version, Licence: publish.NoAssertion})
	}
	return out
}
