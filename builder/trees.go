package builder

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/step"
)

type treeSettings struct {
	Epoch   int64
	Overlay string
	Run     [][]string
}

// base makes a tree from nothing: the one that every role of the stack stands on, or tools.
func (b *Builder) base(name string, solve *step.Step) *step.Step {
	return b.once("rootfs/"+name, func(name string) *step.Step { return b.makeBase(name, solve) })
}

func (b *Builder) makeBase(name string, solve *step.Step) *step.Step {
	return &step.Step{Name: name, Kind: "rootfs-base", Version: 1, Memory: 1 << 10,
		Settings: treeSettings{Epoch: b.opt.Epoch.Unix()}, Needs: []step.Ref{solve.Out("packages")},
		Run: func(ctx context.Context, r *step.Run) error {
			pkgs, err := b.packages(ctx, r, solve, nil)
			if err != nil {
				return err
			}
			dir := filepath.Join(r.Dir, "root")
			spec := rootfs.BaseSpec{Install: b.install(r, pkgs), Dir: dir}
			if err := rootfs.Base(ctx, spec); err != nil {
				return err
			}
			if err := rootfs.Seal(ctx, rootfs.SealSpec{Dir: dir, Epoch: b.opt.Epoch}); err != nil {
				return err
			}
			return r.PutTree(ctx, "tree", dir)
		}}
}

// delta makes what a solve adds over the trees below, the topmost first.
func (b *Builder) delta(name string, solve *step.Step, debs []*step.Step, overlay string, run [][]string, below ...*step.Step) *step.Step {
	needs := []step.Ref{solve.Out("packages")}
	for _, s := range below {
		needs = append(needs, s.Out("tree"))
	}
	for _, s := range debs {
		needs = append(needs, s.Out("deb"), s.Out("info"))
	}
	return &step.Step{Name: "rootfs/" + name, Kind: "rootfs-delta", Version: 2, Memory: 1 << 10,
		Settings: treeSettings{b.opt.Epoch.Unix(), overlay, run}, Inputs: digests(b.stack.OverlayInputs(overlay)), Needs: needs,
		Run: func(ctx context.Context, r *step.Run) error {
			pkgs, err := b.packages(ctx, r, solve, debs)
			if err != nil {
				return err
			}
			dir := filepath.Join(r.Dir, "upper")
			spec := rootfs.DeltaSpec{Install: b.install(r, pkgs), Dir: dir, Work: filepath.Join(r.Dir, "work")}
			if overlay != "" {
				spec.Overlays = []rootfs.Overlay{b.laid(b.stack.Overlays[overlay])}
			}
			for _, args := range run {
				spec.Run = append(spec.Run, sandbox.Spec{Args: args, Stdout: r.Log, Stderr: r.Log})
			}
			for _, s := range below {
				lower, err := r.Tree(ctx, s.Out("tree"))
				if err != nil {
					return err
				}
				spec.Lower = append(spec.Lower, lower)
			}
			if err := rootfs.Delta(ctx, spec); err != nil {
				return err
			}
			if err := rootfs.Seal(ctx, rootfs.SealSpec{Dir: dir, Epoch: b.opt.Epoch, Delta: true}); err != nil {
				return err
			}
			return r.PutTree(ctx, "tree", dir)
		}}
}

func (b *Builder) install(r *step.Run, pkgs []rootfs.Package) rootfs.Install {
	return rootfs.Install{Packages: pkgs, Epoch: b.opt.Epoch, Jobs: b.opt.Jobs, Sink: r.Sink, Log: r.Log}
}

// laid turns a recipe's overlay into one for rootfs. Users that packages make don't exist for it:
// everything belongs to root.
func (b *Builder) laid(o *recipe.Overlay) rootfs.Overlay {
	modes := map[string]uint32{}
	for _, e := range o.Entries {
		modes[strings.TrimPrefix(e.Path, "/")] = e.Mode
	}
	return rootfs.Overlay{Dir: filepath.Join(b.opt.Checkout, "overlays", o.Name), Attributes: func(name string, mode uint32) (rootfs.Attributes, error) {
		if m := modes[name]; m != 0 {
			mode = m
		}
		return rootfs.Attributes{Mode: mode, Skip: name == "overlay.yaml"}, nil
	}}
}
