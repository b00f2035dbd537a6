package builder

import (
	"context"
	"io"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// debSettings are what goes into a package besides the recipe and the files of the checkout.
type debSettings struct {
	Maintainer string
	Packages   []string // "NAME VERSION" of the package and of those that it depends on exactly
	Compilers  []string `json:",omitempty"` // of sources of Java
}

func (b *Builder) debSettings(self string, components []string) debSettings {
	set := debSettings{Maintainer: b.stack.Maintainer, Packages: []string{self}}
	for _, name := range components {
		c := b.stack.Components[name]
		line := c.PackageName() + " " + c.PackageVersion()
		if c.MayStandIn() {
			line += " or " + c.StandinVersion()
		}
		if c.MayHoldMore() {
			line += " or more"
		}
		set.Packages = append(set.Packages, line)
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
				set := b.debSettings(c.PackageName()+" "+b.packageVersion(c), c.Requires)
				set.Compilers = b.compilers(c)
				return b.deb(step, b.componentLayout(c), b.componentInputs(c), set,
					func(in deb.Inputs) (deb.Spec, error) {
						in.StandIn, in.Optional = b.fileStandsIn(c), b.told(c)
						in.Links = b.links(c)
						return deb.ForComponent(in, c)
					})
			}))
		}
	}
	for _, one := range r.Packaged() {
		out = append(out, b.once("deb/"+one.PackageName(), func(step string) *step.Step {
			set := b.debSettings(one.PackageName()+" "+b.stack.RoleVersion(one), one.Components)
			return b.deb(step, layout{}, b.stack.RoleInputs(one.Name), set,
				func(in deb.Inputs) (deb.Spec, error) { return deb.ForRole(in, one) })
		}))
	}
	return out
}

// componentLayout is the layout of a component, with those that it packs.
func (b *Builder) componentLayout(c *recipe.Component) layout {
	l := b.layout(c.Dir, b.atHand(c), b.artifacts(c))
	l.component, l.clamp = c.Name, c.Date()
	for _, op := range c.Layout {
		if op.Pack != "" {
			l.packed[op.Pack] = b.componentLayout(b.stack.Components[op.Pack])
		}
	}
	return l
}

func (b *Builder) componentInputs(c *recipe.Component) []recipe.Input {
	in := b.stack.ComponentInputs(c.Name)
	for _, op := range c.Layout {
		if op.Pack != "" {
			in = append(in, b.stack.ComponentInputs(op.Pack)...)
		}
		if op.Checkout != "" {
			in = append(in, folderInputs(b.opt.Checkout, op.Checkout)...)
		}
	}
	return in
}

// layout joins a recipe's operations with the steps that they need.
func (b *Builder) layout(dir string, ops []recipe.Operation, artifacts *step.Step) layout {
	if len(ops) == 0 {
		artifacts = nil
	}
	l := layout{ops: ops, dir: dir, artifacts: artifacts, programs: map[string]*step.Step{}, jdks: map[string]*step.Step{}, packed: map[string]layout{}}
	for _, op := range ops {
		if op.Program != "" {
			l.programs[op.Program] = b.program(op.Program)
		}
		if tree := b.jdks[op.JDK].tree; op.Java != "" && tree != nil {
			l.jdks[op.JDK] = tree
		}
	}
	return l
}

// deb returns the step that makes one package; spec says what is in it.
func (b *Builder) deb(name string, l layout, in []recipe.Input, settings any, spec func(deb.Inputs) (deb.Spec, error)) *step.Step {
	s := &step.Step{Name: name, Kind: "deb", Version: 8, Settings: settings, Inputs: digests(in), Needs: l.needs()}
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
		if err := r.PutBytes("copyright", []byte(sp.Copyright)); err != nil {
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
		out[i.Name] = sha256Digest(i.SHA256)
	}
	return out
}
