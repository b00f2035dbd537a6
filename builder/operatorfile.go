package builder

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive/standin"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/file"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// operatorFiles is what the operator's folder has for a component's artifacts that may come from it.
type operatorFiles struct {
	found    map[string]store.Digest // by the file's path, of those that no lock pins
	standIns []string                // artifacts that stand-ins take the place of, sorted
	optional []string                // optional artifacts that are at hand, sorted
	absent   []string                // optional artifacts that are not
	built    map[string]built        // artifacts that are built, by name
}

// findOperatorFiles looks for the artifacts of a role's components in the operator's folder, so that a
// file that is not the right one is told by name, and another file makes another step.
func (b *Builder) findOperatorFiles(r *recipe.Role) error {
	vendor := file.Open(b.opt.Vendor)
	defer vendor.Close()
	for _, name := range r.Components {
		c := b.stack.Components[name]
		if _, done := b.files[name]; done {
			continue
		}
		files := operatorFiles{found: map[string]store.Digest{}}
		for _, artifact := range sortedNames(c.Artifacts) {
			if err := b.findOperatorFile(vendor, c, artifact, &files); err != nil {
				return fmt.Errorf("component %s: artifact %s: %w", name, artifact, err)
			}
		}
		b.files[name] = files
	}
	return nil
}

func (b *Builder) findOperatorFile(vendor *file.Folder, c *recipe.Component, artifact string, files *operatorFiles) error {
	a := c.Artifacts[artifact]
	var globs, found []string
	elsewhere := false // another source than the operator's folder
	for _, s := range a.Sources {
		if s.File == "" {
			elsewhere = elsewhere || s.MavenBuild == nil
			continue
		}
		paths, err := vendor.Match(s.File)
		if err != nil {
			return err
		}
		globs, found = append(globs, s.File), append(found, paths...)
	}
	if err := refuse(vendor, a, globs, b.opt.Vendor); err != nil {
		return err
	}
	if c.Upstreams(artifact) || len(globs) == 0 && buildOf(a) == nil {
		return nil // see findOperatorDebs
	}
	if b.pins.isBuilt(artifact, a) {
		if a.Optional {
			files.optional = append(files.optional, artifact)
		}
		return b.findBuild(c, artifact, found, files)
	}
	_, pinned := b.pins.artifact(c.Name+"/"+artifact, a)
	want, build := strings.Join(globs, " or "), ""
	if buildOf(a) != nil {
		build = fmt.Sprintf(", or name in the setting builds.%s the repository and commit to build it from", artifact)
	}
	pinned = pinned && !b.pins.write
	if a.Optional && !pinned && len(found) == 0 {
		files.absent = append(files.absent, artifact)
		return nil
	}
	if a.Optional {
		files.optional = append(files.optional, artifact)
	}
	switch {
	case pinned:
	case len(found) > 0 && b.pins.only:
		return fmt.Errorf("%s is not in lock %s, which alone counts: take it away, or make a lock with it", filepath.Join(b.opt.Vendor, found[0]), b.pins.file)
	case len(found) > 1 && len(a.SHA256) == 0:
		return fmt.Errorf("%s has %d files for it: %s; leave the one that is meant", vendor, len(found), strings.Join(found, ", "))
	case len(found) > 0:
		return files.add(vendor, found, source.Artifact{Name: c.Name + "/" + artifact, Known: known(a)}, b.opt.Vendor)
	case elsewhere || a.Standin == nil && b.pins.only: // which pins.check has told of
	case a.Standin == nil:
		return fmt.Errorf("no file matches %s in %s, and nothing stands in for it: put it there%s", want, b.opt.Vendor, build)
	case b.opt.Profile == ProfileProduction:
		return fmt.Errorf("no file matches %s in %s, and stand-ins are for the profile %s only: put it there%s, or build with --profile %s", want, b.opt.Vendor, ProfileLab, build, ProfileLab)
	default:
		files.standIns = append(files.standIns, artifact)
	}
	return nil
}

// refuse finds files that are easily taken for the artifact.
func refuse(vendor *file.Folder, a recipe.Artifact, globs []string, dir string) error {
	for _, r := range a.Refused {
		paths, err := vendor.Match(r.File)
		if err != nil {
			return err
		}
		for _, p := range paths {
			meant := func(glob string) bool {
				ok, err := path.Match(glob, path.Base(p))
				return err == nil && ok
			}
			if !slices.ContainsFunc(globs, meant) {
				return fmt.Errorf("%s is refused: %s; take it away, and put %s there", filepath.Join(dir, p), r.Reason, strings.Join(globs, " or "))
			}
		}
	}
	return nil
}

// add remembers what the files hold. One alone must be one that the recipe knows, if it knows any; of
// several the digest chooses.
func (o *operatorFiles) add(vendor *file.Folder, paths []string, a source.Artifact, dir string) error {
	for _, p := range paths {
		f, err := vendor.Open(p)
		if err != nil {
			return err
		}
		d, _, err := store.DigestReader(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if len(paths) == 1 {
			if err := source.Check(a, source.Result{Digest: d, From: filepath.Join(dir, p)}); err != nil {
				return err
			}
		}
		o.found[p] = d
	}
	return nil
}

// operatorFile is the base name that an artifact's file has, or its stand-in; "" where only fetching tells.
func (b *Builder) operatorFile(component, artifact string) (string, error) {
	a := b.stack.Components[component].Artifacts[artifact]
	files := b.files[component]
	if slices.Contains(files.standIns, artifact) {
		return a.Standin.File, nil
	}
	if line, ok := b.pins.artifact(component+"/"+artifact, a); ok {
		return line.File, nil
	}
	for _, p := range sortedNames(files.found) {
		for _, s := range a.Sources {
			if ok, err := path.Match(s.File, path.Base(p)); err != nil || ok {
				return path.Base(p), err
			}
		}
	}
	return "", nil
}

// fileStandsIn tells whether a stand-in takes the place of an artifact of the component.
func (b *Builder) fileStandsIn(c *recipe.Component) bool { return len(b.files[c.Name].standIns) > 0 }

// packageVersion is the version of the package that this build makes for a component.
func (b *Builder) packageVersion(c *recipe.Component) string {
	if b.fileStandsIn(c) {
		return c.StandinVersion()
	}
	return c.FullVersion(b.told(c))
}

// told is what the version of a component's package says of its content: the optional artifacts that are at hand,
// and links that don't lead to the usual place.
func (b *Builder) told(c *recipe.Component) []string {
	told := slices.Clone(b.files[c.Name].optional)
	if o := b.operator[c.Name]; o != nil {
		for i, f := range c.Upstream.Finds {
			if at := f.At(o.at(i)); at != "" {
				told = append(told, at)
			}
		}
	}
	return told
}

// atHand are a layout's operations without what optional artifacts that are absent would add.
func (b *Builder) atHand(c *recipe.Component) []recipe.Operation {
	var out []recipe.Operation
	for _, op := range c.Layout {
		if op, ok := op.Without(b.files[c.Name].absent); ok {
			out = append(out, op)
		}
	}
	return out
}

// writeStandIn makes the stand-in of an artifact, as an output of the step.
func (b *Builder) writeStandIn(r *step.Run, name string, s *recipe.StandinFile) (fetched, error) {
	at := filepath.Join(r.Dir, "standin-"+name)
	f, err := os.Create(at)
	if err != nil {
		return fetched{}, err
	}
	err = standin.Write(f, standin.Archive{File: s.File, Files: s.Files, Programs: s.Programs, Texts: s.Texts, Links: s.Links, Dirs: s.Dirs})
	if err := errors.Join(err, f.Close()); err != nil {
		return fetched{}, err
	}
	if f, err = os.Open(at); err != nil {
		return fetched{}, err
	}
	d, size, err := store.DigestReader(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fetched{}, err
	}
	return fetched{File: s.File, Digest: d, Size: size, StandIn: true}, r.PutFile("standin-"+name, at)
}
