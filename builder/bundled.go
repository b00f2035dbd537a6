package builder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/bundle"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// The names of locks in a bundle.
const toolsLock = "tools.lock" // of programs that no lock of a stack has: a JDK

const vendorHint = "run forge vendor where there is a network, and build with --bundle"

// taken is a bundle whose files are in the store.
type taken struct {
	path  string
	index *bundle.Index
	lock  string // path of its lock
	tools *lock.Lock
	blobs map[store.Digest]bool
}

// TakeBundle puts the files of a bundle into the store, and makes opt those of a build that takes nothing from
// anywhere else: by the bundle's own lock, unless opt names another one, and for the bundle's roles, unless it
// names some.
func TakeBundle(ctx context.Context, opt *Options, path string) error {
	in, err := bundle.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.Index.Stack != opt.Stack {
		return fmt.Errorf("bundle %s is of the stack %s, not of %s: name that one with --stack, or make a bundle of this one with forge vendor --stack %s",
			path, in.Index.Stack, opt.Stack, opt.Stack)
	}
	if err := enough(in.Index, opt); err != nil {
		return fmt.Errorf("bundle %s %w", path, err)
	}
	st, err := store.Open(opt.Store)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := readBundle(ctx, in, st, opt.Sink); err != nil {
		return st.ExplainFull(err)
	}
	t := &taken{path: path, index: in.Index, tools: &lock.Lock{}, blobs: map[store.Digest]bool{}}
	for _, i := range in.Index.Inputs {
		t.blobs[i.SHA256] = true
	}
	if t.lock, err = t.blob(st, lockFile); err != nil {
		return err
	}
	if _, ok := in.Index.Input(bundle.KindLock, toolsLock); ok {
		name, err := t.blob(st, toolsLock)
		if err != nil {
			return err
		}
		if t.tools, err = lock.Read(name); err != nil {
			return fmt.Errorf("bundle %s: %s: %w", path, toolsLock, err)
		}
	}
	if have := toolchain(); in.Index.Go != "" && in.Index.Go != have {
		opt.Sink.Emit(event.Event{Time: time.Now(), Kind: event.Warning, Message: fmt.Sprintf("the bundle was written beside the Go toolchain %s, and the one here is %s: packages with forge's own programs get other bytes", in.Index.Go, have)})
	}
	if opt.Lock == "" && !opt.Locked {
		opt.Lock = t.lock
	}
	if len(opt.Roles) == 0 {
		opt.Roles = slices.Clone(in.Index.Roles)
	}
	opt.Offline, opt.bundle = true, t
	return nil
}

// enough compares what a bundle was made for with what is to be built.
func enough(x *bundle.Index, opt *Options) error {
	for _, role := range opt.Roles {
		if !slices.Contains(x.Roles, role) {
			return fmt.Errorf("is of the roles %s, and %s is not among them: make one that has it with forge vendor --role %s", strings.Join(x.Roles, ", "), role, role)
		}
	}
	if only := Only(x.Only); only == "" || only == opt.Only || only == OnlyImages && opt.Only == OnlyPackages {
		return nil
	}
	return fmt.Errorf("was made with --only %s: build with that as well, or make a bundle of everything with forge vendor", x.Only)
}

// readBundle reads the files that the store lacks, as a step that people see.
func readBundle(ctx context.Context, in *bundle.Bundle, st *store.Store, to event.Sink) error {
	sink, started := event.ForStep(to, "bundle"), time.Now()
	sink.Emit(event.Event{Kind: event.StepStart})
	err := in.Read(ctx, intact{st}, progressTo(sink, "read bundle"))
	endStep(sink, started, err)
	return err
}

// intact is a store that has only what it can hand out: what is damaged is read again.
type intact struct{ *store.Store }

func (i intact) HasBlob(d store.Digest) bool {
	_, err := i.BlobPath(d)
	return err == nil
}

func progressTo(sink event.Sink, message string) func(done, total int64) {
	return func(done, total int64) {
		sink.Emit(event.Event{Kind: event.Progress, Message: message, Done: done, Total: total, Unit: "bytes"})
	}
}

func endStep(sink event.Sink, started time.Time, err error) {
	end := event.Event{Kind: event.StepDone, Duration: time.Since(started)}
	if err != nil {
		end.Kind, end.Err = event.StepFail, err.Error()
	}
	sink.Emit(end)
}

// blob is the path, in the store, of one of the bundle's locks.
func (t *taken) blob(st *store.Store, name string) (string, error) {
	in, ok := t.index.Input(bundle.KindLock, name)
	if !ok {
		return "", &bundle.Error{Bundle: t.path, Entry: bundle.KindLock + " " + name, Err: bundle.ErrMissing}
	}
	return st.BlobPath(in.SHA256)
}

// has tells whether the build is from a bundle with that file.
func (t *taken) has(d store.Digest) bool { return t != nil && t.blobs[d] }

// holds wants the bundle to have all that the steps take from outside, before any of them runs.
func (t *taken) holds(b *Builder, g *step.Graph) error {
	if t == nil {
		return nil
	}
	inputs, err := b.lockedInputs(g)
	if err != nil {
		return err
	}
	var missing []string
	for _, in := range inputs {
		if !t.blobs[in.SHA256] {
			missing = append(missing, in.String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	const most = 5
	text := strings.Join(missing[:min(most, len(missing))], ", ")
	if len(missing) > most {
		text += fmt.Sprintf(" and %d more", len(missing)-most)
	}
	return fmt.Errorf("the bundle %s has not got %s, which %s names: it was made of another lock; make one of this lock with forge vendor, or build by the bundle's own",
		t.path, text, b.pins.file)
}

// lockedInputs are the files that the steps of a graph take from outside, as a lock has them.
func (b *Builder) lockedInputs(g *step.Graph) ([]bundle.Input, error) {
	var out []bundle.Input
	for _, s := range g.Steps() {
		if s.Kind == lockedDebsKind {
			name := strings.TrimPrefix(s.Name, "solve/")
			lines, ok := b.pins.lock.Debs[name]
			if !ok {
				lines = b.opt.bundle.tools.Debs[name]
			}
			out = append(out, debInputs(lines)...)
		}
	}
	for _, name := range b.opt.Roles {
		r, err := b.stack.Role(name)
		if err != nil {
			return nil, err
		}
		for _, component := range r.Components {
			c := b.stack.Components[component]
			for _, artifact := range sortedNames(c.Artifacts) {
				if line, ok := b.pins.artifact(component+"/"+artifact, c.Artifacts[artifact]); ok {
					out = append(out, bundle.Input{Kind: bundle.KindArtifact, Name: line.Name, Version: line.Version, Size: line.Size, SHA256: sha256Digest(line.SHA256)})
				}
			}
		}
	}
	return out, nil
}

func debInputs(lines []lock.Deb) []bundle.Input {
	var out []bundle.Input
	for _, d := range lines {
		out = append(out, bundle.Input{Kind: bundle.KindDeb, Name: d.Name + ":" + d.Arch, Version: d.Version, Size: d.Size, SHA256: sha256Digest(d.SHA256)})
	}
	return out
}

// offlineHint completes the error about a file that nobody has.
func (b *Builder) offlineHint(err error) error {
	if !b.opt.Offline || !errors.Is(err, source.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w\nNo mirror and no repository may be asked (--offline): %s", err, vendorHint)
}
