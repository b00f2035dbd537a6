package builder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/source/maven"
	"github.com/mesos-forge/forge/builder/source/pypi"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// lockFile is the name of the file in a stack's folder that pins what the stack is built from.
const lockFile = "forge.lock"

// pins is what a build knows of its lock.
type pins struct {
	file  string // for messages
	lock  *lock.Lock
	only  bool // nothing but what stands in the lock is used
	write bool // a new lock is made: what has no line yet is taken as it comes

	builds map[string]Build // by artifact
}

// readPins reads the lock that a build goes by: the one that opt names, or the stack's own.
func readPins(opt Options) (pins, error) {
	p := pins{file: opt.Lock, only: opt.Locked || opt.Lock != "", write: opt.locking, builds: opt.Builds}
	if p.file == "" {
		p.file = filepath.Join(opt.Checkout, "recipes", opt.Stack, lockFile)
	}
	l, err := lock.Read(p.file)
	switch {
	case errors.Is(err, os.ErrNotExist) && p.write:
		return p, nil
	case errors.Is(err, os.ErrNotExist) && opt.Lock == "":
		return p, fmt.Errorf("stack %s has no lock: %w\nforge lock --stack %s makes it", opt.Stack, err, opt.Stack)
	case err != nil:
		return p, err
	case l.Stack != opt.Stack:
		return p, fmt.Errorf("lock %s is of stack %s, not of %s: name the right stack with --stack, or another lock", p.file, l.Stack, opt.Stack)
	}
	p.lock = l
	if opt.bundle != nil && opt.Lock == opt.bundle.lock {
		p.file = lockFile + " of the bundle " + opt.bundle.path
	}
	return p, nil
}

// date is the time of everything in the results.
func (p pins) date() time.Time {
	if p.lock == nil {
		return time.Time{} // of a first lock: nothing that it makes has a date
	}
	return p.lock.Date
}

// artifact returns the lock's line for an artifact. A line that was written for other sources
// than the recipe names now does not count.
func (p pins) artifact(name string, a recipe.Artifact) (lock.Artifact, bool) {
	if p.lock == nil {
		return lock.Artifact{}, false
	}
	line, ok := p.lock.Artifact(name)
	return line, ok && p.origin(name, a) == line.Kind+" "+line.Purl
}

// origin is kind and package URL of what the first of an artifact's sources has.
func (p pins) origin(name string, a recipe.Artifact) string {
	line := p.describe(name, a)
	return line.Kind + " " + line.Purl
}

// buildKind is the kind, in a lock, of artifacts that were built.
const buildKind = "maven-build"

// buildPurl names what an artifact is built of: a commit's id is the same wherever the repository lies.
func (p pins) buildPurl(artifact string) string {
	return "pkg:generic/" + artifact + "@" + p.builds[artifact].Commit
}

// isBuilt tells whether an artifact is built where no file of it is at hand.
func (p pins) isBuilt(artifact string, a recipe.Artifact) bool {
	_, named := p.builds[artifact]
	return named && buildOf(a) != nil
}

// describe is what a lock says about the artifact COMPONENT/NAME besides its bytes.
func (p pins) describe(name string, a recipe.Artifact) lock.Artifact {
	if artifact := path.Base(name); p.isBuilt(artifact, a) {
		return lock.Artifact{Kind: buildKind, Purl: p.buildPurl(artifact)}
	}
	return describe(a)
}

// describe says what the recipe alone tells.
func describe(a recipe.Artifact) lock.Artifact {
	for _, s := range a.Sources {
		switch {
		case s.Maven != "":
			if co, err := maven.Parse(s.Maven); err == nil {
				return lock.Artifact{Kind: "maven", Version: co.Version, Purl: co.Purl()}
			}
		case s.PyPI != "":
			if req, err := pypi.Parse(s.PyPI); err == nil {
				return lock.Artifact{Kind: "pypi", Version: req.Version, Purl: req.Purl()}
			}
		case s.HTTP != "":
			return lock.Artifact{Kind: "http"}
		}
	}
	return lock.Artifact{Kind: "file"}
}

// check finds the artifacts of a component that nothing pins. The operator's own files need no
// pin, unless nothing but the lock counts.
func (p pins) check(c *recipe.Component) error {
	if p.write {
		return nil
	}
	var errs []error
	for _, name := range sortedNames(c.Artifacts) {
		a := c.Artifacts[name]
		_, pinned := p.artifact(c.Name+"/"+name, a)
		own := c.Upstreams(name) // checked when it is used, as what has a stand-in or is optional
		free := own || a.Standin != nil || a.Optional || !p.only && (len(a.SHA256) > 0 || describe(a).Kind == "file")
		if pinned || free && !p.isBuilt(name, a) {
			continue
		}
		was := ""
		if line, ok := p.lock.Artifact(c.Name + "/" + name); ok {
			was = fmt.Sprintf(" (its line is for %s)", strings.TrimSpace(line.Kind+" "+line.Purl))
		}
		errs = append(errs, fmt.Errorf("%s: artifact %s/%s (%s) is not pinned by %s%s: forge lock --stack %s pins it",
			c.Path, c.Name, name, strings.TrimSpace(p.origin(c.Name+"/"+name, a)), p.file, was, p.lock.Stack))
	}
	return errors.Join(errs...)
}

// inputs are the lock's lines for a component's artifacts as inputs of a step.
func (p pins) inputs(c *recipe.Component) map[string]store.Digest {
	in := map[string]store.Digest{}
	for name, a := range c.Artifacts {
		if line, ok := p.artifact(c.Name+"/"+name, a); ok {
			in[lockFile+" artifacts "+line.Name] = sha256Digest(line.SHA256)
		}
	}
	return in
}

// locked is solve for a build that uses nothing but its lock: the packages are those that stand in it.
func (b *Builder) locked(name string) (*step.Step, error) {
	lines, ok := b.pins.lock.Debs[name]
	if !ok {
		return nil, fmt.Errorf("lock %s has no packages for %s: it was written for other roles; make a lock with forge lock, or build without --locked", b.pins.file, name)
	}
	return b.lockedDebs(name, lines), nil
}

const lockedDebsKind = "locked-debs"

// lockedDebs is the step that takes these packages.
func (b *Builder) lockedDebs(name string, lines []lock.Deb) *step.Step {
	debs := slices.Clone(lines)
	in, order := map[string]store.Digest{}, make([]string, len(debs))
	pkgs := make([]apt.Package, len(debs))
	for i, d := range debs {
		pkgs[i] = debPackage(d)
		order[i] = d.Name + ":" + d.Arch
		in[lockFile+" debs "+name+" "+order[i]] = sha256Digest(d.SHA256)
		debs[i].SHA256 = ""
	}
	set := struct {
		Order  []string
		Fields store.Digest // of what the lines say besides digests, which are inputs
	}{order, store.DigestOf(fmt.Appendf(nil, "%+v", debs))}
	return &step.Step{Name: "solve/" + name, Kind: lockedDebsKind, Version: 1, Settings: set, Inputs: in,
		Run: func(ctx context.Context, r *step.Run) error {
			if err := b.fetch(ctx, r, &apt.Client{Temp: r.Dir, Sink: r.Sink}, pkgs); err != nil {
				return err
			}
			return r.PutJSON("packages", pkgs)
		}}
}

// lockedDeb is a package as it stands in a lock, and all that later steps see of it: so that a
// build from a lock makes the steps of the build that wrote it.
func lockedDeb(p apt.Package) lock.Deb {
	d := lock.Deb{Name: p.Name, Version: p.Version, Arch: p.Architecture, Size: p.Size, SHA256: p.Digest.Hex(),
		Filename: p.Filename, Archive: p.Archive, Auto: p.Auto}
	if p.Source != p.Name {
		d.Source = p.Source
	}
	if p.SourceVersion != p.Version {
		d.SourceVersion = p.SourceVersion
	}
	if plainText(p.Homepage) {
		d.Home = p.Homepage
	}
	return d
}

func debPackage(d lock.Deb) apt.Package {
	p := apt.Package{Name: d.Name, Version: d.Version, Architecture: d.Arch, Source: d.Source, SourceVersion: d.SourceVersion,
		Digest: sha256Digest(d.SHA256), Size: d.Size, Filename: d.Filename, Archive: d.Archive, Auto: d.Auto, Homepage: d.Home}
	if p.Source == "" {
		p.Source = p.Name
	}
	if p.SourceVersion == "" {
		p.SourceVersion = p.Version
	}
	return p
}

// plainText tells whether a lock can hold s.
func plainText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

func sha256Digest(hex string) store.Digest { return store.Digest("sha256:" + hex) }

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
