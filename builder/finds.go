package builder

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/source"
)

// maxDebLinks bounds a chain of links in a package, as Linux does.
const maxDebLinks = 40

// debPaths are the files and links of a package, by absolute path.
type debPaths struct {
	files map[string]bool
	links map[string]string // to absolute paths
}

// findPaths returns which of its paths each find has in a package.
func findPaths(ctx context.Context, d *archive.Deb, finds []recipe.Find) ([]int, error) {
	if len(finds) == 0 {
		return nil, nil
	}
	data, err := d.Data(ctx)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	p := debPaths{files: map[string]bool{}, links: map[string]string{}}
	if err := archive.ListTar(ctx, data, archive.Options{Name: d.DataName(), AllowDevices: true, AllowFIFOs: true}, p.add); err != nil {
		return nil, err
	}
	var found []int
	for _, f := range finds {
		i, err := p.find(f)
		if err != nil {
			return nil, err
		}
		found = append(found, i)
	}
	return found, nil
}

func (p debPaths) add(e archive.Entry) error {
	name := "/" + e.Name
	switch {
	case e.Type == tar.TypeSymlink && path.IsAbs(e.Target):
		p.links[name] = path.Clean(e.Target)
	case e.Type == tar.TypeSymlink:
		p.links[name] = path.Join(path.Dir(name), e.Target)
	case e.Type == tar.TypeLink:
		p.links[name] = "/" + e.Target
	case e.Type == tar.TypeReg:
		p.files[name] = true
	}
	return nil
}

// find returns the first of a find's paths that is there. Others must be links to the same file: packages of Mesos
// have such links at the places where their elders had the files.
func (p debPaths) find(f recipe.Find) (int, error) {
	first, file := -1, ""
	for i, at := range f.Paths {
		if _, isLink := p.links[at]; !isLink && !p.files[at] {
			continue
		}
		end, err := p.follow(at)
		switch {
		case err != nil:
			return 0, err
		case first < 0:
			first, file = i, end
		case end != file:
			return 0, fmt.Errorf("it has both %s and %s, two files of which only one can be meant", f.Paths[first], at)
		}
	}
	if first < 0 {
		return 0, fmt.Errorf("it has no %s", strings.Join(f.Paths, " and no "))
	}
	return first, nil
}

// follow returns the file that a path of the package leads to.
func (p debPaths) follow(at string) (string, error) {
	end := at
	for range maxDebLinks {
		if p.files[end] {
			return end, nil
		}
		to, ok := p.links[end]
		if !ok {
			return "", fmt.Errorf("its %s leads to %s, which it does not have", at, end)
		}
		end = to
	}
	return "", fmt.Errorf("its %s is a link that leads nowhere", at)
}

// at is which of its paths the recipe's find number i has.
func (o *operatorDeb) at(i int) int {
	if i < len(o.Found) {
		return o.Found[i]
	}
	return 0
}

// links are those of a component's package to what was found in the upstream's, or is in the stand-in.
func (b *Builder) links(c *recipe.Component) map[string]string {
	if c.Upstream == nil {
		return nil
	}
	links := map[string]string{}
	for i, f := range c.Upstream.Finds {
		at := 0
		if o := b.operator[c.Name]; o != nil {
			at = o.at(i)
		}
		if f.Link == "" {
			continue
		}
		// As Debian's policy (10.5) wants them below one folder of the root.
		to, err := filepath.Rel(path.Dir(f.Link), f.Paths[at])
		if err != nil {
			to = f.Paths[at]
		}
		links[f.Link] = to
	}
	return links
}

// pinnedPaths tells of a package that is not at hand what the lock's version of forge-NAME says.
func (b *Builder) pinnedPaths(c *recipe.Component) []int {
	version := c.PackageVersion()
	for _, p := range b.pins.lock.Packages {
		if p.Name == c.PackageName() {
			version = p.Version
		}
	}
	told := strings.Split(version, "+")
	found := make([]int, len(c.Upstream.Finds))
	for i, f := range c.Upstream.Finds {
		for j := range f.Paths {
			if at := f.At(j); at != "" && slices.Contains(told, at) {
				found[i] = j
			}
		}
	}
	return found
}

// comparePaths holds a package, once it is at hand, to what was taken for granted about it.
func (b *Builder) comparePaths(ctx context.Context, res source.Result, c *recipe.Component, o operatorDeb) error {
	at, err := b.store.BlobPath(res.Digest)
	if err != nil {
		return err
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := archive.OpenDeb(ctx, f, o.Size, archive.DebOptions{Name: o.Filename, XZ: rootfs.XZ})
	if err != nil {
		return err
	}
	found, err := findPaths(ctx, d, c.Upstream.Finds)
	if err != nil {
		return fmt.Errorf("%s from %s is not laid out as a package of %s: %w", o.Filename, res.From, c.Upstream.Package, err)
	}
	for i, f := range c.Upstream.Finds {
		if found[i] != o.at(i) && f.Link != "" {
			return fmt.Errorf("%s from %s has %s, and %s was taken for granted by %s: make the lock with the package in %s",
				o.Filename, res.From, f.Paths[found[i]], f.Paths[o.at(i)], b.pins.file, b.opt.Vendor)
		}
	}
	return nil
}
