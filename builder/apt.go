package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/step"
)

// solver makes the steps that say which Debian packages a role takes, and remembers them. The first
// error stays in err.
type solver struct {
	*Builder
	indexes, solves map[string]*step.Step // by suite, by name
	err             error
}

// index is Builder.index, remembered.
func (s *solver) index(suite string, archive recipe.Apt) *step.Step {
	s.indexes[suite] = s.Builder.index(suite, archive)
	return s.indexes[suite]
}

// index fetches apt's indexes of a release.
func (b *Builder) index(suite string, archive recipe.Apt) *step.Step {
	return b.once("index/"+suite, func(string) *step.Step { return b.fetchIndex(suite, archive) })
}

const indexKind = "apt-index"

func (b *Builder) fetchIndex(suite string, archive recipe.Apt) *step.Step {
	set := struct {
		Suite, Arch, Components, Keyring, Mirror string
		More                                     []recipe.AptArchive `json:",omitempty"`
	}{suite, "amd64", fmt.Sprint(archive.Components), archive.Keyring, archive.Mirror, archive.More}
	return &step.Step{Name: "index/" + set.Suite, Kind: indexKind, Version: 2, Settings: set, MaxAge: b.opt.MaxIndexAge,
		Run: func(ctx context.Context, r *step.Run) error {
			if b.opt.Offline {
				return fmt.Errorf("the store %s has no package indexes of %s, and no mirror may be asked (--offline): %s", b.store.Dir(), set.Suite, vendorHint)
			}
			c := &apt.Client{Temp: r.Dir, Sink: r.Sink}
			mirror, err := b.mirror(ctx, c, archive)
			if err != nil {
				return err
			}
			dir := filepath.Join(r.Dir, "lists")
			snapshot, err := c.Update(ctx, mirror.Archives(set.Suite, archive.Components...), set.Arch, dir)
			if err != nil {
				return err
			}
			if err := checkOrigin(snapshot, mirror, archive); err != nil {
				return err
			}
			return errors.Join(r.PutTree(ctx, "lists", dir), r.PutJSON("suites", lockedSuites(snapshot)))
		}}
}

func lockedSuites(s *apt.Snapshot) []lock.Suite {
	out := []lock.Suite{}
	for _, u := range s.Suites {
		out = append(out, lock.Suite{Archive: u.Archive, Name: u.Name, Codename: u.Codename, Version: u.Version,
			Date: u.Date, SHA256: u.Digest.Hex()})
	}
	return out
}

// solve says what a layer takes beyond the layers below it, and fetches that.
func (s *solver) solve(name string, index *step.Step, install []string, essential bool, below, debs []*step.Step) *step.Step {
	s.solves[name] = s.once("solve/"+name, func(string) *step.Step {
		if !s.pins.only {
			return s.ask(name, index, install, essential, below, debs)
		}
		locked, err := s.locked(name)
		if err != nil && s.err == nil {
			s.err = err
		}
		return locked
	})
	return s.solves[name]
}

const aptSolveKind = "apt-solve"

// ask asks apt.
func (b *Builder) ask(name string, index *step.Step, install []string, essential bool, below, debs []*step.Step) *step.Step {
	needs := []step.Ref{index.Out("lists")}
	for _, s := range below {
		needs = append(needs, s.Out("packages"))
	}
	for _, s := range debs {
		needs = append(needs, s.Out("deb"), s.Out("info"))
	}
	set := struct {
		Install   []string
		Essential bool
	}{install, essential}
	return &step.Step{Name: "solve/" + name, Kind: aptSolveKind, Version: 2, Settings: set, Needs: needs,
		Run: func(ctx context.Context, r *step.Run) error {
			lists, err := r.Tree(ctx, index.Out("lists"))
			if err != nil {
				return err
			}
			snapshot, err := apt.Open(lists)
			if err != nil {
				return err
			}
			c := &apt.Client{Temp: r.Dir, Sink: r.Sink}
			req := apt.Request{Name: name, Install: install, Essential: essential}
			if req.LocalDebs, err = localDebs(r, debs); err != nil {
				return err
			}
			if len(below) > 0 {
				if req.Status, err = status(ctx, r, c, snapshot, below); err != nil {
					return err
				}
			}
			pkgs, err := c.Solve(ctx, snapshot, req)
			if err != nil {
				return err
			}
			// forge's own are no packages from outside: later steps take them from the steps that make them.
			pkgs = slices.DeleteFunc(pkgs, func(p apt.Package) bool { return p.Local != "" })
			for i := range pkgs {
				pkgs[i] = debPackage(lockedDeb(pkgs[i]))
			}
			if err := b.fetch(ctx, r, c, pkgs); err != nil {
				return err
			}
			return r.PutJSON("packages", pkgs)
		}}
}

// status writes the dpkg status file of the layers below.
func status(ctx context.Context, r *step.Run, c *apt.Client, snapshot *apt.Snapshot, below []*step.Step) (string, error) {
	var all []apt.Package
	for _, s := range below {
		var pkgs []apt.Package
		if err := r.JSON(s.Out("packages"), &pkgs); err != nil {
			return "", err
		}
		all = append(all, pkgs...) // without our own: they are in no index, and nothing above depends on them
	}
	name := filepath.Join(r.Dir, "status")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return name, c.WriteStatus(ctx, snapshot, all, f)
}

// fetch brings the packages that the store lacks.
func (b *Builder) fetch(ctx context.Context, r *step.Run, c *apt.Client, pkgs []apt.Package) error {
	opt := apt.FetchOptions{Temp: r.Dir, Jobs: b.opt.Jobs}
	if b.opt.Vendor != "" {
		vendor := file.Open(b.opt.Vendor)
		defer vendor.Close()
		opt.First = vendor
	}
	if !b.opt.Offline {
		var err error
		if opt.Mirror, err = b.mirrorOf(ctx, c, pkgs); err != nil {
			return err
		}
	}
	return c.Fetch(ctx, pkgs, b.store, opt)
}

// localDebs links the packages that forge made into r.Dir under their own names.
func localDebs(r *step.Run, debs []*step.Step) ([]string, error) {
	var out []string
	for _, s := range debs {
		path, err := r.Blob(s.Out("deb"))
		if err != nil {
			return nil, err
		}
		var info deb.Result
		if err := r.JSON(s.Out("info"), &info); err != nil {
			return nil, err
		}
		name := filepath.Join(r.Dir, info.Filename)
		if err := os.Symlink(path, name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, nil
}

// packages returns what a solve asked for as files for rootfs. Archives' packages that the store
// has lost are fetched again.
func (b *Builder) packages(ctx context.Context, r *step.Run, solve *step.Step, debs []*step.Step) ([]rootfs.Package, error) {
	var pkgs []apt.Package
	if err := r.JSON(solve.Out("packages"), &pkgs); err != nil {
		return nil, err
	}
	if err := b.fetch(ctx, r, &apt.Client{Temp: r.Dir, Sink: r.Sink}, pkgs); err != nil {
		return nil, err
	}
	var out []rootfs.Package
	for _, p := range pkgs {
		path, err := b.store.BlobPath(p.Digest)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", p, err)
		}
		out = append(out, rootfs.Package{Name: p.Name, Version: p.Version, Arch: p.Architecture, Path: path, Auto: p.Auto})
	}
	paths, err := localDebs(r, debs)
	for _, path := range paths {
		out = append(out, rootfs.Package{Path: path})
	}
	return out, err
}
