package compare

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

const (
	statusFile = "var/lib/dpkg/status"
	infoFolder = "var/lib/dpkg/info/"
	maxLinks   = 40 // on the way to a file, as the kernel's limit
)

// Package is a Debian package that a tree has installed.
type Package struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	Installed    int64  `json:"installed_size"`   // as the package says, in bytes
	SHA256       string `json:"sha256,omitempty"` // of the .deb; "": not known
}

// KeepDatabase is a [Reading].Keep for dpkg's database: what [Tree.Packages] and the owners of files are read from.
func KeepDatabase(name string) bool {
	return name == statusFile || strings.HasPrefix(name, infoFolder) && strings.HasSuffix(name, ".list")
}

// Packages reads dpkg's status file: the packages that are installed, sorted by name. A tree without dpkg has none.
func (t *Tree) Packages() ([]Package, error) {
	content, ok := t.Read(statusFile)
	if !ok {
		return nil, nil
	}
	paragraphs, err := archive.ParseParagraphs(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", absolute(statusFile), err)
	}
	var out []Package
	for _, p := range paragraphs {
		if !strings.HasSuffix(p.Get("Status"), " installed") {
			continue
		}
		kib, err := strconv.ParseInt(cmp.Or(p.Get("Installed-Size"), "0"), 10, 40)
		if err != nil || kib < 0 {
			return nil, fmt.Errorf("%s: package %s: Installed-Size %q", absolute(statusFile), p.Get("Package"), p.Get("Installed-Size"))
		}
		out = append(out, Package{Name: p.Get("Package"), Version: p.Get("Version"), Architecture: p.Get("Architecture"), Installed: kib << 10})
	}
	slices.SortFunc(out, comparePackages)
	return out, nil
}

func comparePackages(a, b Package) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Architecture, b.Architecture))
}

// owners maps the files of a tree to the package that they belong to, as dpkg's lists say, and so what dpkg itself
// notes of each. The lists have the packages' own paths, which may go through links: /lib/x is usr/lib/x.
func (t *Tree) owners() map[string]string {
	if t.owned != nil {
		return t.owned
	}
	t.owned = map[string]string{}
	dirs := map[string]string{}
	for name := range t.nodes {
		note, is := strings.CutPrefix(name, infoFolder) // "libc6:amd64.list"
		if !is || path.Ext(note) == "" {
			continue
		}
		owner, _, _ := strings.Cut(strings.TrimSuffix(note, path.Ext(note)), ":")
		t.owned[name] = owner
		if !KeepDatabase(name) {
			continue
		}
		content, _ := t.Read(name)
		for line := range strings.Lines(string(content)) {
			file := strings.Trim(path.Clean(strings.TrimSpace(line)), "/")
			dir, ok := dirs[path.Dir(file)]
			if !ok {
				dir = t.resolve(path.Dir(file))
				dirs[path.Dir(file)] = dir
			}
			file = path.Join(dir, path.Base(file))
			if !strings.Contains(file, "/") {
				continue // /lib, which was a folder to the package and is a link in a merged /usr
			}
			if n := t.nodes[file]; n != nil && n.Type != "dir" && (t.owned[file] == "" || owner < t.owned[file]) {
				t.owned[file] = owner
			}
		}
	}
	return t.owned
}

// resolve follows the links on the way to a directory, as far as it is there, inside of the tree.
func (t *Tree) resolve(dir string) string {
	todo, at := strings.Split(dir, "/"), "."
	for links := 0; len(todo) > 0; {
		next := path.Join(at, todo[0])
		if todo[0] == ".." {
			next = path.Dir(at)
		}
		todo = todo[1:]
		n := t.nodes[next]
		if n == nil || n.Type != "link" || links == maxLinks {
			at = next
			continue
		}
		links++
		if path.IsAbs(n.Target) {
			at = "."
		}
		todo = append(strings.Split(strings.Trim(path.Clean(n.Target), "/"), "/"), todo...)
	}
	return at
}

// Usage is what a package takes.
type Usage struct {
	Installed int64 `json:"installed_size"` // as the package says, in bytes
	Bytes     int64 `json:"bytes"`          // of its files' contents; one with several names counts once
	Files     int   `json:"files"`
}

// usage measures the files of a tree by the package that they belong to; "" has what belongs to none.
func (t *Tree) usage(packages []Package) map[string]Usage {
	out := map[string]Usage{}
	for _, p := range packages {
		u := out[p.Name]
		u.Installed += p.Installed
		out[p.Name] = u
	}
	owners := t.owners()
	for name, n := range t.nodes {
		if n.Type == "dir" {
			continue
		}
		u := out[owners[name]]
		u.Files++
		if first := t.names[n]; first == "" || first == name {
			u.Bytes += n.Size
		}
		out[owners[name]] = u
	}
	return out
}
