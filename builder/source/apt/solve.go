package apt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Request is what shall be installed.
type Request struct {
	Name string // for messages: "base", "role slave"
	// Install are package names, each possibly with =VERSION or /SUITE.
	Install []string
	// Essential adds every package that is marked Essential: yes, as a first install wants.
	Essential bool
	// LocalDebs are paths of .deb files that are installed too; apt resolves what they depend on.
	LocalDebs []string
	// Status is the path of dpkg's status file of what is installed already (see WriteStatus);
	// empty: nothing is.
	Status string
}

// itemRE is what may be asked for: no apt patterns, no "name-" (which would remove).
var itemRE = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+](:[a-z0-9]+)?(=[A-Za-z0-9.+~:-]+|/[A-Za-z0-9._/-]+)?$`)

// Solve asks apt what has to be installed, in the order in which apt would unpack it, local
// packages last. Recommends are never followed. Nothing is fetched. A request that can't be met, or
// only by removing or replacing what is installed, gives an *Error.
func (c *Client) Solve(ctx context.Context, s *Snapshot, req Request) ([]Package, error) {
	what := "solve " + req.Name
	for _, item := range req.Install {
		if !itemRE.MatchString(item) {
			return nil, fmt.Errorf("apt: %s: %q is not a package name (name, name=version or name/suite)", what, item)
		}
	}
	locals, err := c.readLocals(ctx, req.LocalDebs)
	if err != nil {
		return nil, fmt.Errorf("apt: %s: %w", what, err)
	}
	if len(req.Install)+len(locals) == 0 && !req.Essential {
		return nil, nil
	}
	prefer, err := s.preferences()
	if err != nil {
		return nil, fmt.Errorf("apt: %s: %w", what, err)
	}
	r, err := c.newRoot(rootSpec{arch: s.Arch, lists: s.lists(), status: req.Status, sources: s.sources(), prefer: prefer})
	if err != nil {
		return nil, err
	}
	defer r.remove()
	out, err := c.run(ctx, r.config, installArgs(s, req)...)
	if err != nil {
		return nil, s.solveError(what, out, err)
	}
	p, err := parsePlan(out)
	if err != nil {
		return nil, fmt.Errorf("apt: %s: %w", what, err)
	}
	if len(p.removed)+len(p.upgraded) > 0 {
		return nil, &Error{What: what, Explanation: p.changes(), Err: errChanges,
			Hint: "A layer only adds packages: mend the role's list, or build the layer below again from the same indexes."}
	}
	pkgs, err := s.resolve(p, locals)
	if err != nil {
		return nil, fmt.Errorf("apt: %s: %w", what, err)
	}
	markAuto(pkgs, req, p)
	return pkgs, nil
}

var errChanges = errors.New("installed packages would change")

func installArgs(s *Snapshot, req Request) []string {
	// Not -q: it would drop the note about which package was taken for a virtual name.
	args := []string{"apt-get", "-q=0", "-o", "quiet::NoProgress=true", "-y", "--print-uris", "-o", "Acquire::ForceHash=SHA256", "install"}
	if req.Essential {
		args = append(args, "?narrow(?architecture("+s.Arch+"),?essential)")
	}
	args = append(args, req.Install...)
	for _, p := range req.LocalDebs {
		if abs, err := filepath.Abs(p); err == nil {
			p = abs // apt tells a file from a name by the slash
		}
		args = append(args, p)
	}
	return args
}

// readLocals reads what the local packages are.
func (c *Client) readLocals(ctx context.Context, paths []string) (map[string]Package, error) {
	out := map[string]Package{}
	for _, path := range paths {
		text, err := c.run(ctx, "", "dpkg-deb", "--field", path)
		if err != nil {
			return nil, err
		}
		p, err := parseParagraph([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		pkg, err := packageOf(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		pkg.Filename = ""
		if pkg.Digest, pkg.Size, err = digestOf(path); err != nil {
			return nil, err
		}
		pkg.Local = path
		if other, twice := out[pkg.Name]; twice {
			return nil, fmt.Errorf("%s and %s are both package %s", other.Local, path, pkg.Name)
		}
		out[pkg.Name] = pkg
	}
	return out, nil
}

// resolve turns apt's plan into packages: those of the archives by their path in the pool, then
// the local ones. Every package that apt names as new must be among them, and none else.
func (s *Snapshot) resolve(p *plan, locals map[string]Package) ([]Package, error) {
	byFile := map[poolFile]bool{}
	var order []poolFile
	for _, u := range p.uris {
		f, err := s.poolFile(u.uri)
		if err != nil {
			return nil, err
		}
		if f.archive == "" {
			continue // file: a local package
		}
		order, byFile[f] = append(order, f), true
	}
	found, err := s.find(byFile)
	if err != nil {
		return nil, err
	}
	left := map[string]bool{}
	for _, n := range p.added {
		left[n] = true
	}
	out := make([]Package, 0, len(order)+len(locals))
	for i, f := range order {
		pkg := found[f]
		if want := p.hashes[f.uri]; want != "" && want != pkg.Digest.Hex() {
			return nil, fmt.Errorf("%s: apt names digest %s, the index %s", pkg, want, pkg.Digest.Hex())
		}
		if !left[pkg.Name] {
			return nil, fmt.Errorf("apt wants file %d, %s, of a package that it does not name as new", i, f.name)
		}
		delete(left, pkg.Name)
		out = append(out, pkg)
	}
	for _, name := range p.added {
		if local, ok := locals[name]; ok && left[name] {
			out = append(out, local)
			delete(left, name)
		}
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("apt would install %s but names no file for it", strings.Join(sortedKeys(left), ", "))
	}
	return out, nil
}

// markAuto marks what no request named.
func markAuto(pkgs []Package, req Request, p *plan) {
	named := map[string]bool{}
	for _, item := range req.Install {
		name := item[:len(item)-len(strings.TrimLeft(item, "abcdefghijklmnopqrstuvwxyz0123456789+.-"))]
		named[name] = true
		if real, ok := p.selected[name]; ok {
			named[real] = true
		}
	}
	for i := range pkgs {
		k := &pkgs[i]
		k.Auto = !named[k.Name] && k.Local == "" && (!req.Essential || !k.Essential)
	}
}

func sortedKeys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
