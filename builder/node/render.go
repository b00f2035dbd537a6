package node

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// Rendering is everything that a node should be: made from an image's
// manifests and an inventory alone, without looking at the machine's disk.
type Rendering struct {
	Data     Data
	Role     Role
	Files    []RenderedFile    // sorted by path
	Dirs     []RenderedDir     // in the manifests' order
	Services []RenderedService // in the order of starting
	Others   []string          // services of the image that must not run here, sorted
	Warnings []string
}

// RenderedFile is one file as it should be.
type RenderedFile struct {
	Path         string // absolute
	Content      []byte `json:"-"` // may hold secrets; see Shown
	Mode         fs.FileMode
	Owner, Group string
	Flag         bool     // one of a FormatFlags directory: removed when no longer wanted
	Restart      []string // services of this node that restart when it changes
	Fixed        []string // paths: while one holds data, the content stays

	shown []byte // Content with secrets hidden; nil: it holds none
}

// RenderedDir is one directory as it should be.
type RenderedDir struct {
	Path         string
	Mode         fs.FileMode
	Owner, Group string
	Services     []string // of this node, that use it
}

// RenderedService is one service of this node with nothing left open.
type RenderedService struct {
	Service
	Component string
	PortOf    map[string]int // by port name
	HeapMiB   int            // 0: no rule
	Script    string         // runit's run script
	Steps     []RenderedInit
	Config    string // digest of all that it must be restarted for
}

// RenderedInit is one step of initialisation with nothing left open.
type RenderedInit struct {
	Init
	Argv  []string
	Paths []string // Untouched
}

// Target says which node is rendered, and on what.
type Target struct {
	Node    string // a node of the inventory
	Role    string // a role of the image
	Machine cluster.Machine
	// Container is true under runit: its run scripts are rendered, and nothing for systemd or upstart.
	Container bool
	// Secrets gives the secrets of this node by name; nil, in previews, leaves the text "<secret NAME>".
	Secrets func(name string) (string, error)
}

// Render makes the configuration of one node.
func Render(img *Image, inv *cluster.Inventory, t Target) (*Rendering, error) {
	derived, err := inv.Derive(t.Node, t.Machine)
	if err != nil {
		return nil, err
	}
	manifest, ok := img.Roles[t.Role]
	if !ok {
		return nil, fmt.Errorf("this image does not hold the role %q; it holds: %s", t.Role, listOrNone(img.RoleNames()))
	}
	r := &renderer{img: img, inv: inv, role: manifest, secrets: secretValues{img: img, get: t.Secrets}, data: Data{Derived: *derived, Container: t.Container, Components: manifest.Components}}
	out := &Rendering{Role: manifest}
	if err := r.selectServices(out); err != nil {
		return nil, err
	}
	for _, c := range manifest.Components {
		if err := r.component(img.Components[c], out); err != nil {
			return nil, fmt.Errorf("component %s: %w", c, err)
		}
	}
	if err := r.finish(out); err != nil {
		return nil, err
	}
	out.Data = r.data
	return out, nil
}

// FileError says which file of a component's manifest can't be rendered.
type FileError struct {
	Component string
	Path      string // as in the manifest
	Err       error
}

func (e *FileError) Error() string { return fmt.Sprintf("file %s: %v", e.Path, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

type renderer struct {
	img     *Image
	inv     *cluster.Inventory
	role    Role
	data    Data
	running map[string]bool
	secrets secretValues
}

// selectServices finds out what runs here; templates see the result.
func (r *renderer) selectServices(out *Rendering) error {
	r.running = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.img.Components)) {
		for _, s := range r.img.Components[name].Services {
			runs := slices.Contains(r.role.Services, s.Name)
			if runs {
				var err error
				if runs, err = r.truth(s.Name+": if", s.If); err != nil {
					return err
				}
			}
			if !runs {
				out.Others = append(out.Others, s.Name)
				continue
			}
			r.running[s.Name] = true
			r.data.Services = append(r.data.Services, s.Name)
			out.Services = append(out.Services, RenderedService{Service: s, Component: name})
		}
	}
	slices.Sort(out.Others)
	slices.Sort(r.data.Services)
	slices.SortStableFunc(out.Services, func(a, b RenderedService) int {
		if a.Order != b.Order {
			return a.Order - b.Order
		}
		return strings.Compare(a.Name, b.Name)
	})
	return nil
}

func (r *renderer) component(c Component, out *Rendering) error {
	for _, d := range c.Dirs {
		if !r.wanted(d.When) {
			continue
		}
		paths, err := r.paths(d.Path)
		if err != nil {
			return err
		}
		mode, err := parseMode(d.Mode, 0o755)
		if err != nil {
			return fmt.Errorf("directory %s: %w", d.Path, err)
		}
		for _, p := range paths {
			out.Dirs = append(out.Dirs, RenderedDir{Path: p, Mode: mode, Owner: or(d.Owner, "root"), Group: or(d.Group, "root"), Services: r.restarts(c, File{When: d.When})})
		}
	}
	for _, f := range c.Files {
		if !r.wanted(f.When) {
			continue
		}
		files, err := r.file(c, f)
		if err != nil {
			return &FileError{Component: c.Name, Path: f.Path, Err: err}
		}
		out.Files = append(out.Files, files...)
	}
	return nil
}

func (r *renderer) wanted(when []string) bool {
	return len(when) == 0 || slices.ContainsFunc(when, func(s string) bool { return r.running[s] })
}
