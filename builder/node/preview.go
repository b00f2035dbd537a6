package node

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// View is what a rendering makes of a machine, for people and programs: no
// secret is in it, and the files that every node has are.
type View struct {
	Cluster  string        `json:"cluster"`
	Node     string        `json:"node"`
	Address  string        `json:"address"`
	Role     string        `json:"role"`
	Files    []ViewFile    `json:"files"` // sorted by path
	Dirs     []ViewDir     `json:"dirs"`  // in the order of making
	Mounts   []ViewMount   `json:"mounts,omitempty"`
	Services []ViewService `json:"services"` // in the order of starting
	Disabled []string      `json:"disabled"` // services of the image that do not run here
	Warnings []string      `json:"warnings"`
}

// ViewFile is one file of a [View].
type ViewFile struct {
	Path    string   `json:"path"`
	Mode    string   `json:"mode"` // octal: "0644"
	Owner   string   `json:"owner"`
	Group   string   `json:"group"`
	Secret  bool     `json:"secret,omitempty"`  // Content has "<secret NAME>" where the node has one
	Restart []string `json:"restart,omitempty"` // services that restart when it changes
	Content string   `json:"content"`
}

// ViewDir is one directory of a [View].
type ViewDir struct {
	Path  string `json:"path"`
	Mode  string `json:"mode"`
	Owner string `json:"owner"`
	Group string `json:"group"`
}

// ViewMount is one file system of a [View].
type ViewMount struct {
	Path    string `json:"path"`
	Device  string `json:"device,omitempty"` // of a data disk, which is formatted if it is blank
	Label   string `json:"label,omitempty"`  // by which it is mounted
	Source  string `json:"source,omitempty"` // of NFS
	Options string `json:"options"`
}

// ViewService is one service of a [View].
type ViewService struct {
	Name      string         `json:"name"`
	Component string         `json:"component"`
	User      string         `json:"user,omitempty"`
	HeapMiB   int            `json:"heap_mib,omitempty"`
	Ports     map[string]int `json:"ports,omitempty"`
	Needs     []string       `json:"needs,omitempty"`
	Once      []ViewOnce     `json:"once,omitempty"`
}

// ViewOnce is what is done once in the life of a node, before the first start of
// a service.
type ViewOnce struct {
	Name      string   `json:"name"`
	User      string   `json:"user"`
	Argv      []string `json:"argv"`
	Untouched []string `json:"untouched,omitempty"` // it is not done over data here
}

// View shows a rendering.
func (r *Rendering) View() View {
	n := r.Data.Node
	v := View{Cluster: r.Data.Cluster.Name, Node: n.Name, Address: n.Address, Role: r.Role.Name, Files: []ViewFile{},
		Dirs: []ViewDir{}, Services: []ViewService{}, Disabled: append([]string{}, r.Others...), Warnings: append([]string{}, r.Warnings...)}
	for _, f := range r.AllFiles() {
		v.Files = append(v.Files, ViewFile{Path: f.Path, Mode: octal(f.Mode), Owner: f.Owner, Group: f.Group, Secret: f.Secret(), Restart: f.Restart, Content: string(f.Shown())})
	}
	for _, d := range r.Dirs {
		v.Dirs = append(v.Dirs, ViewDir{Path: d.Path, Mode: octal(d.Mode), Owner: d.Owner, Group: d.Group})
	}
	for _, m := range r.Data.Mounts {
		v.Mounts = append(v.Mounts, ViewMount(m))
	}
	for _, s := range r.Services {
		one := ViewService{Name: s.Name, Component: s.Component, User: s.User, HeapMiB: s.HeapMiB, Ports: s.PortOf, Needs: s.Needs}
		for _, step := range s.Steps {
			one.Once = append(one.Once, ViewOnce{step.Name, or(step.User, "root"), step.Argv, step.Paths})
		}
		v.Services = append(v.Services, one)
	}
	return v
}

// String is the view as text: every file with its path, mode and owner above it,
// then the rest in lines.
func (v View) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "node %s (%s), role %s, cluster %s\n", v.Node, v.Address, v.Role, v.Cluster)
	for _, f := range v.Files {
		fmt.Fprintf(&b, "=== %s %s %s:%s\n%s", f.Path, f.Mode, f.Owner, f.Group, f.Content)
		if f.Content != "" && !strings.HasSuffix(f.Content, "\n") {
			b.WriteString("\n")
		}
	}
	b.WriteString("--- directories\n")
	for _, d := range v.Dirs {
		fmt.Fprintf(&b, "%s %s %s:%s\n", d.Path, d.Mode, d.Owner, d.Group)
	}
	var mounts []string
	for _, m := range v.Mounts {
		from := m.Source
		if m.Device != "" {
			from = fmt.Sprintf("the file system %s, made on %s if that is blank", m.Label, m.Device)
		}
		mounts = append(mounts, fmt.Sprintf("%s: %s (%s)", m.Path, from, m.Options))
	}
	var services []string
	for _, s := range v.Services {
		services = append(services, s.lines()...)
	}
	for _, list := range []struct {
		title string
		items []string
	}{{"mounts", mounts}, {"services, in the order of starting", services}, {"stays disabled", v.Disabled}, {"warnings", v.Warnings}} {
		if len(list.items) > 0 {
			fmt.Fprintf(&b, "--- %s\n%s\n", list.title, strings.Join(list.items, "\n"))
		}
	}
	return b.String()
}

// lines are the service in one, and one more for what is done once.
func (s ViewService) lines() []string {
	parts := []string{s.Name}
	if s.User != "" {
		parts[0] += " as " + s.User
	}
	if s.HeapMiB > 0 {
		parts = append(parts, fmt.Sprintf("heap %d MiB", s.HeapMiB))
	}
	var ports []string
	for _, name := range slices.Sorted(maps.Keys(s.Ports)) {
		ports = append(ports, fmt.Sprintf("%s %d", name, s.Ports[name]))
	}
	for _, list := range []struct {
		title string
		items []string
	}{{"ports", ports}, {"needs", s.Needs}} {
		if len(list.items) > 0 {
			parts = append(parts, list.title+" "+strings.Join(list.items, ", "))
		}
	}
	lines := []string{strings.Join(parts, "; ")}
	for _, o := range s.Once {
		line := fmt.Sprintf("  once, before the first start: %s as %s", o.Name, o.User)
		if len(o.Untouched) > 0 {
			line += ", never over data in " + strings.Join(o.Untouched, ", ")
		}
		lines = append(lines, line)
	}
	return lines
}

// AllFiles are the rendering's files, the run scripts of a container, and those
// that every node has: /etc/hostname, and /etc/hosts as on a machine that had none.
// They are sorted by path.
func (r *Rendering) AllFiles() []RenderedFile {
	every := RenderedFile{Mode: 0o644, Owner: "root", Group: "root"}
	name, hosts := every, every
	name.Path, name.Content = "/etc/hostname", []byte(r.Data.Node.Name+"\n")
	hosts.Path, hosts.Content = "/etc/hosts", []byte(Hosts("", r.Data.Cluster.Nodes))
	all := append(slices.Clone(r.Files), name, hosts)
	for _, s := range r.Services {
		if s.Script != "" {
			all = append(all, RenderedFile{Path: (&Runit{Dir: runitDir}).script(s.Name), Content: []byte(s.Script), Mode: 0o755, Owner: "root", Group: "root"})
		}
	}
	slices.SortStableFunc(all, func(a, b RenderedFile) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// Preview writes the node's files below a directory, as they would be on the
// node, without owners and secrets. The directory must not exist or be empty.
func (r *Rendering) Preview(dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	for _, f := range r.AllFiles() {
		to := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(f.Path, "/")))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, f.Shown(), f.Mode); err != nil {
			return err
		}
	}
	return nil
}

// octal is a mode in the four digits that chmod reads.
func octal(m fs.FileMode) string {
	n := uint32(m.Perm())
	for bit, mode := range specialBits {
		if m&mode != 0 {
			n |= bit
		}
	}
	return fmt.Sprintf("%04o", n)
}
