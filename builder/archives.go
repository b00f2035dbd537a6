package builder

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/apt"
)

// debianID is the distribution whose archives the host's own apt entries name.
const debianID = "debian"

// archivesNamed says in one line which archives the images of a stack need and no setting names, before
// anything is fetched. Packages alone need none, nor does a build from a bundle.
func archivesNamed(s *recipe.Stack, opt Options) error {
	if s.Distribution.ID == debianID || opt.Only == OnlyPackages || opt.bundle != nil {
		return nil
	}
	var missing []string
	need := func(name, what string) {
		if opt.Archives[name].Main == "" && (name != s.Distribution.ID || s.Apt.Mirror == "") {
			missing = append(missing, fmt.Sprintf("a mirror of %s (apt.archives.%s.mirror)", what, name))
		}
	}
	need(s.Distribution.ID, strings.ToUpper(s.Distribution.ID[:1])+s.Distribution.ID[1:]+" "+s.Distribution.Version)
	for _, more := range s.Apt.More {
		need(more.Name, more.Summary)
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("images of the stack %s need %s: set it in forge.yaml, or make packages alone with --only packages", s.Name, strings.Join(missing, " and "))
}

// mirror returns where the archives are that a stack's section apt describes.
func (b *Builder) mirror(ctx context.Context, c *apt.Client, a recipe.Apt) (apt.Mirror, error) {
	if a.Origin == b.stack.Apt.Origin && b.stack.Distribution.ID != debianID {
		return b.otherMirror(), nil
	}
	return b.debianMirror(ctx, c)
}

// mirrorOf returns the mirror that has packages, all of one index.
func (b *Builder) mirrorOf(ctx context.Context, c *apt.Client, pkgs []apt.Package) (apt.Mirror, error) {
	other := b.otherMirror()
	names := []string{other.Name, other.Name + "-security"}
	for _, m := range other.More {
		names = append(names, m.Name)
	}
	theirs := func(p apt.Package) bool { return slices.Contains(names, p.Archive) }
	if b.stack.Distribution.ID != debianID && slices.ContainsFunc(pkgs, theirs) {
		return other, nil
	}
	return b.debianMirror(ctx, c)
}

// otherMirror is the one that settings name for a distribution that is not Debian, with the stack's
// further archives.
func (b *Builder) otherMirror() apt.Mirror {
	m := b.opt.Archives[b.stack.Distribution.ID]
	m.Name = b.stack.Distribution.ID
	if m.Main == "" {
		m.Main = b.stack.Apt.Mirror
	}
	if m.Keyring == "" {
		m.Keyring = b.stack.Apt.Keyring
	}
	for _, more := range b.stack.Apt.More {
		set := b.opt.Archives[more.Name]
		keyring := set.Keyring
		if keyring == "" {
			keyring = m.Keyring
		}
		m.More = append(m.More, apt.Archive{Name: more.Name, URI: set.Main, Suites: more.Suites, Components: more.Components, Keyring: keyring, Preferred: true})
	}
	return m
}

// debianMirror is where Debian's archives are. Finding that out asks the host's apt, so it is done once.
func (b *Builder) debianMirror(ctx context.Context, c *apt.Client) (apt.Mirror, error) {
	if b.opt.Mirror.Main != "" {
		return b.opt.Mirror, nil
	}
	if b.stack.Apt.Mirror != "" && b.stack.Distribution.ID == debianID {
		return apt.Mirror{Main: b.stack.Apt.Mirror, Keyring: b.stack.Apt.Keyring}, nil
	}
	b.host.Do(func() { b.host.mirror, b.host.err = c.HostMirror(ctx) })
	m := b.host.mirror
	if b.host.err == nil && b.stack.Apt.Keyring != "" && b.stack.Distribution.ID == debianID {
		m.Keyring = b.stack.Apt.Keyring
	}
	return m, b.host.err
}

// checkOrigin wants a mirror to be of the distribution that the stack is of.
func checkOrigin(s *apt.Snapshot, m apt.Mirror, a recipe.Apt) error {
	if m.Name == "" { // Debian's, or what a setting puts in its place
		return nil
	}
	for _, u := range s.Suites {
		if (u.Archive == m.Name || u.Archive == m.Name+"-security") && u.Origin != a.Origin {
			return fmt.Errorf("the archive that apt.archives.%s names is of %q, as the Release file of its suite %s says, not of %s", m.Name, u.Origin, u.Name, a.Origin)
		}
	}
	return nil
}
