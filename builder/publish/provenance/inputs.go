package provenance

import (
	"cmp"
	"maps"
	"slices"

	intoto "github.com/in-toto/attestation/go/v1"

	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/source/apt"
)

// inputs are forge's own code and recipes, the lock, and everything that the lock names, in a fixed order.
func (b *Build) inputs() []*intoto.ResourceDescriptor {
	var out []*intoto.ResourceDescriptor
	add := func(name, uri, algorithm, digest string) {
		out = append(out, &intoto.ResourceDescriptor{Name: name, Uri: uri, Digest: map[string]string{algorithm: digest}})
	}
	if b.Forge.Commit != "" {
		add("forge", "git+"+Builder, "gitCommit", b.Forge.Commit)
	}
	if b.Forge.Recipes != "" {
		add(RecipesName, "", "sha256", b.Forge.Recipes)
	}
	add(LockName, "", "sha256", b.LockDigest)
	for _, s := range b.Lock.Suites {
		add("suite "+s.Archive+"/"+s.Name, "", "sha256", s.SHA256)
	}
	for _, a := range b.Lock.Artifacts {
		add("artifact "+a.Name, a.Purl, "sha256", a.SHA256)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Lock.Builds)) {
		for _, f := range b.Lock.Builds[name] {
			add("build "+name+": "+f.Path, "", "sha256", f.SHA256)
		}
	}
	for _, d := range b.debs() {
		add("deb "+d.Name, debURI(d), "sha256", d.SHA256)
	}
	return out
}

// debs are Debian's packages of all solves, each once.
func (b *Build) debs() []lock.Deb {
	var all []lock.Deb
	for _, debs := range b.Lock.Debs {
		all = append(all, debs...)
	}
	order := func(x, y lock.Deb) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Arch, y.Arch), cmp.Compare(x.Version, y.Version), cmp.Compare(x.SHA256, y.SHA256))
	}
	slices.SortFunc(all, order)
	return slices.CompactFunc(all, func(x, y lock.Deb) bool { return order(x, y) == 0 })
}

func debURI(d lock.Deb) string {
	return apt.Package{Name: d.Name, Version: d.Version, Architecture: d.Arch}.Purl()
}
