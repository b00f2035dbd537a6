package node

import (
	"fmt"
	"io/fs"
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
	Files    []ViewFile    `json:"files"`    // sorted by path
	Dirs     []ViewDir     `json:"dirs"`     // in the order of making
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

// ViewService is one service of a [View].
type ViewService struct {
	Name      string         `json:"name"`
	Component string         `json:"component"`
	User      string         `json:"user,omitempty"`
	HeapMiB   int            `json:"heap_mib,omitempty"`
	Ports     map[string]int `json:"ports,omitempty"`
	Needs     []string       `json:"needs,omitempty"`
	Once      []string       `json:"once,omitempty"` // what is done once, before the first start
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
	for _, s := range r.Services {
		one := ViewService{Name: s.Name, Component: s.Component, User: s.User, HeapMiB: s.HeapMiB, Ports: s.PortOf, Needs: s.Needs}
		for _, step := range s.Steps {
			one.Once = append(one.Once, step.Name)
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
	b.WriteString("--- services, in the order of starting\n")
	for _, s := range v.Services {
		b.WriteString(s.line() + "\n")
	}
	for _, list := range []struct {
		title string
		items []string
	}{{"stays disabled", v.Disabled}, {"warnings", v.Warnings}} {
		if len(list.items) > 0 {
			fmt.Fprintf(&b, "--- %s\n%s\n", list.title, strings.Join(list.items, "\n"))
		}
	}
	return b.String()
}

func (s ViewService) line() string {
	parts := []string{s.Name}
	if s.User != "" {
		parts[0] += " as " + s.User
	}
	if s.HeapMiB > 0 {
		parts = append(parts, fmt.Sprintf("heap %d MiB", s.HeapMiB))
	}
	var ports []string
	for name, number := range s.Ports {
		ports = append(ports, fmt.Sprintf("%s %d", name, number))
	}
	slices.Sort(ports)
	for _, list := range []struct {
		title string
		items []string
	}{{"ports", ports}, {"needs", s.Needs}, {"once", s.Once}} {
		if len(list.items) > 0 {
			parts = append(parts, list.title+" "+strings.Join(list.items, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// AllFiles are the rendering's files and those that every node has, /etc/hostname
// and /etc/hosts, the latter as on a machine that had none; sorted by path.
func (r *Rendering) AllFiles() []RenderedFile {
	every := RenderedFile{Mode: 0o644, Owner: "root", Group: "root"}
	name, hosts := every, every
	name.Path, name.Content = "/etc/hostname", []byte(r.Data.Node.Name+"\n")
	hosts.Path, hosts.Content = "/etc/hosts", []byte(Hosts("", r.Data.Cluster.Nodes))
	all := append(slices.Clone(r.Files), name, hosts)
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
