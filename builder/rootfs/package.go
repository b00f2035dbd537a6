package rootfs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/archive"
)

// Package is one package to install: a .deb on this machine. Name, Version and Arch are what the
// caller believes it is; what the .deb says otherwise is an error. An empty one is not compared.
type Package struct {
	Name    string
	Version string
	Arch    string
	Path    string
	Auto    bool // only there because another package needs it (apt's Auto-Installed)
}

// unit is an open Package on its way into a tree.
type unit struct {
	Package
	deb       *archive.Deb
	file      *os.File
	conffiles map[string]bool // clean relative names
	slow      string          // why dpkg has to unpack it; "" when forge does

	paths   []unpacked        // what was unpacked, in the order of the package
	renamed map[string]string // clean name in the tree -> name in the package, where they differ
	newest  time.Time         // the newest of its files' times
}

// unpacked is an entry of a package, in the tree.
type unpacked struct {
	archive.Entry
	listed string // clean name as in the package
	lost   bool   // another package that replaces this one has it
}

// openAll opens every package, side by side, checks that it is what the caller says, and sorts
// them by name.
func openAll(ctx context.Context, packages []Package, jobs int) (units []*unit, err error) {
	units = make([]*unit, len(packages))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for i, p := range packages {
		group.Go(func() (err error) {
			units[i], err = openUnit(ctx, p)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		closeAll(units)
		return nil, err
	}
	// From here on nothing depends on the order in which a solver named them.
	slices.SortFunc(units, func(a, b *unit) int { return strings.Compare(a.Name, b.Name) })
	seen := map[string]string{}
	for _, u := range units {
		if other, twice := seen[u.Name]; twice {
			closeAll(units)
			return nil, fmt.Errorf("rootfs: package %s is given twice: %s and %s", u.Name, other, u.Path)
		}
		seen[u.Name] = u.Path
	}
	return units, nil
}

func closeAll(units []*unit) {
	for _, u := range units {
		if u != nil {
			u.file.Close()
		}
	}
}

func openUnit(ctx context.Context, p Package) (*unit, error) {
	f, err := os.Open(p.Path)
	if err != nil {
		return nil, fmt.Errorf("rootfs: package %s: %w", p.Name, err)
	}
	u, err := readUnit(ctx, p, f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("rootfs: %w", err)
	}
	return u, nil
}

func readUnit(ctx context.Context, p Package, f *os.File) (*unit, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	deb, err := archive.OpenDeb(ctx, f, info.Size(), archive.DebOptions{Name: filepath.Base(p.Path), XZ: XZ})
	if err != nil {
		return nil, err
	}
	u := &unit{Package: p, deb: deb, file: f, conffiles: map[string]bool{}, renamed: map[string]string{}}
	for _, c := range []struct {
		field string
		want  *string
	}{{"Package", &u.Name}, {"Version", &u.Version}, {"Architecture", &u.Arch}} {
		got := deb.Control.Get(c.field)
		if *c.want != "" && *c.want != got {
			return nil, fmt.Errorf("%s: its %s is %q, expected %q", p.Path, c.field, got, *c.want)
		}
		*c.want = got
	}
	for _, name := range deb.Conffiles {
		u.conffiles[strings.TrimPrefix(name, "/")] = true
	}
	return u, nil
}

func (u *unit) control(field string) string { return u.deb.Control.Get(field) }

func (u *unit) essential() bool { return u.control("Essential") == "yes" }

func (u *unit) script(name string) bool { return len(u.deb.Files[name]) > 0 }

// infoName is how dpkg names the package's files in its info directory.
func (u *unit) infoName() string {
	if u.control("Multi-Arch") == "same" {
		return u.Name + ":" + u.Arch
	}
	return u.Name
}

// provides lists the virtual packages.
func (u *unit) provides() []string {
	var out []string
	for _, r := range parseRelations(u.control("Provides")) {
		for _, alternative := range r {
			out = append(out, alternative.name)
		}
	}
	return out
}

// markSlow decides which packages dpkg has to unpack (see the package's documentation).
func markSlow(units []*unit, installed func(name string) bool) {
	order, n := configureOrder(units)
	core := map[string]bool{}
	for _, u := range order[:n] {
		core[u.Name] = true
		for _, v := range u.provides() {
			core[v] = true
		}
	}
	for _, u := range units {
		switch {
		case installed(u.Name):
			u.slow = "another version is installed in a lower tree"
		case core[u.Name]: // every system is begun by unpacking these at once
		case callsDivert(u.deb.Files["preinst"]):
			u.slow = "its preinst diverts files"
		case u.script("preinst"):
			if name := unusualPreDepends(u, units, core); name != "" {
				u.slow = "its preinst may need " + name + ", a Pre-Depends, configured"
			}
		}
	}
}

// unusualPreDepends returns a package that u's preinst might call: one that u pre-depends on, that
// is not in the core, and that has to be configured.
func unusualPreDepends(u *unit, units []*unit, core map[string]bool) string {
	for _, group := range parseRelations(u.control("Pre-Depends")) {
		if slices.ContainsFunc(group, func(a relation) bool { return core[a.name] }) {
			continue
		}
		for _, a := range group {
			i := slices.IndexFunc(units, func(o *unit) bool { return o.Name == a.name })
			if i >= 0 && units[i].script("postinst") {
				return a.name
			}
		}
	}
	return ""
}

// callsDivert reports whether a script adds or removes a diversion, comments aside.
func callsDivert(script []byte) bool {
	for line := range strings.Lines(string(script)) {
		code, _, _ := strings.Cut(strings.TrimSpace(line), "#")
		if strings.Contains(code, "dpkg-divert") {
			return true
		}
	}
	return false
}
