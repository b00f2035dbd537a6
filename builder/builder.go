package builder

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/disk"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// Options say what is built, and with what. Every path is one of the host.
type Options struct {
	Checkout string // the folder with recipes, overlays and go.mod
	Stack    string
	Roles    []string // empty: every role of the stack but recipe.Golden and those of tools
	Store    string
	Out      string
	Vendor   string   // the operator's own files; need not exist
	Mirrors  []string // URLs of folders with the operator's files, asked after Vendor for files that a lock pins
	Profile  string   // ProfileLab (also "") or ProfileProduction
	Jobs     int      // steps at a time; 0: the number of processors
	Refresh  bool     // fetch apt's indexes anew
	Offline  bool     // use stored indexes of any age
	Sink     event.Sink

	Lock   string // the lock to build from, and from nothing else; "": the stack's own
	Locked bool   // build from nothing but the stack's own lock
	// Epoch is the time of everything in the results (SOURCE_DATE_EPOCH); zero: the lock's date.
	Epoch time.Time

	// Mirror is where Debian's archives are; without Main the host's own apt entries say it.
	Mirror apt.Mirror
	// Archives are where other archives are, by name: that of a distribution other than Debian by its id
	// ("ubuntu"), a stack's further ones by theirs ("cdh").
	Archives map[string]apt.Mirror
	// Builds are what artifacts are built of, by their names.
	Builds      map[string]Build
	MaxIndexAge time.Duration // how long apt's indexes are used again; 0: 24 hours

	// Accept are rules that the operator's files may break: F25.
	Accept []string

	Only     Only          // which results are made; "": all
	Formats  []disk.Format // of the disks; empty: qcow2
	DiskSize int64         // bytes of a disk; 0: what the stack says

	Key     Signer // signs the provenance; nil: nobody does
	Rebuild bool   // packages need not be those of the lock: the caller compares them

	locking bool // a lock is made, see Lock
}

// Builder holds what the steps of one build share.
type Builder struct {
	opt   Options
	stack *recipe.Stack // without the optional components that are not at hand
	whole *recipe.Stack // with all of them
	left  []Without
	pins  pins
	store *store.Store
	exec  *step.Executor

	made     map[string]*step.Step   // steps of the graph so far, by name: roles share them
	operator map[string]*operatorDeb // by component; what is not there is stood in for
	files    map[string]operatorFiles
	jdks     map[string]compiler // of Java, by major version

	host struct {
		sync.Once
		mirror apt.Mirror
		err    error
	}
}

// New reads the stack's recipes and opens the store.
func New(opt Options) (*Builder, error) {
	stack, err := loadStack(opt.Checkout, opt.Stack)
	if err != nil {
		return nil, err
	}
	if err := archivesNamed(stack, opt); err != nil {
		return nil, err
	}
	if err := checkBuilds(stack, opt.Builds); err != nil {
		return nil, err
	}
	if len(opt.Roles) == 0 { // those of a cluster
		opt.Roles = slices.Sorted(maps.Keys(stack.Roles))
		if opt.locking {
			opt.Roles = stack.RoleNames()
		}
	}
	p, err := readPins(opt)
	if err != nil {
		return nil, err
	}
	chosen, left, err := p.choose(stack, opt.Vendor)
	if err != nil {
		return nil, err
	}
	if opt.Epoch.IsZero() {
		opt.Epoch = p.date()
	}
	if opt.Jobs == 0 {
		opt.Jobs = runtime.NumCPU()
	}
	if opt.MaxIndexAge == 0 {
		opt.MaxIndexAge = 24 * time.Hour
	}
	if len(opt.Formats) == 0 {
		opt.Formats = []disk.Format{disk.QCOW2}
	}
	st, err := store.Open(opt.Store)
	if err != nil {
		return nil, err
	}
	return &Builder{opt: opt, stack: chosen, whole: stack, left: left, pins: p, store: st, exec: &step.Executor{
		Store: st, Sink: opt.Sink, Jobs: int64(opt.Jobs), Memory: 8 << 10, Refresh: opt.Refresh, Offline: opt.Offline}}, nil
}

// Close gives the store up.
func (b *Builder) Close() error { return b.store.Close() }

// role is the chain of steps of one role. With Options.Only some are nil.
type role struct {
	name  string
	debs  []*step.Step
	sboms []*step.Step // of the debs, in their order
	image *step.Step
	boot  *step.Step // the tree with the kernel
	disks map[disk.Format]*step.Step
	lock  *step.Step
	bill  *step.Step
}

// graph is the whole pipeline:
//
//	index -> solve -> base -> layer ------------------------\
//	programs, sources -> debs -> solve -> role -> layer -----> image
//	                                      |-> container -> layer /
//	                           tools ----- \-> boot -> disk
//	solves, trees of all layers -> bill: packages.json, SBOM; debs -> their SBOMs
//
// targets says what of each role is asked for.
func (b *Builder) graph(targets func(role) []*step.Step) (*step.Graph, []role, error) {
	return b.graphOf(b.opt.Roles, targets)
}

func (b *Builder) graphOf(names []string, targets func(role) []*step.Step) (*step.Graph, []role, error) {
	b.made, b.operator, b.files = map[string]*step.Step{}, map[string]*operatorDeb{}, map[string]operatorFiles{}
	b.jdks = map[string]compiler{}
	var roles []role
	var wanted []*step.Step
	for _, name := range names {
		r, err := b.stack.Role(name)
		if err != nil {
			return nil, nil, err
		}
		chain, err := b.chain(r)
		if err != nil {
			return nil, nil, fmt.Errorf("role %s: %w", name, err)
		}
		roles = append(roles, chain)
		wanted = append(wanted, targets(chain)...)
	}
	if err := b.checkFits(); err != nil {
		return nil, nil, err
	}
	g, err := step.NewGraph(wanted...)
	return g, roles, err
}

// once returns the step of that name, making it at the first call.
func (b *Builder) once(name string, make func(name string) *step.Step) *step.Step {
	if b.made[name] == nil {
		b.made[name] = make(name)
	}
	return b.made[name]
}

// chain returns the steps of one role.
func (b *Builder) chain(r *recipe.Role) (role, error) {
	for _, name := range r.Components {
		if err := b.pins.check(b.stack.Components[name]); err != nil {
			return role{}, err
		}
	}
	if err := b.findOperatorFiles(r); err != nil {
		return role{}, err
	}
	if err := b.findOperatorDebs(r); err != nil {
		return role{}, err
	}
	if err := b.checkEggs(r); err != nil {
		return role{}, err
	}
	b.findJDKs(r)
	chain := role{name: r.Name, debs: b.debs(r)}
	chain.sboms = b.debBills(chain.debs, b.billPackages(r))
	if b.opt.Only == OnlyPackages {
		chain.lock = b.roleLock(r, chain.debs, nil, nil)
		return chain, nil
	}
	return b.imageChain(r, chain)
}

// imageChain adds the steps from a role's packages to image and disk.
func (b *Builder) imageChain(r *recipe.Role, chain role) (role, error) {
	s := &solver{Builder: b, solves: map[string]*step.Step{}, indexes: map[string]*step.Step{}}
	index := s.index(b.stack.Distribution.Suite, b.stack.Apt)
	solveBase := s.solve("base", index, b.stack.Rootfs.Packages, true, nil, nil)
	solveRole := s.solve("role/"+r.Name, index, r.Packages, false, []*step.Step{solveBase}, chain.debs)
	base := b.base("base", solveBase)
	delta := b.delta("role/"+r.Name, solveRole, chain.debs, b.stack.Rootfs.Overlay, b.disabled(r), base)
	if r.Runs != nil {
		return b.toolChain(r, chain, s, layers(solveBase, base, solveRole, delta, chain.debs))
	}
	solveContainer := s.solve("container/"+r.Name, index, b.stack.Container.Packages, false, []*step.Step{solveBase, solveRole}, nil)
	if s.err != nil {
		return role{}, s.err
	}
	container := b.delta("container/"+r.Name, solveContainer, nil, b.stack.Container.Overlay, nil, delta, base)
	chain.image = b.image(r, b.layer(base, false), b.layer(delta, true), b.layer(container, true))
	onRole := []string{publish.LayerRole, publish.LayerBase}
	bill := append(layers(solveBase, base, solveRole, delta, chain.debs),
		billLayer{name: publish.LayerContainer, solve: solveContainer, tree: container, below: onRole})
	if b.opt.Only != OnlyImages {
		toolsIndex := s.index(b.stack.Tools.Distribution.Suite, b.stack.Tools.Apt)
		solveBoot := s.solve("boot/"+r.Name, index, slices.Concat(b.stack.Boot.KernelPackages(), b.stack.Boot.Packages), false, []*step.Step{solveBase, solveRole}, nil)
		solveTools := s.solve("tools", toolsIndex, b.stack.Tools.Image, true, nil, nil)
		if s.err != nil {
			return role{}, s.err
		}
		chain.boot = b.delta("boot/"+r.Name, solveBoot, nil, b.stack.Boot.Overlay, bootUnits(b.stack), delta, base)
		chain.disks = b.disks(r.Name, b.base("tools", solveTools), chain.boot, delta, base)
		bill = append(bill, billLayer{name: publish.LayerBoot, solve: solveBoot, tree: chain.boot, below: onRole})
	}
	chain.bill = b.bill(r, bill...)
	chain.lock = b.roleLock(r, chain.debs, s.indexes, s.solves)
	return chain, nil
}

// Plan tells what Build would do, without doing it.
func (b *Builder) Plan() ([]step.Planned, error) {
	g, _, err := b.graph(everything)
	if err != nil {
		return nil, err
	}
	return b.exec.Plan(g)
}

// Result is what a build made. Paths are below Options.Out.
type Result struct {
	Roles   []RoleResult `json:"roles"`
	Ran     int          `json:"ran"`               // steps
	Hits    int          `json:"hits"`              // steps whose stored result was used
	Written int          `json:"written"`           // results that were not in the output folder yet
	Without []Without    `json:"without,omitempty"` // optional components
	Report  string       `json:"report"`
	Sums    string       `json:"sums"`
	// IndexAge is how old the oldest of apt's indexes was that packages were taken from; 0 for a build from a lock.
	IndexAge time.Duration `json:"index_age_ns,omitempty"`
	Duration time.Duration `json:"duration_ns"`
}

// RoleResult is what was made for one role.
type RoleResult struct {
	Role     string   `json:"role"`
	Debs     []string `json:"debs"`
	Image    string   `json:"image,omitempty"`  // folder of the OCI layout
	Digest   string   `json:"digest,omitempty"` // of the image's manifest
	Disks    []string `json:"disks,omitempty"`
	Lock     string   `json:"lock"`               // what exactly went in
	Packages string   `json:"packages,omitempty"` // packages.json
	SBOM     string   `json:"sbom,omitempty"`
	// Provenance says where all of it comes from; Bundle is that, signed.
	Provenance string       `json:"provenance"`
	Bundle     string       `json:"bundle,omitempty"`
	StandIns   []string     `json:"standins,omitempty"`
	Wanted     []Wanted     `json:"wanted,omitempty"`
	Contents   int          `json:"contents,omitempty"` // packages in image and disk
	Files      []ResultFile `json:"files"`              // all of it, with sizes and digests
}

// Build makes everything and places it in the output folder.
func (b *Builder) Build(ctx context.Context) (*Result, error) {
	started := time.Now()
	g, roles, err := b.graph(everything)
	if err != nil {
		return nil, err
	}
	done, err := b.exec.Execute(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		if b.opt.Rebuild {
			continue
		}
		if err := b.conflicts(r, done); err != nil {
			return nil, fmt.Errorf("role %s: %w", r.name, err)
		}
	}
	res := &Result{Without: b.Without()}
	for _, d := range done {
		if d.Kind == indexKind {
			res.IndexAge = max(res.IndexAge, time.Since(d.Started))
		}
		if d.Hit {
			res.Hits++
		} else {
			res.Ran++
		}
	}
	if err := b.placeAll(ctx, roles, done, started, res); err != nil {
		return nil, fmt.Errorf("place the results in %s: %w", filepath.Clean(b.opt.Out), store.Explain(err))
	}
	return res, nil
}
