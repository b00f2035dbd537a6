package builder

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/step"
)

type treeSettings struct {
	Epoch   int64
	Overlay string
	Run     [][]string
	Empty   []string `json:",omitempty"` // files that are made, empty, in the end
}

// base makes a tree from nothing: the one that every role of the stack stands on, or tools. Sealed
// trees lack some files that a program in them wants to be shown the host's in place of: empty names these.
func (b *Builder) base(name string, solve *step.Step, empty ...string) *step.Step {
	return b.once("rootfs/"+name, func(name string) *step.Step { return b.makeBase(name, solve, empty) })
}

func (b *Builder) makeBase(name string, solve *step.Step, empty []string) *step.Step {
	return &step.Step{Name: name, Kind: "rootfs-base", Version: 1, Memory: 1 << 10,
		Settings: treeSettings{Epoch: b.opt.Epoch.Unix(), Empty: empty}, Needs: []step.Ref{solve.Out("packages")},
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
			for _, name := range empty {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chtimes(path, b.opt.Epoch, b.opt.Epoch),
					os.Chtimes(filepath.Dir(path), b.opt.Epoch, b.opt.Epoch)); err != nil {
					return err
				}
			}
			return r.PutTree(ctx, "tree", dir)
		}}
}

// toolsTree makes a tree with programs that the host lacks. Its packages are in no lock: nothing of it reaches
// a result, since what it fetches is checked against digests, and what it runs is only looked at.
func (b *Builder) toolsTree(name string, packages []string, empty ...string) *step.Step {
	t := b.stack.Tools
	index := b.index(t.Distribution.Suite, t.Apt)
	solve := b.once("solve/"+name, func(string) *step.Step { return b.ask(name, index, packages, true, nil, nil) })
	return b.base(name, solve, empty...)
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
	return &step.Step{Name: "rootfs/" + name, Kind: "rootfs-delta", Version: 3, Memory: 1 << 10,
		Settings: treeSettings{Epoch: b.opt.Epoch.Unix(), Overlay: overlay, Run: run}, Inputs: digests(b.stack.OverlayInputs(overlay)), Needs: needs,
		Run: func(ctx context.Context, r *step.Run) error {
			pkgs, err := b.packages(ctx, r, solve, debs)
			if err != nil {
				return err
			}
			dir := filepath.Join(r.Dir, "upper")
			spec := rootfs.DeltaSpec{Install: b.install(r, pkgs), Dir: dir, Work: filepath.Join(r.Dir, "work")}
			if overlay != "" {
				spec.Overlays = []rootfs.Overlay{{Name: overlay, FS: b.stack.FS, Entries: b.stack.Overlays[overlay].Entries}}
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
	return rootfs.Install{Packages: pkgs, Epoch: b.opt.Epoch, Jobs: b.opt.Jobs, Sink: r.Sink, Log: r.Log, Initrds: initrds{b.store, r.Dir}}
}
