package builder

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// Options say what is built, and with what. Every path is one of the host.
type Options struct {
	Checkout string // the folder with recipes, overlays and go.mod
	Stack    string
	Roles    []string // empty: every role of the stack
	Store    string
	Out      string
	Vendor   string // the operator's own files; need not exist
	Jobs     int    // steps at a time; 0: the number of processors
	Refresh  bool   // fetch apt's indexes anew
	Offline  bool   // use stored indexes of any age
	Epoch    time.Time
	Sink     event.Sink
}

// maxIndexAge is how long apt's indexes are used again.
const maxIndexAge = 24 * time.Hour

// Builder holds what the steps of one build share.
type Builder struct {
	opt   Options
	stack *recipe.Stack
	store *store.Store
	exec  *step.Executor

	layers, programs map[string]*step.Step // made so far, by name: roles share them

	host struct {
		sync.Once
		mirror apt.Mirror
		err    error
	}
}

// New reads the stack's recipes and opens the store.
func New(opt Options) (*Builder, error) {
	stack, err := recipe.Load(os.DirFS(opt.Checkout), opt.Stack)
	if err != nil {
		return nil, err
	}
	if len(opt.Roles) == 0 {
		opt.Roles = slices.Sorted(maps.Keys(stack.Roles))
	}
	st, err := store.Open(opt.Store)
	if err != nil {
		return nil, err
	}
	if opt.Jobs == 0 {
		opt.Jobs = runtime.NumCPU()
	}
	return &Builder{opt: opt, stack: stack, store: st, exec: &step.Executor{
		Store: st, Sink: opt.Sink, Jobs: int64(opt.Jobs), Memory: 8 << 10, Refresh: opt.Refresh, Offline: opt.Offline}}, nil
}

// Close gives the store up.
func (b *Builder) Close() error { return b.store.Close() }

// role is the chain of steps of one role.
type role struct {
	name  string
	debs  []*step.Step
	image *step.Step
	disk  *step.Step
}

// graph is the whole pipeline:
//
//	index -> solve -> base -> layer ------------------------\
//	programs, sources -> debs -> solve -> role -> layer -----> image
//	                                      |-> container -> layer /
//	                           tools ----- \-> boot -> disk
func (b *Builder) graph() (*step.Graph, []role, error) {
	b.layers, b.programs = map[string]*step.Step{}, map[string]*step.Step{}
	index := b.index(b.stack.Distribution.Suite, b.stack.Apt)
	solveBase := b.solve("base", index, b.stack.Rootfs.Packages, true, nil, nil)
	base := b.base("base", solveBase)
	tools := b.tools()
	debs := map[string]*step.Step{}
	var roles []role
	var targets []*step.Step
	for _, name := range b.opt.Roles {
		r, err := b.stack.Role(name)
		if err != nil {
			return nil, nil, err
		}
		chain := role{name: name, debs: b.debs(r, debs)}
		solveRole := b.solve("role/"+name, index, r.Packages, false, []*step.Step{solveBase}, chain.debs)
		delta := b.delta("role/"+name, solveRole, chain.debs, b.stack.Rootfs.Overlay, nil, base)
		solveContainer := b.solve("container/"+name, index, b.stack.Container.Packages, false, []*step.Step{solveBase, solveRole}, nil)
		container := b.delta("container/"+name, solveContainer, nil, b.stack.Container.Overlay, nil, delta, base)
		chain.image = b.image(r, b.layer(base, false), b.layer(delta, true), b.layer(container, true))
		solveBoot := b.solve("boot/"+name, index, slices.Concat(b.stack.Boot.KernelPackages(), b.stack.Boot.Packages), false, []*step.Step{solveBase, solveRole}, nil)
		boot := b.delta("boot/"+name, solveBoot, nil, b.stack.Boot.Overlay, bootUnits, delta, base)
		chain.disk = b.disk(name, tools, boot, delta, base)
		roles = append(roles, chain)
		targets = append(targets, chain.image, chain.disk)
	}
	g, err := step.NewGraph(targets...)
	return g, roles, err
}

// Plan tells what Build would do, without doing it.
func (b *Builder) Plan() ([]step.Planned, error) {
	g, _, err := b.graph()
	if err != nil {
		return nil, err
	}
	return b.exec.Plan(g)
}

// Result is what a build made.
type Result struct {
	Roles []RoleResult `json:"roles"`
	Ran   int          `json:"ran"`  // steps
	Hits  int          `json:"hits"` // steps whose stored result was used
}

// RoleResult is what was made for one role; paths are below Options.Out.
type RoleResult struct {
	Role     string   `json:"role"`
	Debs     []string `json:"debs"`
	Image    string   `json:"image"`  // folder of the OCI layout
	Digest   string   `json:"digest"` // of the image's manifest
	Disk     string   `json:"disk"`   // qcow2
	StandIns []string `json:"standins,omitempty"`
}

// Build makes everything and places it in the output folder.
func (b *Builder) Build(ctx context.Context) (*Result, error) {
	g, roles, err := b.graph()
	if err != nil {
		return nil, err
	}
	done, err := b.exec.Execute(ctx, g)
	if err != nil {
		return nil, err
	}
	res := &Result{}
	for _, d := range done {
		if d.Hit {
			res.Hits++
		} else {
			res.Ran++
		}
	}
	if err := os.MkdirAll(b.opt.Out, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w", store.Explain(err))
	}
	for _, r := range roles {
		rr, err := b.place(ctx, r, done)
		if err != nil {
			return nil, fmt.Errorf("place the results of role %s in %s: %w", r.name, filepath.Clean(b.opt.Out), store.Explain(err))
		}
		res.Roles = append(res.Roles, rr)
	}
	return res, nil
}
