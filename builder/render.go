package builder

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

// PreviewOptions say what is rendered, and for which machines.
type PreviewOptions struct {
	Checkout, Stack string
	Inventory       string // path of cluster.yaml
	// Role of the image that the nodes boot; "": each boots that of its own role.
	Role      string
	Machine   cluster.Machine // heaps depend on it
	Container bool            // as containers, not as machines
	// Vendor and Builds as in [Options]: with the stack's lock they decide which optional components an image has.
	Vendor string
	Builds map[string]Build
}

// Preview renders nodes as forge-node does on them, from recipes and inventory alone: nothing is
// built or fetched, and no secret is made.
type Preview struct {
	Inventory *cluster.Inventory

	opt   PreviewOptions
	stack *recipe.Stack
}

// NewPreview reads the stack's recipes and the inventory.
func NewPreview(opt PreviewOptions) (*Preview, error) {
	stack, err := loadStack(opt.Checkout, opt.Stack)
	if err != nil {
		return nil, err
	}
	p, err := readPins(Options{Checkout: opt.Checkout, Stack: opt.Stack, Builds: opt.Builds, locking: true})
	if err != nil {
		return nil, err
	}
	p.write = false // a stack need not have a lock yet, and none is made
	if stack, _, err = p.choose(stack, opt.Vendor); err != nil {
		return nil, err
	}
	_, inv, err := readInventory(opt.Inventory)
	if err != nil {
		return nil, err
	}
	return &Preview{Inventory: inv, opt: opt, stack: stack}, nil
}

// Node renders one node of the inventory.
func (p *Preview) Node(name string) (*node.Rendering, error) {
	d, err := p.Inventory.Derive(name, p.opt.Machine)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.opt.Inventory, err)
	}
	role := p.opt.Role
	if role == "" {
		role = d.Node.Role
	}
	r, err := p.stack.NodeRole(role)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	out, err := node.Render(StackImage(p.stack, r), p.Inventory,
		node.Target{Node: name, Role: d.Node.Role, Machine: p.opt.Machine, Container: p.opt.Container})
	if err != nil {
		return nil, fmt.Errorf("render node %s with stack %s, image of role %s: %w", name, p.stack.Name, role, err)
	}
	return out, nil
}

func loadStack(checkout, name string) (*recipe.Stack, error) {
	if _, err := os.Stat(filepath.Join(checkout, "recipes")); err != nil {
		return nil, NoRecipes(checkout, err)
	}
	return recipe.Load(os.DirFS(checkout), name)
}

// NoRecipes says that a folder is no checkout, as err shows.
func NoRecipes(checkout string, err error) error {
	return fmt.Errorf("%s has no folder recipes: run forge where the recipes are, or name the place with --checkout (%w)", checkout, err)
}

// StackImage is what an image of the role holds for forge-node: the manifests and templates that its
// packages would have, without making them.
func StackImage(s *recipe.Stack, r *recipe.Role) *node.Image {
	img := &node.Image{Components: map[string]node.Component{}, Roles: map[string]node.Role{}, StandIns: map[string]node.StandIn{}, Templates: templates{s}}
	for _, one := range r.Packaged() {
		manifest := s.RoleManifest(one)
		img.Roles[one.Name] = manifest
		for _, name := range manifest.Components {
			img.Components[name] = s.Components[name].Manifest()
		}
	}
	return img
}

// templates are a stack's template files as an image has them, COMPONENT/FILE. In the checkout they
// may lie in the folder of the stack that this one extends.
type templates struct{ stack *recipe.Stack }

// Open opens one of them.
func (t templates) Open(name string) (fs.File, error) {
	component, base, _ := strings.Cut(name, "/")
	if c, ok := t.stack.Components[component]; ok {
		if file, ok := c.Templates()[base]; ok {
			return t.stack.FS.Open(file)
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
