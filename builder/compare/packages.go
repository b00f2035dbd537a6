package compare

import (
	"cmp"
	"slices"
	"strings"
)

// PackageChange is a package that is not the same.
type PackageChange struct {
	Name   string   `json:"name"`
	Change Change   `json:"change"`
	What   []string `json:"what,omitempty"` // of a changed one: "version", "architecture", "content" (another .deb of one version)
	A      *Package `json:"a,omitempty"`
	B      *Package `json:"b,omitempty"`
}

// Packages lists the packages that differ, sorted by name, then architecture. A package that two sides have once,
// each of another architecture, is one that changed.
func Packages(a, b []Package) []PackageChange {
	inA, inB := byKey(a, b), byKey(b, a)
	var out []PackageChange
	for _, key := range union(inA, inB) {
		x, y := inA[key], inB[key]
		c := PackageChange{Change: Changed, A: x, B: y}
		switch {
		case x == nil:
			c.Change, c.Name = Added, y.Name
		case y == nil:
			c.Change, c.Name = Removed, x.Name
		default:
			c.Name = y.Name
			if c.What = x.differing(y); c.What == nil {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

func (p *Package) differing(q *Package) []string {
	var out []string
	if p.Version != q.Version {
		out = append(out, "version")
	}
	if p.Architecture != q.Architecture {
		out = append(out, "architecture")
	}
	if len(out) == 0 && p.SHA256 != "" && q.SHA256 != "" && p.SHA256 != q.SHA256 {
		out = append(out, "content")
	}
	return out
}

// byKey maps packages by name, and those that one of the sides has several of by name and architecture.
func byKey(all, others []Package) map[string]*Package {
	several := map[string]bool{}
	for _, side := range [][]Package{all, others} {
		seen := map[string]bool{}
		for _, p := range side {
			several[p.Name] = several[p.Name] || seen[p.Name]
			seen[p.Name] = true
		}
	}
	out := map[string]*Package{}
	for i, p := range all {
		key := p.Name
		if several[p.Name] {
			key += ":" + p.Architecture
		}
		out[key] = &all[i]
	}
	return out
}

// SizeChange is a package that takes another amount of space.
type SizeChange struct {
	Package string `json:"package"` // "": files that belong to no package
	A       Usage  `json:"a"`
	B       Usage  `json:"b"`
}

// Growth is how many bytes more its files have in B.
func (s SizeChange) Growth() int64 { return s.B.Bytes - s.A.Bytes }

// Sizes lists the packages whose size differs, what grew most first. The first value is all of them together,
// called "", whether it differs or not.
func Sizes(a, b *Tree, packagesA, packagesB []Package) (SizeChange, []SizeChange) {
	x, y := a.usage(packagesA), b.usage(packagesB)
	var whole SizeChange
	var out []SizeChange
	for _, name := range union(x, y) {
		s := SizeChange{Package: name, A: x[name], B: y[name]}
		whole.A.add(s.A)
		whole.B.add(s.B)
		if s.A.Installed != s.B.Installed || s.A.Bytes != s.B.Bytes {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(p, q SizeChange) int {
		return cmp.Or(cmp.Compare(q.Growth(), p.Growth()), cmp.Compare(q.B.Installed-q.A.Installed, p.B.Installed-p.A.Installed), strings.Compare(p.Package, q.Package))
	})
	return whole, out
}

func (u *Usage) add(v Usage) {
	u.Installed, u.Bytes, u.Files = u.Installed+v.Installed, u.Bytes+v.Bytes, u.Files+v.Files
}
