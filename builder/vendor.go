package builder

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/bundle"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// VendorOptions say what a bundle is.
type VendorOptions struct {
	Path    string // of the bundle
	Folder  bool   // a folder, else a file
	WithJDK bool   // also a JDK, for machines without one, where the roles have Java sources
}

// Vendor writes a bundle of all that builds of the roles take from outside, by the lock that opt names or the
// stack's own. It fetches what the store lacks. Files of the operator's folder that the lock has are in it too.
func Vendor(ctx context.Context, opt Options, v VendorOptions) (bundle.Written, error) {
	opt.Locked, opt.withJDK = opt.Lock == "", v.WithJDK
	b, err := New(opt)
	if err != nil {
		return bundle.Written{}, err
	}
	defer b.Close()
	x, err := b.collect(ctx)
	if err != nil {
		return bundle.Written{}, err
	}
	sink, started := event.ForStep(opt.Sink, "bundle"), time.Now()
	sink.Emit(event.Event{Kind: event.StepStart})
	write := bundle.WriteFile
	if v.Folder {
		write = bundle.WriteFolder
	}
	w, err := write(ctx, v.Path, *x, b.store, progressTo(sink, "write bundle"))
	endStep(sink, started, err)
	return w, err
}

// fetching are the kinds of steps that take something from outside which a lock has.
var fetching = []string{lockedDebsKind, "sources", "operator-deb"}

// collect fetches what the roles take from outside, and lists it.
func (b *Builder) collect(ctx context.Context) (*bundle.Index, error) {
	whole, _, err := b.graph(everything)
	if err != nil {
		return nil, err
	}
	var wanted []*step.Step
	var programs []string
	for _, s := range whole.Steps() {
		if slices.Contains(fetching, s.Kind) {
			wanted = append(wanted, s)
		}
		if name, ok := strings.CutPrefix(s.Name, "program/"); ok && s.Kind == "go-build" {
			programs = append(programs, name)
		}
	}
	slices.Sort(programs)
	var modules *step.Step
	if len(programs) > 0 {
		modules = b.goModules(programs)
		wanted = append(wanted, modules)
	}
	jdks := b.jdkSolves()
	g, err := step.NewGraph(slices.Concat(wanted, jdks)...)
	if err != nil {
		return nil, err
	}
	done, err := b.exec.Execute(ctx, g)
	if err != nil {
		return nil, err
	}
	x := &bundle.Index{Format: bundle.Format, Forge: forgeVersion(), Stack: b.stack.Name, Roles: b.opt.Roles, Only: string(b.opt.Only)}
	if x.Inputs, err = b.lockedInputs(g); err != nil {
		return nil, err
	}
	if modules != nil {
		x.Go = toolchain()
		x.Inputs = append(x.Inputs, moduleInputs(done[modules.Name].Outputs)...)
	}
	if err := b.addLocks(ctx, x, jdks, done); err != nil {
		return nil, err
	}
	return x, b.allStored(x)
}

// jdkSolves are the steps that choose the packages of JDKs.
func (b *Builder) jdkSolves() []*step.Step {
	var out []*step.Step
	for _, major := range sortedNames(b.jdks) {
		if s := b.made["solve/"+jdkSolve(major)]; s != nil && b.jdks[major].tree != nil {
			out = append(out, s)
		}
	}
	return out
}

// addLocks adds the lock, byte by byte, and one of what no lock has.
func (b *Builder) addLocks(ctx context.Context, x *bundle.Index, jdks []*step.Step, done map[string]step.Done) error {
	text, err := os.ReadFile(b.pins.file)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if err := b.addText(ctx, x, lockFile, text); err != nil || len(jdks) == 0 {
		return err
	}
	tools := &lock.Lock{Format: lock.Format, Stack: b.stack.Name, Date: b.pins.lock.Date, Debs: map[string][]lock.Deb{}}
	for _, s := range jdks {
		var pkgs []apt.Package
		if err := b.readJSON(done[s.Name].Outputs["packages"].Digest, &pkgs); err != nil {
			return err
		}
		var lines []lock.Deb
		for _, p := range pkgs {
			lines = append(lines, lockedDeb(p))
		}
		tools.Debs[strings.TrimPrefix(s.Name, "solve/")] = lines
		x.Inputs = append(x.Inputs, debInputs(lines)...)
	}
	if text, err = tools.Encode(); err != nil {
		return err
	}
	return b.addText(ctx, x, toolsLock, text)
}

func (b *Builder) addText(ctx context.Context, x *bundle.Index, name string, text []byte) error {
	d, size, err := b.store.PutBlob(ctx, bytes.NewReader(text), "")
	x.Inputs = append(x.Inputs, bundle.Input{Kind: bundle.KindLock, Name: name, Size: size, SHA256: d})
	return err
}

// allStored drops nothing and forgets nothing: each line of the lock that steps did not ask for is an error.
func (b *Builder) allStored(x *bundle.Index) error {
	for _, in := range x.Inputs {
		if !b.store.HasBlob(in.SHA256) {
			return fmt.Errorf("%s of %s (%s) was not fetched: it is in no place that was asked", in, b.pins.file, store.Digest(in.SHA256).Short())
		}
	}
	return nil
}

// forgeVersion is the version of the program.
func forgeVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
