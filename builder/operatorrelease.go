package builder

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/archive/dist"
	"github.com/mesos-forge/forge/builder/deb"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// findRelease looks for the release archive that an upstream's package can be made of. There may be none;
// debs are the operator's packages: of them and the archive only one may be there. The patterns of its name
// come back too.
func (b *Builder) findRelease(vendor *file.Folder, c *recipe.Component, debs []string) (globs []string, o *operatorDeb, err error) {
	t := c.Upstream.Tarball
	a := c.Artifacts[t.Artifact]
	globs, found, err := matches(vendor, a)
	if err != nil {
		return nil, nil, err
	}
	name := c.Name + "/" + t.Artifact
	line, pinned := b.pins.artifact(name, a)
	pinned = pinned && !b.pins.write
	switch {
	case len(found) > 0 && len(found)+len(debs) > 1:
		return nil, nil, fmt.Errorf("%s has %d files for the package %s: %s; leave the one that is meant", vendor, len(found)+len(debs), c.Upstream.Package, strings.Join(append(debs, found...), ", "))
	case len(found) == 1 && b.pins.only && !pinned:
		return nil, nil, fmt.Errorf("%s is not in lock %s, which alone counts: take it away, or make a lock with it", filepath.Join(b.opt.Vendor, found[0]), b.pins.file)
	case len(found) == 1:
		o, err = b.readRelease(vendor, found[0], c)
		if err == nil && !pinned {
			b.files[c.Name].found[found[0]] = o.Digest
		}
		return globs, o, err
	case len(debs) == 0 && pinned && b.obtainable(line):
		version, err := layoutOf(c).Version(line.File)
		if err != nil {
			return nil, nil, fmt.Errorf("artifact %s in the lock: %w", name, err)
		}
		return globs, releaseOf(c, version, line.File, sha256Digest(line.SHA256), line.Size), nil
	case len(debs) == 0 && pinned && b.pins.only:
		return nil, nil, fmt.Errorf("lock %s has the release %s (sha256 %s) for the package %s, and no file matches %s in %s: put it there", b.pins.file, line.File, line.SHA256, c.Upstream.Package, strings.Join(globs, " or "), b.opt.Vendor)
	}
	return globs, nil, nil
}

// layoutOf is how the recipe describes a component's release archive.
func layoutOf(c *recipe.Component) dist.Layout {
	return dist.Layout{Program: c.Upstream.Package, Launchers: c.Upstream.Tarball.Launchers, Jars: c.Upstream.Tarball.Jars}
}

func releaseOf(c *recipe.Component, version, file string, d store.Digest, size int64) *operatorDeb {
	return &operatorDeb{Result: deb.Result{Name: c.Upstream.Package, Version: c.Upstream.Tarball.TarballVersion(version), Arch: "all", Filename: file},
		Digest: d, Size: size, Release: version}
}

// readRelease judges the archive at a path of the operator's folder.
func (b *Builder) readRelease(vendor *file.Folder, name string, c *recipe.Component) (*operatorDeb, error) {
	where := filepath.Join(b.opt.Vendor, name)
	f, err := vendor.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	artifact := c.Upstream.Tarball.Artifact
	a := source.Artifact{Name: c.Name + "/" + artifact, File: path.Base(name), Known: known(c.Artifacts[artifact])}
	if line, ok := b.pins.artifact(a.Name, c.Artifacts[artifact]); ok && !b.pins.write {
		a.Digest = sha256Digest(line.SHA256)
	}
	d, size, err := store.DigestReader(f)
	if err == nil {
		err = source.Check(a, source.Result{Digest: d, From: where})
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	info, err := layoutOf(c).Check(context.Background(), f, a.File)
	if err != nil {
		advice := "put the right one there"
		if c.Upstream.Standin != nil && b.opt.Profile != ProfileProduction {
			advice += ", or take it away to build with the stand-in"
		}
		return nil, fmt.Errorf("%s: %w; %s", where, err, advice)
	}
	return releaseOf(c, info.Version, a.File, d, size), nil
}

// packRelease returns the step that makes the upstream's package of its release archive.
func (b *Builder) packRelease(name string, c *recipe.Component, o operatorDeb) *step.Step {
	t := c.Upstream.Tarball
	sources := b.artifacts(c)
	set := struct {
		debSettings
		Dirs []node.Dir
	}{b.debSettings(c.Upstream.Package+" "+o.Version, nil), c.Dirs}
	l := b.layout(c.Dir, t.Layout, sources)
	l.clamp = c.Date()
	s := b.deb(name, l, b.stack.TarballInputs(c.Name), set,
		func(in deb.Inputs) (deb.Spec, error) { return deb.ForTarball(in, c, o.Release) })
	pack := s.Run
	s.Run = func(ctx context.Context, r *step.Run) error {
		// A mirror's has not been looked at yet.
		if err := b.checkRelease(ctx, r, sources, c); err != nil {
			return err
		}
		return pack(ctx, r)
	}
	return s
}

func (b *Builder) checkRelease(ctx context.Context, r *step.Run, sources *step.Step, c *recipe.Component) error {
	files := map[string]fetched{}
	if err := r.JSON(sources.Out("files"), &files); err != nil {
		return err
	}
	got := files[c.Upstream.Tarball.Artifact]
	at, err := b.store.BlobPath(got.Digest)
	if err != nil {
		return err
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = layoutOf(c).Check(ctx, f, got.File)
	return err
}
