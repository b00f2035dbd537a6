package publish

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Spec is what a Bill is drawn up from.
type Spec struct {
	Stack, Version, Role, Arch string
	Epoch                      time.Time
	Layers                     []Layer // a layer comes after those below it
	Tool                       bool    // the role has an image and no disk
}

// Layer is one tree with the packages that were put into it.
type Layer struct {
	Name  string
	Dir   string   // the tree, or the delta over those below
	Below []string // names of the layers below it, the topmost first
	// Packages that the layer adds. Their licence is read from the tree; one that is set
	// already counts where the tree says none. Layers is filled in by Collect.
	Packages []Package
}

// Collect draws up the bill: it reads what dpkg says is installed in each layer, compares it with
// what was put there, and reads the licences. Packages of a tree that nobody put there, and the
// other way round, are an error: the bill would not be exact.
func Collect(s Spec) (*Bill, []Extracted, error) {
	c := collector{spec: s, packages: map[string]*Package{}, refs: map[string]Extracted{}}
	for _, l := range s.Layers {
		if err := c.layer(l); err != nil {
			return nil, nil, fmt.Errorf("packages of layer %s of role %s: %w", l.Name, s.Role, err)
		}
	}
	b := &Bill{Format: billFormat, Stack: s.Stack, Version: s.Version, Role: s.Role, Arch: s.Arch, Created: s.Epoch.UTC().Truncate(time.Second), StandIns: []string{}, tool: s.Tool}
	for _, p := range c.packages {
		slices.Sort(p.Layers)
		b.Packages = append(b.Packages, *p)
		if p.StandIn {
			b.StandIns = append(b.StandIns, p.Name)
		}
	}
	slices.Sort(b.StandIns)
	slices.SortFunc(b.Packages, func(x, y Package) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Architecture, y.Architecture))
	})
	var refs []Extracted
	for _, id := range sortedKeys(c.refs) {
		refs = append(refs, c.refs[id])
	}
	return b, refs, nil
}

type collector struct {
	spec     Spec
	packages map[string]*Package // by NAME:ARCHITECTURE
	refs     map[string]Extracted
}

func (c *collector) layer(l Layer) (err error) {
	dirs, below := []string{l.Dir}, map[string]string{}
	for _, name := range l.Below {
		at := slices.IndexFunc(c.spec.Layers, func(o Layer) bool { return o.Name == name })
		if at < 0 {
			return fmt.Errorf("no layer is called %s", name)
		}
		dirs = append(dirs, c.spec.Layers[at].Dir)
		for _, p := range c.spec.Layers[at].Packages {
			below[p.Name+":"+p.Architecture] = p.Version
		}
	}
	v, err := openView(dirs...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	status, err := v.status()
	if err != nil {
		return err
	}
	for _, p := range l.Packages {
		key := p.Name + ":" + p.Architecture
		have, ok := status[key]
		if !ok || have.version != p.Version {
			return fmt.Errorf("package %s %s was put into the tree, where dpkg has %q of it", key, p.Version, have.version)
		}
		p.InstalledSize = have.size
		c.add(v, p, l.Name)
		below[key] = p.Version
	}
	for _, key := range sortedKeys(status) {
		if below[key] != status[key].version {
			return fmt.Errorf("dpkg has package %s %s in the tree, where %q of it was put", key, status[key].version, below[key])
		}
	}
	return nil
}

// add enters a package, or the further layer of one that two deltas have.
func (c *collector) add(v view, p Package, layer string) {
	key := p.Name + ":" + p.Architecture
	if have := c.packages[key]; have != nil {
		have.Layers = append(have.Layers, layer)
		return
	}
	p.Layers = []string{layer}
	p.Licence, p.LicenceFile = c.licence(v, p)
	c.packages[key] = &p
}

// licence reads the package's copyright file. One that is not there or not for machines to read is
// not an error: nothing is claimed then.
func (c *collector) licence(v view, p Package) (expression, file string) {
	if p.Licence == "" {
		p.Licence = NoAssertion
	}
	file = "usr/share/doc/" + p.Name + "/copyright"
	content, err := v.read(file, maxCopyright)
	if errors.Is(err, fs.ErrNotExist) {
		return p.Licence, ""
	}
	if err != nil {
		return p.Licence, "/" + file
	}
	expression, refs, err := ParseCopyright(content, p.Source)
	if err == nil && c.clash(refs) { // two packages of one source with different texts
		expression, refs, err = ParseCopyright(content, p.Source+"-"+p.Name)
	}
	if err != nil {
		return p.Licence, "/" + file
	}
	for _, r := range refs {
		c.refs[r.ID] = r
	}
	return expression, "/" + file
}

func (c *collector) clash(refs []Extracted) bool {
	return slices.ContainsFunc(refs, func(r Extracted) bool {
		have, ok := c.refs[r.ID]
		return ok && have != r
	})
}
