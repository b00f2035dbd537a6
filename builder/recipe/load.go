package recipe

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Folders of the checkout that are read.
const (
	recipesDir  = "recipes"
	overlaysDir = "overlays"
)

// maxRecipeFiles bounds components and roles of one stack, each.
const maxRecipeFiles = 256

// ListStacks gives the names of the stacks in a checkout, sorted: the folders
// of recipes/ that hold a stack.yaml.
func ListStacks(checkout fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(checkout, recipesDir)
	if err != nil {
		return nil, fmt.Errorf("list stacks: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if _, err := fs.Stat(checkout, path.Join(recipesDir, e.Name(), "stack.yaml")); err == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Load reads a stack from a checkout: a folder with recipes/ and overlays/,
// best as os.Root's FS, which no link leads out of. The error joins all that is
// wrong, each an *Error; an unknown stack is a *NotFoundError.
func Load(checkout fs.FS, stack string) (*Stack, error) {
	known, err := ListStacks(checkout)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(known, stack) {
		return nil, &NotFoundError{Kind: "stack", Name: stack, In: recipesDir, Have: known}
	}
	l := &loader{fsys: checkout, known: known, docs: map[string]*document{},
		probs: &problems{}, overlays: map[string]*Overlay{}, digests: map[string]string{}}
	s := l.stack(stack, nil)
	if err := l.probs.err(); err != nil {
		return nil, err
	}
	l.check(s)
	if err := l.probs.err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Role gives the role of this name, the golden one and those of tools too; an unknown one is a *NotFoundError.
func (s *Stack) Role(name string) (*Role, error) {
	if r, ok := s.Roles[name]; ok {
		return r, nil
	}
	if r, ok := s.ToolRoles[name]; ok {
		return r, nil
	}
	if name == Golden {
		return s.golden(), nil
	}
	return nil, &NotFoundError{Kind: "role", Name: name, In: "stack " + s.Name, Have: s.RoleNames()}
}

// NodeRole is Role without those of tools, which no node has.
func (s *Stack) NodeRole(name string) (*Role, error) {
	if _, tool := s.ToolRoles[name]; tool {
		nodes := slices.DeleteFunc(s.RoleNames(), func(other string) bool { _, tool := s.ToolRoles[other]; return tool })
		return nil, &NotFoundError{Kind: "role of a node", Name: name, In: "stack " + s.Name, Have: nodes}
	}
	return s.Role(name)
}

// RoleNames are the names that Role knows, sorted.
func (s *Stack) RoleNames() []string {
	names := append(append(sortedKeys(s.Roles), sortedKeys(s.ToolRoles)...), Golden)
	slices.Sort(names)
	return names
}

// loader reads one stack and its parents.
type loader struct {
	fsys     fs.FS
	known    []string // stacks of the checkout
	docs     map[string]*document
	probs    *problems
	overlays map[string]*Overlay // read so far, by folder name
	digests  map[string]string   // sha256 of the stack's files, by path in the checkout
}

// stack reads a stack and, first, the one it extends. chain are the stacks
// that extend it.
func (l *loader) stack(name string, chain []string) *Stack {
	dir := path.Join(recipesDir, name)
	s := &Stack{Path: path.Join(dir, "stack.yaml"), FS: l.fsys, Overlays: l.overlays, digests: l.digests,
		Components: map[string]*Component{}, Roles: map[string]*Role{}, ToolRoles: map[string]*Role{}}
	d, ok := decodeFile(l.fsys, s.Path, s, l.probs)
	l.docs[s.Path] = d
	if ok {
		l.named(d, "stack", s.Name, name)
		l.inherit(d, s, append(chain, name))
	}
	for _, file := range l.yamlFiles(path.Join(dir, "components")) {
		c := &Component{Path: file, Dir: dir, Revision: 1}
		d, ok := decodeFile(l.fsys, file, c, l.probs)
		l.docs[file] = d
		if ok && l.named(d, "component", c.Name, baseName(file)) {
			s.Components[c.Name] = c
		}
	}
	for _, file := range l.yamlFiles(path.Join(dir, "roles")) {
		r := &Role{Path: file, Dir: dir}
		d, ok := decodeFile(l.fsys, file, r, l.probs)
		l.docs[file] = d
		if ok && l.named(d, "role", r.Name, baseName(file)) {
			if r.Runs != nil {
				s.ToolRoles[r.Name] = r
			} else {
				s.Roles[r.Name] = r
			}
		}
	}
	return s
}

// inherit lays s over its parent.
func (l *loader) inherit(d *document, s *Stack, chain []string) {
	if s.Extends == "" {
		return
	}
	if slices.Contains(chain, s.Extends) {
		d.errorf("extends", "", "stacks extend each other in a circle: %s", strings.Join(append(chain, s.Extends), " -> "))
		return
	}
	if !slices.Contains(l.known, s.Extends) {
		d.errorf("extends", didYouMean(s.Extends, l.known), "unknown stack %q", s.Extends)
		return
	}
	p := l.stack(s.Extends, chain)
	s.Components, s.Roles = p.Components, p.Roles
	sections := []struct {
		key  string
		take func()
	}{
		{"distribution", func() { s.Distribution = p.Distribution }},
		{"init_system", func() { s.InitSystem = p.InitSystem }},
		{"arch", func() { s.Arch = p.Arch }},
		{"apt", func() { s.Apt = p.Apt }},
		{"rootfs", func() { s.Rootfs = p.Rootfs }},
		{"container", func() { s.Container = p.Container }},
		{"boot", func() { s.Boot = p.Boot }},
		{"tools", func() { s.Tools = p.Tools }},
	}
	for _, section := range sections {
		if !d.has(section.key) {
			section.take()
		}
	}
}

// named checks that a file's name key says what its file name says.
func (l *loader) named(d *document, kind, got, want string) bool {
	if got != want {
		d.errorf("name", "", "%s is named %q but its file or folder says %q", kind, got, want)
	}
	return got == want
}

// yamlFiles lists the recipe files of a folder, sorted; a folder that isn't
// there has none.
func (l *loader) yamlFiles(dir string) []string {
	entries, err := fs.ReadDir(l.fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		l.probs.add(&Error{File: dir, Message: fmt.Sprintf("can't be listed: %v", err)})
		return nil
	}
	var files []string
	for _, e := range entries {
		file := path.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), "~"):
		case e.Type().IsRegular() && path.Ext(e.Name()) == ".yaml":
			files = append(files, file)
		default:
			l.probs.add(&Error{File: file, Message: "is not a recipe file",
				Hint: "files in this folder are named NAME.yaml"})
		}
	}
	if len(files) > maxRecipeFiles {
		l.probs.add(&Error{File: dir, Message: fmt.Sprintf("holds more than %d files", maxRecipeFiles)})
		files = files[:maxRecipeFiles]
	}
	slices.Sort(files)
	return files
}

func baseName(file string) string { return strings.TrimSuffix(path.Base(file), ".yaml") }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
