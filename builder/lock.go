package builder

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/step"
)

// roleLock returns the step that writes down what exactly went into a role.
func (b *Builder) roleLock(r *recipe.Role, debs []*step.Step, indexes, solves map[string]*step.Step) *step.Step {
	set := struct {
		Stack     string
		Date      time.Time
		Artifacts []lock.Artifact // what is known of them without their bytes
		Suites    []lock.Suite
		Builds    map[string][]lock.BuildFile `json:",omitempty"` // of artifacts that the lock has and that are not built again
	}{Stack: b.stack.Name, Date: b.opt.Epoch}
	var needs []step.Ref
	sources := map[string]*step.Step{} // by component
	builds := map[string]*step.Step{}  // by artifact
	for _, name := range r.Components {
		c := b.stack.Components[name]
		if s := b.artifacts(c); s != nil {
			sources[name] = s
			needs = append(needs, s.Out("files"))
		}
		for _, artifact := range sortedNames(c.Artifacts) {
			a := b.pins.describe(name+"/"+artifact, c.Artifacts[artifact])
			if made, ok := b.files[name].built[artifact]; ok {
				builds[artifact] = made.record
			} else if a.Kind == buildKind && b.lockedBuild(artifact) != nil {
				if set.Builds == nil {
					set.Builds = map[string][]lock.BuildFile{}
				}
				set.Builds[artifact] = b.lockedBuild(artifact)
			}
			a.Name, a.Home = name+"/"+artifact, c.Homepage
			if o := b.operator[name]; o != nil && o.Release == "" && artifact == c.Upstream.Artifact {
				a.Version, a.File, a.Size, a.SHA256 = o.Version, o.Filename, o.Size, o.Digest.Hex()
			} else if o != nil && o.Release != "" && artifact == c.Upstream.Tarball.Artifact {
				a.Version = o.Release
			}
			set.Artifacts = append(set.Artifacts, a)
		}
	}
	for _, name := range sortedNames(builds) {
		needs = append(needs, builds[name].Out("files"))
	}
	for _, s := range debs {
		needs = append(needs, s.Out("deb"), s.Out("info"))
	}
	for _, name := range sortedNames(solves) {
		needs = append(needs, solves[name].Out("packages"))
	}
	if b.pins.only {
		set.Suites, indexes = b.pins.lock.Suites, nil
	}
	for _, name := range sortedNames(indexes) {
		needs = append(needs, indexes[name].Out("suites"))
	}
	name := "lock/" + r.Name
	if b.opt.Only == OnlyPackages {
		name = "lock-packages/" + r.Name
		if set.Date.IsZero() {
			set.Date = newestChange(b.stack)
		}
	}
	return &step.Step{Name: name, Kind: "lock", Version: 1, Settings: set, Needs: needs,
		Run: func(_ context.Context, run *step.Run) error {
			l := &lock.Lock{Format: lock.Format, Date: set.Date, Stack: set.Stack, Suites: set.Suites, Builds: maps.Clone(set.Builds), Debs: map[string][]lock.Deb{}}
			for _, name := range sortedNames(indexes) {
				var suites []lock.Suite
				if err := run.JSON(indexes[name].Out("suites"), &suites); err != nil {
					return err
				}
				l.Suites = append(l.Suites, suites...)
			}
			for name, s := range solves {
				if err := lockSolve(run, l, name, s); err != nil {
					return err
				}
			}
			for _, a := range set.Artifacts {
				if a.SHA256 != "" { // the operator's package
					l.Artifacts = append(l.Artifacts, a)
				}
			}
			for name, s := range sources {
				if err := lockArtifacts(run, l, name, s, set.Artifacts); err != nil {
					return err
				}
			}
			for name, s := range builds {
				if err := lockBuild(run, l, name, s); err != nil {
					return err
				}
			}
			for _, s := range debs {
				if err := lockPackage(run, l, s); err != nil {
					return err
				}
			}
			if l.Date.IsZero() { // a first lock
				l.Date = newest(l.Suites)
			}
			text, err := l.Encode()
			if err != nil {
				return err
			}
			return run.PutBytes("lock", text)
		}}
}

func lockSolve(run *step.Run, l *lock.Lock, name string, solve *step.Step) error {
	var pkgs []apt.Package
	if err := run.JSON(solve.Out("packages"), &pkgs); err != nil {
		return err
	}
	l.Debs[name] = []lock.Deb{}
	for _, p := range pkgs {
		l.Debs[name] = append(l.Debs[name], lockedDeb(p))
	}
	return nil
}

func lockArtifacts(run *step.Run, l *lock.Lock, component string, s *step.Step, known []lock.Artifact) error {
	var files map[string]fetched
	if err := run.JSON(s.Out("files"), &files); err != nil {
		return err
	}
	for _, a := range known {
		if f, ok := files[filepath.Base(a.Name)]; ok && !f.StandIn && a.Name == component+"/"+filepath.Base(a.Name) {
			a.File, a.Size, a.SHA256 = f.File, f.Size, f.Digest.Hex()
			l.Artifacts = append(l.Artifacts, a)
		}
	}
	return nil
}

func lockPackage(run *step.Run, l *lock.Lock, s *step.Step) error {
	var info deb.Result
	if err := run.JSON(s.Out("info"), &info); err != nil {
		return err
	}
	out, err := run.Digest(s.Out("deb"))
	if err != nil {
		return err
	}
	l.Packages = append(l.Packages, lock.Package{Name: info.Name, Version: info.Version, Arch: info.Arch, SHA256: out.Digest.Hex()})
	return nil
}

func newest(suites []lock.Suite) time.Time {
	var t time.Time
	for _, s := range suites {
		if s.Date.After(t) {
			t = s.Date
		}
	}
	return t
}

// Lock makes the stack's lock anew, for the roles asked for: Debian's packages as the newest
// indexes have them, artifacts as the old lock pins them or, where it has no line for them, as
// they come. With OnlyPackages, Debian's packages stay as they are. It returns the lock's path and what changed, line by line.
func Lock(ctx context.Context, opt Options) (path string, changes []string, err error) {
	opt.locking = true
	b, err := New(opt)
	if err != nil {
		return "", nil, err
	}
	defer b.Close()
	g, roles, err := b.graph(func(r role) []*step.Step { return []*step.Step{r.lock} })
	if err != nil {
		return "", nil, err
	}
	done, err := b.exec.Execute(ctx, g)
	if err != nil {
		return "", nil, err
	}
	all := &lock.Lock{Format: lock.Format, Stack: b.stack.Name, Debs: map[string][]lock.Deb{}, Builds: map[string][]lock.BuildFile{}}
	for _, r := range roles {
		l, err := b.readLock(done[r.lock.Name])
		if err != nil {
			return "", nil, err
		}
		mergeLock(all, l)
	}
	if opt.Only == OnlyPackages {
		b.keepDebs(all)
	} else {
		all.Date = newest(all.Suites)
	}
	all.Packages = slices.DeleteFunc(all.Packages, func(p lock.Package) bool { return b.holdsProgram(p.Name) })
	old := b.pins.lock
	if old == nil {
		old = &lock.Lock{Stack: all.Stack}
	}
	for _, p := range all.Packages {
		if err := old.Conflict(p); err != nil {
			return "", nil, err
		}
	}
	return b.pins.file, lock.Diff(old, all), all.Write(b.pins.file)
}

// keepDebs takes what a lock of packages alone does not make anew from the old lock: Debian's
// packages, and the date that comes with them.
func (b *Builder) keepDebs(l *lock.Lock) {
	l.Date = newestChange(b.stack)
	if old := b.pins.lock; old != nil {
		l.Suites, l.Debs = old.Suites, old.Debs
		if len(old.Suites) > 0 {
			l.Date = old.Date
		}
	}
}

func (b *Builder) readLock(d step.Done) (*lock.Lock, error) {
	path, err := b.store.BlobPath(d.Outputs["lock"].Digest)
	if err != nil {
		return nil, err
	}
	return lock.Read(path)
}

// mergeLock adds what is new in l to all. What roles share is the same in both.
func mergeLock(all, l *lock.Lock) {
	all.Suites = addNew(all.Suites, l.Suites, func(s lock.Suite) string { return s.Archive + "/" + s.Name })
	all.Artifacts = addNew(all.Artifacts, l.Artifacts, func(a lock.Artifact) string { return a.Name })
	all.Packages = addNew(all.Packages, l.Packages, func(p lock.Package) string { return p.Name })
	maps.Copy(all.Debs, l.Debs)
	maps.Copy(all.Builds, l.Builds)
}

func addNew[T any](all, more []T, key func(T) string) []T {
	for _, m := range more {
		if !slices.ContainsFunc(all, func(a T) bool { return key(a) == key(m) }) {
			all = append(all, m)
		}
	}
	return all
}

// holdsProgram tells whether a package has a program in it that forge compiles from the checkout:
// its bytes follow the code and the Go toolchain, so a stack's lock does not pin them.
func (b *Builder) holdsProgram(name string) bool {
	compiled := func(ops []recipe.Operation) bool {
		return slices.ContainsFunc(ops, func(op recipe.Operation) bool { return op.Program != "" })
	}
	for _, c := range b.stack.Components {
		if c.PackageName() == name && compiled(c.Layout) {
			return true
		}
		if c.Upstream != nil && c.Upstream.Package == name && c.Upstream.Standin != nil && compiled(c.Upstream.Standin.Layout) {
			return true
		}
	}
	return false
}

// conflicts compares the packages that were made with those of the lock: content never changes
// under a version that is out.
func (b *Builder) conflicts(r role, done map[string]step.Done) error {
	if b.pins.lock == nil {
		return nil
	}
	made, err := b.readLock(done[r.lock.Name])
	if err != nil {
		return err
	}
	for _, p := range made.Packages {
		err := b.pins.lock.Conflict(p)
		if err != nil && b.holdsProgram(p.Name) {
			return fmt.Errorf("%w; it holds a program compiled from the checkout: build with the commit and the Go toolchain that the lock was written with", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
