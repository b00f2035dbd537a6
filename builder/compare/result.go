package compare

import (
	"context"
	"slices"
)

// Result is how two things differ.
type Result struct {
	A     string `json:"a"` // what the two are called
	B     string `json:"b"`
	Same  bool   `json:"same"`
	Parts []Part `json:"parts"` // what both have, and what one of them has, sorted by kind and name
}

// Part is one part of what is compared: a role of a build, an image, a package, a lock.
type Part struct {
	Kind     string          `json:"kind"`               // "role", "image", "deb" or "lock"
	Name     string          `json:"name"`               // "slave", "forge-hadoop_1.2.1-3_all.deb"
	Change   Change          `json:"change,omitempty"`   // of the part as a whole: only one has it
	Settings []Value         `json:"settings,omitempty"` // labels, environment, fields, digests of files
	Layers   []LayerChange   `json:"layers,omitempty"`   // all of them
	First    *Difference     `json:"first,omitempty"`    // if layers differ and no file does: where
	Packages []PackageChange `json:"packages,omitempty"`
	Whole    *SizeChange     `json:"whole,omitempty"` // all files together
	Sizes    []SizeChange    `json:"sizes,omitempty"` // by package, what grew most first
	Files    []FileChange    `json:"files,omitempty"`
	Lock     []string        `json:"lock,omitempty"` // as lock.Diff says it
}

// Same tells whether the part is the same on both sides.
func (p *Part) Same() bool {
	return p.Change == "" && len(p.Settings)+len(p.Packages)+len(p.Files)+len(p.Lock) == 0 && p.First == nil && !slices.ContainsFunc(p.Layers, func(l LayerChange) bool { return !l.Same })
}

// Image is what an image is compared by.
type Image struct {
	Settings map[string]string
	Layers   []Layer
	Packages []Package // nil: those that dpkg has installed in it
}

// Images compares two images. Layers that both have are read once; images whose layers have equal digests are
// not read at all.
func (r *Reading) Images(ctx context.Context, part *Part, a, b Image) error {
	part.Settings = append(part.Settings, Values(a.Settings, b.Settings)...)
	part.Layers = Layers(a.Layers, b.Layers)
	if !slices.ContainsFunc(part.Layers, func(l LayerChange) bool { return !l.Same }) {
		if a.Packages != nil && b.Packages != nil {
			part.Packages = Packages(a.Packages, b.Packages)
		}
		return nil
	}
	if err := r.Ahead(ctx, slices.Concat(a.Layers, b.Layers)...); err != nil {
		return err
	}
	x, err := r.Tree(ctx, a.Layers)
	if err != nil {
		return err
	}
	y, err := r.Tree(ctx, b.Layers)
	if err != nil {
		return err
	}
	if err := part.trees(x, y, a.Packages, b.Packages); err != nil {
		return err
	}
	if len(part.Files) == 0 {
		part.First, err = First(ctx, a.Layers, b.Layers, r.Limits)
	}
	return err
}

// trees compares two file systems. Packages are those given, or of dpkg's own lists where one side gives none.
func (p *Part) trees(a, b *Tree, packagesA, packagesB []Package) error {
	inA, err := a.Packages()
	if err != nil {
		return err
	}
	inB, err := b.Packages()
	if err != nil {
		return err
	}
	p.Files = Files(a, b)
	whole, sizes := Sizes(a, b, inA, inB)
	p.Whole, p.Sizes = &whole, sizes
	if packagesA == nil || packagesB == nil {
		packagesA, packagesB = inA, inB
	}
	p.Packages = Packages(packagesA, packagesB)
	return nil
}

// Debs compares the content of two packages; what they say of themselves is compared by [DebSettings].
func (r *Reading) Debs(ctx context.Context, part *Part, a, b Layer) error {
	x, err := r.Tree(ctx, []Layer{a})
	if err != nil {
		return err
	}
	y, err := r.Tree(ctx, []Layer{b})
	if err != nil {
		return err
	}
	part.Files = Files(x, y)
	whole := SizeChange{A: x.whole(), B: y.whole()}
	part.Whole = &whole
	if len(part.Files) == 0 {
		part.First, err = First(ctx, []Layer{a}, []Layer{b}, r.Limits)
	}
	return err
}

func (t *Tree) whole() (sum Usage) {
	for _, u := range t.usage(nil) {
		sum.add(u)
	}
	return sum
}
