package builder

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/source/http"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// Profiles say what a build may be made of.
const (
	ProfileLab        = "lab"        // stand-ins take the place of packages that are not at hand
	ProfileProduction = "production" // no stand-ins
)

// operatorDeb is the operator's own package of a component: it comes before the stand-in.
type operatorDeb struct {
	deb.Result // Filename is its base name in the operator's folder
	Digest     store.Digest
	Size       int64 // bytes
	// Release is the version of the release archive that the package is made of; "" where it is taken as it
	// is. Filename, Digest and Size are then the archive's.
	Release string
	// Found is which of its paths each of the recipe's finds has; nil: the first ones.
	Found []int
}

// findOperatorDebs looks for the operator's packages of a role's components. None is an error
// unless a stand-in may take its place; so are several, and files that are not what their names say.
func (b *Builder) findOperatorDebs(r *recipe.Role) error {
	vendor := file.Open(b.opt.Vendor)
	defer vendor.Close()
	for _, name := range r.Components {
		c := b.stack.Components[name]
		if c.Upstream == nil || b.operator[name] != nil {
			continue
		}
		found, err := b.findOperatorDeb(vendor, c)
		if err != nil {
			return fmt.Errorf("component %s: %w", name, err)
		}
		if found != nil {
			b.operator[name] = found
		}
	}
	return nil
}

func (b *Builder) findOperatorDeb(vendor *file.Folder, c *recipe.Component) (*operatorDeb, error) {
	globs, found, err := matches(vendor, c.Artifacts[c.Upstream.Artifact])
	if err != nil {
		return nil, err
	}
	line, pinned := b.pins.artifact(c.Name+"/"+c.Upstream.Artifact, c.Artifacts[c.Upstream.Artifact])
	if c.Upstream.Tarball != nil {
		more, release, err := b.findRelease(vendor, c, found)
		if err != nil || release != nil {
			return release, err
		}
		globs = append(globs, more...)
	}
	switch {
	case len(found) > 1:
		return nil, fmt.Errorf("%s has %d files for the package %s: %s; leave the one that is meant", vendor, len(found), c.Upstream.Package, strings.Join(found, ", "))
	case len(found) == 1:
		return b.readOperatorDeb(vendor, found[0], c)
	case pinned && !b.pins.write && b.obtainable(line):
		o, err := pinnedDeb(line)
		if err == nil {
			o.Found = b.pinnedPaths(c)
		}
		return o, err
	case b.pins.only && pinned:
		return nil, fmt.Errorf("lock %s has the operator's package %s (sha256 %s), and no file matches %s in %s: put it there", b.pins.file, line.File, line.SHA256, strings.Join(globs, " or "), b.opt.Vendor)
	case c.Upstream.Standin == nil:
		return nil, fmt.Errorf("no file matches %s in %s, and nothing stands in for the package %s: put it there", strings.Join(globs, " or "), b.opt.Vendor, c.Upstream.Package)
	case b.opt.Profile == ProfileProduction:
		return nil, fmt.Errorf("no file matches %s in %s, and stand-ins are for the profile %s only: put the operator's package %s there, or build with --profile %s",
			strings.Join(globs, " or "), b.opt.Vendor, ProfileLab, c.Upstream.Package, ProfileLab)
	}
	return nil, nil
}

// obtainable tells whether the operator's file that the lock pins may come from elsewhere than the operator's folder.
func (b *Builder) obtainable(line lock.Artifact) bool {
	return len(b.opt.Mirrors) > 0 && !b.opt.Offline || b.opt.bundle.has(sha256Digest(line.SHA256))
}

// matches looks for the files of the operator's folder that an artifact may be.
func matches(vendor *file.Folder, a recipe.Artifact) (globs, found []string, err error) {
	for _, s := range a.Sources {
		if s.File == "" {
			continue
		}
		paths, err := vendor.Match(s.File)
		if err != nil {
			return nil, nil, err
		}
		globs, found = append(globs, s.File), append(found, paths...)
	}
	slices.Sort(found)
	return globs, slices.Compact(found), nil
}

// pinnedDeb is a package that a lock names and a mirror of the operator may have.
func pinnedDeb(line lock.Artifact) (*operatorDeb, error) {
	parts := strings.Split(strings.TrimSuffix(line.File, ".deb"), "_")
	if len(parts) != 3 {
		return nil, fmt.Errorf("artifact %s in the lock: the file %s is not named NAME_VERSION_ARCH.deb", line.Name, line.File)
	}
	version, err := url.PathUnescape(parts[1]) // an epoch's colon is %3a in a file's name
	if err != nil {
		return nil, fmt.Errorf("artifact %s in the lock: file %s: %w", line.Name, line.File, err)
	}
	return &operatorDeb{Result: deb.Result{Name: parts[0], Version: version, Arch: parts[2], Filename: line.File},
		Digest: sha256Digest(line.SHA256), Size: line.Size}, nil
}

// readOperatorDeb reads what the package at path says about itself.
func (b *Builder) readOperatorDeb(vendor *file.Folder, path string, c *recipe.Component) (*operatorDeb, error) {
	where := filepath.Join(b.opt.Vendor, path)
	wrong := func(format string, args ...any) error {
		advice := "put the right one there"
		if c.Upstream.Standin != nil && b.opt.Profile != ProfileProduction {
			advice += ", or take it away to build with the stand-in"
		}
		return fmt.Errorf("%s %w: it should be the Debian package %s for %s; %s", where, fmt.Errorf(format, args...),
			c.Upstream.Package, strings.Join(b.stack.Arch, " or "), advice)
	}
	f, err := vendor.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	d, err := archive.OpenDeb(context.Background(), f, info.Size(), archive.DebOptions{Name: filepath.Base(path), XZ: rootfs.XZ})
	if err != nil {
		return nil, wrong("is no package: %w", err)
	}
	o := &operatorDeb{Result: deb.Result{Name: d.Control.Get("Package"), Version: d.Control.Get("Version"),
		Arch: d.Control.Get("Architecture"), Filename: filepath.Base(path)}}
	switch {
	case o.Name != c.Upstream.Package:
		return nil, wrong("holds the package %s", o.Name)
	case o.Arch != "all" && !slices.Contains(b.stack.Arch, o.Arch):
		return nil, wrong("is for the architecture %s", o.Arch)
	case strings.Contains(o.Version, "~standin"):
		return nil, wrong("is itself a stand-in, version %s", o.Version)
	case renamed(o.Filename, o.Version):
		return nil, wrong("holds the version %s, which its name does not say", o.Version)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if o.Digest, o.Size, err = store.DigestReader(f); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if err := b.checkOperatorDeb(o, where, c); err != nil {
		return nil, err
	}
	if o.Found, err = findPaths(context.Background(), d, c.Upstream.Finds); err != nil {
		return nil, wrong("is not laid out as a package of %s: %w", c.Upstream.Package, err)
	}
	return o, nil
}

// renamed tells whether the name of a package's file, NAME_VERSION_ARCH.deb, says another version than the
// package: the recipe's patterns choose by the name. An epoch may be left out, as dpkg-deb does.
func renamed(file, version string) bool {
	parts := strings.Split(strings.TrimSuffix(file, ".deb"), "_")
	if len(parts) != 3 {
		return false // says nothing
	}
	said, err := url.PathUnescape(parts[1])
	_, withoutEpoch, hasEpoch := strings.Cut(version, ":")
	return err != nil || said != version && (!hasEpoch || said != withoutEpoch)
}

// checkOperatorDeb compares the digest with the lock's, or else with those that the recipe knows.
// Who makes a lock may bring another package than the old one has.
func (b *Builder) checkOperatorDeb(o *operatorDeb, where string, c *recipe.Component) error {
	r := c.Artifacts[c.Upstream.Artifact]
	a := source.Artifact{Name: c.Name + "/" + c.Upstream.Artifact, File: o.Filename, Known: known(r)}
	if line, ok := b.pins.artifact(a.Name, r); ok && !b.pins.write {
		a.Digest = sha256Digest(line.SHA256)
	} else if b.pins.only {
		return fmt.Errorf("%s is not in lock %s, which alone counts: take it away, or make a lock with it", where, b.pins.file)
	}
	return source.Check(a, source.Result{Digest: o.Digest, From: where})
}

// standsIn tells whether a stand-in takes the place of the component's upstream package.
func (b *Builder) standsIn(c *recipe.Component) bool {
	return c.Upstream != nil && b.operator[c.Name] == nil
}

// standIns are the packages of a role that are stand-ins or hold some.
func (b *Builder) standIns(r *recipe.Role) []string {
	var out []string
	for _, name := range r.Components {
		c := b.stack.Components[name]
		if b.standsIn(c) {
			out = append(out, c.Upstream.Package)
		}
		if b.fileStandsIn(c) {
			out = append(out, c.PackageName())
		}
	}
	return out
}

// upstream returns the step for a package that keeps its upstream's name: the operator's file
// as it is, or the stand-in.
func (b *Builder) upstream(name string, c *recipe.Component) *step.Step {
	if o := b.operator[c.Name]; o != nil && o.Release != "" {
		return b.packRelease(name, c, *o)
	} else if o != nil {
		return b.takeOperatorDeb(name, c, *o)
	}
	s := c.Upstream.Standin
	set := struct {
		debSettings
		Homepage string
		Dirs     []node.Dir
	}{b.debSettings(c.Upstream.Package+" "+s.Version, nil), c.Homepage, c.Dirs}
	return b.deb(name, b.layout(c.Dir, s.Layout, nil), b.stack.StandinInputs(c.Name), set,
		func(in deb.Inputs) (deb.Spec, error) { return deb.ForStandin(in, c) })
}

// takeOperatorDeb returns the step that takes the operator's package as it is.
func (b *Builder) takeOperatorDeb(name string, c *recipe.Component, o operatorDeb) *step.Step {
	return &step.Step{Name: name, Kind: "operator-deb", Version: 3, Settings: o.Filename, Inputs: map[string]store.Digest{o.Filename: o.Digest},
		Run: func(ctx context.Context, r *step.Run) error {
			vendor := file.Open(b.opt.Vendor)
			defer vendor.Close()
			own, err := b.ownPlaces(vendor, http.New(http.Options{Sink: r.Sink}))
			if err != nil {
				return err
			}
			a := source.Artifact{Name: c.Name + "/" + c.Upstream.Artifact, File: o.Filename, Digest: o.Digest, Size: o.Size}
			res, err := own.Fetch(ctx, a, b.store)
			if err != nil {
				return err
			}
			if err := b.comparePaths(ctx, res, c, o); err != nil {
				return err
			}
			r.PutBlob("deb", res.Digest, res.Size)
			return r.PutJSON("info", o.Result)
		}}
}
