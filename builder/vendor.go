package builder

import (
	"bytes"
	"context"
	"errors"
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
		if name, ok := strings.CutPrefix(s.Name, "program/"); ok && s.Kind == compiledKind {
			programs = append(programs, name)
		}
	}
	c := collection{Builder: b, jdks: b.jdkSolves()}
	if slices.Sort(programs); len(programs) > 0 {
		c.modules = b.goModules(programs)
		wanted = append(wanted, c.modules)
	}
	if c.graph, err = step.NewGraph(slices.Concat(wanted, c.jdks)...); err != nil {
		return nil, err
	}
	x, lost, err := c.fetch(ctx)
	if err != nil || lost == "" {
		return x, err
	}
	if err := c.forget(); err != nil {
		return nil, err
	}
	x, lost, err = c.fetch(ctx)
	if err == nil && lost != "" {
		err = fmt.Errorf("%s of %s was not fetched: no step asks for it", lost, b.pins.file)
	}
	return x, err
}

// collection is the graph that brings what a bundle is of.
type collection struct {
	*Builder
	graph   *step.Graph
	modules *step.Step   // nil: no program is compiled
	jdks    []*step.Step // solves
	done    map[string]step.Done
}

// fetch runs the graph and lists what it brought. lost names an input that the store has not got, or not
// any more: steps whose results are there don't look for it.
func (c *collection) fetch(ctx context.Context) (x *bundle.Index, lost string, err error) {
	if c.done, err = c.exec.Execute(ctx, c.graph); err != nil {
		return nil, "", err
	}
	x = &bundle.Index{Format: bundle.Format, Forge: forgeVersion(), Stack: c.stack.Name, Roles: c.opt.Roles, Only: string(c.opt.Only)}
	if x.Inputs, err = c.lockedInputs(c.graph); err != nil {
		return nil, "", err
	}
	if c.modules != nil {
		x.Go = toolchain()
		x.Inputs = append(x.Inputs, moduleInputs(c.done[c.modules.Name].Outputs)...)
	}
	if err := c.addLocks(ctx, x); err != nil {
		return nil, "", err
	}
	for _, in := range x.Inputs {
		switch _, err := c.store.BlobPath(in.SHA256); {
		case errors.Is(err, os.ErrNotExist):
			lost = in.String()
		case err != nil:
			return nil, "", err
		}
	}
	return x, lost, nil
}

// forget drops the results of steps that fetch, so that each looks for its files again.
func (c *collection) forget() error {
	for _, name := range sortedNames(c.done) {
		if kind := c.done[name].Kind; kind != aptSolveKind && !slices.Contains(fetching, kind) {
			continue
		}
		if err := c.store.DropResult(c.done[name].Key); err != nil {
			return err
		}
	}
	return nil
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
func (c *collection) addLocks(ctx context.Context, x *bundle.Index) error {
	text, err := os.ReadFile(c.pins.file)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if err := c.addText(ctx, x, lockFile, text); err != nil || len(c.jdks) == 0 {
		return err
	}
	tools := &lock.Lock{Format: lock.Format, Stack: c.stack.Name, Date: c.pins.lock.Date, Debs: map[string][]lock.Deb{}}
	for _, s := range c.jdks {
		var pkgs []apt.Package
		if err := c.readJSON(c.done[s.Name].Outputs["packages"].Digest, &pkgs); err != nil {
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
	return c.addText(ctx, x, toolsLock, text)
}

func (b *Builder) addText(ctx context.Context, x *bundle.Index, name string, text []byte) error {
	d, size, err := b.store.PutBlob(ctx, bytes.NewReader(text), "")
	x.Inputs = append(x.Inputs, bundle.Input{Kind: bundle.KindLock, Name: name, Size: size, SHA256: d})
	return err
}

// forgeVersion is the version of the program.
func forgeVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
