package builder

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// debSettings are what goes into a package besides the recipe and the files of the checkout.
type debSettings struct {
	Maintainer string
	StandIn    bool     // the manifest says that a stand-in takes the upstream package's place
	Packages   []string // "NAME VERSION" of the package and of those that it depends on exactly
}

func (b *Builder) debSettings(standIn bool, self string, components []string) debSettings {
	set := debSettings{Maintainer: b.stack.Maintainer, StandIn: standIn, Packages: []string{self}}
	for _, name := range components {
		c := b.stack.Components[name]
		set.Packages = append(set.Packages, c.PackageName()+" "+c.PackageVersion())
	}
	return set
}

// debs returns the steps that make the packages of a role.
func (b *Builder) debs(r *recipe.Role) []*step.Step {
	var out []*step.Step
	for _, name := range r.Components {
		c := b.stack.Components[name]
		if c.Upstream != nil {
			out = append(out, b.once("deb/"+c.Upstream.Package, func(step string) *step.Step { return b.upstream(step, c) }))
		}
		if c.PackageName() != "" {
			out = append(out, b.once("deb/"+c.PackageName(), func(step string) *step.Step {
				set := b.debSettings(b.standsIn(c), c.PackageName()+" "+c.PackageVersion(), c.Requires)
				return b.deb(step, b.layout(c.Dir, c.Layout, b.artifacts(c)), b.stack.ComponentInputs(c.Name), set,
					func(in deb.Inputs) (deb.Spec, error) { return deb.ForComponent(in, c, b.standsIn(c)) })
			}))
		}
	}
	return append(out, b.once("deb/"+r.PackageName(), func(step string) *step.Step {
		set := b.debSettings(false, r.PackageName()+" "+b.stack.RoleVersion(r), r.Components)
		return b.deb(step, layout{}, b.stack.RoleInputs(r.Name), set,
			func(in deb.Inputs) (deb.Spec, error) { return deb.ForRole(in, r) })
	}))
}

// standsIn tells whether a stand-in takes the place of the component's upstream package: the
// operator's file, if there is one, comes first.
func (b *Builder) standsIn(c *recipe.Component) bool {
	return c.Upstream != nil && c.Upstream.Standin != nil && b.operatorFile(c) == ""
}

// operatorFile returns the operator's package of a component, or "".
func (b *Builder) operatorFile(c *recipe.Component) string {
	for _, s := range c.Artifacts[c.Upstream.Artifact].Sources {
		if s.File == "" || b.opt.Vendor == "" {
			continue
		}
		if found, _ := filepath.Glob(filepath.Join(b.opt.Vendor, s.File)); len(found) > 0 {
			return found[len(found)-1] // of several, the last by name, as Glob sorts them
		}
	}
	return ""
}

func (b *Builder) standIns(r *recipe.Role) []string {
	var out []string
	for _, name := range r.Components {
		if c := b.stack.Components[name]; b.standsIn(c) {
			out = append(out, c.Upstream.Package)
		}
	}
	return out
}

// upstream returns the step for a package that keeps its upstream's name: the operator's file
// as it is, or the stand-in.
func (b *Builder) upstream(name string, c *recipe.Component) *step.Step {
	if path := b.operatorFile(c); path != "" {
		return b.operatorDeb(name, c, path)
	}
	s := c.Upstream.Standin
	set := struct {
		debSettings
		Homepage string
		Dirs     []node.Dir
	}{b.debSettings(true, c.Upstream.Package+" "+s.Version, nil), c.Homepage, c.Dirs}
	return b.deb(name, b.layout(c.Dir, s.Layout, nil), b.stack.StandinInputs(c.Name), set,
		func(in deb.Inputs) (deb.Spec, error) { return deb.ForStandin(in, c) })
}

func (b *Builder) operatorDeb(name string, c *recipe.Component, path string) *step.Step {
	in := map[string]store.Digest{}
	if f, err := os.Open(path); err == nil {
		in[filepath.Base(path)], _, _ = store.DigestReader(f)
		f.Close()
	}
	return &step.Step{Name: name, Kind: "operator-deb", Version: 1, Settings: filepath.Base(path), Inputs: in,
		Run: func(ctx context.Context, r *step.Run) error {
			vendor := file.Open(b.opt.Vendor)
			defer vendor.Close()
			a := source.Artifact{Name: c.Upstream.Artifact, File: filepath.Base(path), Digest: in[filepath.Base(path)]}
			a.Known = known(c.Artifacts[c.Upstream.Artifact])
			res, err := vendor.Fetch(ctx, a, b.store)
			if err != nil {
				return err
			}
			r.PutBlob("deb", res.Digest, res.Size)
			return r.PutJSON("info", deb.Result{Filename: res.File})
		}}
}

// layout joins a recipe's operations with the steps that they need.
func (b *Builder) layout(dir string, ops []recipe.Operation, artifacts *step.Step) layout {
	l := layout{ops: ops, dir: dir, artifacts: artifacts, programs: map[string]*step.Step{}}
	for _, op := range ops {
		if op.Program != "" {
			l.programs[op.Program] = b.program(op.Program)
		}
	}
	return l
}

// deb returns the step that makes one package; spec says what is in it.
func (b *Builder) deb(name string, l layout, in []recipe.Input, settings any, spec func(deb.Inputs) (deb.Spec, error)) *step.Step {
	s := &step.Step{Name: name, Kind: "deb", Version: 3, Settings: settings, Inputs: digests(in), Needs: l.needs()}
	s.Run = func(ctx context.Context, r *step.Run) error {
		inputs := deb.Inputs{Stack: b.stack, Checkout: b.opt.Checkout, TempDir: r.Dir}
		if len(l.ops) > 0 {
			inputs.Tree = filepath.Join(r.Dir, "tree")
			if err := b.layOut(ctx, r, inputs.Tree, l); err != nil {
				return err
			}
		}
		sp, err := spec(inputs)
		if err != nil {
			return err
		}
		date, err := sp.Date()
		if err != nil {
			return err
		}
		var res deb.Result
		err = r.Write("deb", func(w io.Writer) (err error) {
			res, err = deb.Build(ctx, sp, date, w)
			return err
		})
		if err != nil {
			return err
		}
		return r.PutJSON("info", res)
	}
	return s
}

// digests turns what a recipe names into inputs of a step.
func digests(in []recipe.Input) map[string]store.Digest {
	out := map[string]store.Digest{}
	for _, i := range in {
		out[i.Name] = store.Digest("sha256:" + i.SHA256)
	}
	return out
}
