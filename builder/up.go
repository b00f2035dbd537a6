package builder

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/client"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
)

// UpOptions say which cluster is brought up, and how.
type UpOptions struct {
	Seed     SeedOptions // its Inventory, Secrets and Stdin
	Golden   bool        // every node from the image of recipe.Golden
	Memory   int64       // bytes of each node; 0: a share of what the engine has
	Internet bool        // nodes reach what lies outside of their network
}

// The memory of a node when nobody says it, in bytes: what is left to the nodes of the engine's memory, in
// equal parts between these.
const (
	leastMemory = 768 << 20
	mostMemory  = 4 << 30
)

// ClusterRoles returns the roles whose images the nodes of an inventory need, sorted.
func ClusterRoles(inventory string, golden bool) ([]string, error) {
	_, inv, err := readInventory(inventory)
	if err != nil {
		return nil, err
	}
	return imageRoles(inv.Nodes, golden), nil
}

// imageRoles are the roles whose images nodes need, sorted.
func imageRoles(nodes []cluster.Node, golden bool) []string {
	var roles []string
	for _, n := range nodes {
		roles = append(roles, imageRole(n.Role, golden))
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// ClusterName returns the name of an inventory's cluster.
func ClusterName(inventory string) (string, error) {
	data, err := readRegular("inventory", inventory, cluster.MaxBytes)
	if err != nil {
		return "", err
	}
	inv, err := cluster.Decode(inventory, bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	return inv.Name, nil
}

// ExampleInventory is the inventory that a checkout brings.
func ExampleInventory(checkout string) string { return filepath.Join(checkout, exampleInventory) }

// Up brings the cluster of an inventory up in an engine, from the images in the output folder, and returns it
// with what was done to each node. It does not wait for the nodes to be in their roles.
func (b *Builder) Up(ctx context.Context, engine *client.Client, opt UpOptions) (*fleet.Fleet, map[string]fleet.Change, error) {
	plan, err := b.clusterPlan(ctx, engine, opt)
	if err != nil {
		return nil, nil, err
	}
	f := &fleet.Fleet{Engine: engine, Cluster: plan.Cluster}
	did, err := f.Up(ctx, *plan)
	return f, did, oci.EngineError(err)
}

// clusterPlan says what the containers of an inventory's nodes are.
func (b *Builder) clusterPlan(ctx context.Context, engine *client.Client, opt UpOptions) (*fleet.Plan, error) {
	opt.Seed.Declared, opt.Seed.SecretsDir = secretsOf(b.stack), SecretsDir(b.opt.Out)
	seeds, err := NewSeeds(opt.Seed)
	if err != nil {
		return nil, err
	}
	data, inv, err := readInventory(opt.Seed.Inventory)
	if err != nil {
		return nil, err
	}
	info, err := engine.Info(ctx)
	if err != nil {
		return nil, oci.EngineError(err)
	}
	memory := cmp.Or(opt.Memory, min(max(info.MemTotal*3/4/int64(len(inv.Nodes)), leastMemory), mostMemory))
	machine := cluster.Machine{RAM: int(memory >> 20), CPUs: info.NCPU}
	plan := &fleet.Plan{Cluster: inv.Name, Internet: opt.Internet, Concerned: b.concerned(inv, machine, opt.Golden)}
	images := map[string]string{}
	for _, s := range seeds {
		n := fleet.Node{Name: s.Node.Name, Role: s.Node.Role, Memory: memory, Share: opt.Memory == 0, Inventory: data, Secrets: s.spec.Secrets}
		image := imageRole(n.Role, opt.Golden)
		if images[image] == "" {
			if images[image], err = b.intoEngine(ctx, engine, image); err != nil {
				return nil, err
			}
		}
		n.Image = images[image]
		if n.Address, err = netip.ParseAddr(s.Node.Address); err != nil {
			return nil, fmt.Errorf("node %s: %w", n.Name, err)
		}
		if n.Volumes, err = b.volumes(inv, s.Node, machine, opt.Golden); err != nil {
			return nil, err
		}
		plan.Nodes = append(plan.Nodes, n)
	}
	if network, ok := inv.NetworkOf(inv.Nodes[0].Address); ok {
		plan.Network = network.Prefix()
		if network.Gateway != "" {
			plan.Gateway, err = netip.ParseAddr(network.Gateway)
		}
	}
	return plan, err
}

func imageRole(role string, golden bool) string {
	if golden {
		return recipe.Golden
	}
	return role
}

// intoEngine loads the image of a role, unless the engine has it, and returns its id.
func (b *Builder) intoEngine(ctx context.Context, engine *client.Client, role string) (string, error) {
	dir := filepath.Join(b.opt.Out, role, "image")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the role %s has no image yet: %s does not exist; make it with: forge build --role %s --only images", role, dir, role)
	}
	got, err := oci.Load(ctx, dir, "forge/"+b.stack.Name+"-"+role+":latest", engine, b.opt.Sink)
	return got.ID, err
}

// volumes are where a node keeps what must outlive its container: each directory of its configuration that
// is no configuration, log or temporary file, and what one-time steps lay down. A network file system is one
// volume that its nodes share.
func (b *Builder) volumes(inv *cluster.Inventory, n cluster.Node, machine cluster.Machine, golden bool) ([]fleet.Volume, error) {
	r, err := b.rendering(inv, n, machine, golden)
	if err != nil {
		return nil, err
	}
	paths := map[string]bool{"/var/lib/forge": false} // true: shared
	for _, m := range r.Data.Mounts {
		paths[m.Path] = m.Source != ""
	}
	for _, path := range r.DataPaths() {
		if root := volumeRoot(path, r.Data.Mounts); root != "" && !paths[root] {
			paths[root] = false
		}
	}
	var volumes []fleet.Volume
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		owner := n.Name
		if paths[path] {
			owner = "shared"
		}
		volumes = append(volumes, fleet.Volume{Name: owner + "-" + slug(path), Path: path})
	}
	return volumes, nil
}

// rendering renders a node as its container will.
func (b *Builder) rendering(inv *cluster.Inventory, n cluster.Node, machine cluster.Machine, golden bool) (*node.Rendering, error) {
	p := Preview{Inventory: inv, stack: b.stack, opt: PreviewOptions{Stack: b.stack.Name, Role: imageRole(n.Role, golden), Machine: machine, Container: true}}
	return p.Node(n.Name)
}

// volumeRoot is the mount point of the volume that a path lies in: a file system of the inventory, /var/lib/X,
// or else the path's first folder. It is "" for what needs none.
func volumeRoot(path string, mounts []cluster.Mount) string {
	for _, m := range mounts {
		if path == m.Path || strings.HasPrefix(path, m.Path+"/") {
			return m.Path
		}
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case slices.Contains([]string{"etc", "run", "tmp", "usr", "dev", "proc", "sys"}, parts[0]):
		return ""
	case parts[0] != "var":
		return "/" + parts[0]
	case len(parts) > 2 && (parts[1] == "lib" || parts[1] == "spool"):
		return "/" + strings.Join(parts[:3], "/")
	}
	return ""
}

// slug makes a part of a volume's name of a path.
func slug(path string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '-'
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, strings.Trim(path, "/"))
}

// concerned returns what tells whether an old inventory makes another configuration of a node than inv.
func (b *Builder) concerned(inv *cluster.Inventory, machine cluster.Machine, golden bool) func(string, []byte) bool {
	view := func(of *cluster.Inventory, name string) []byte {
		n, ok := of.Node(name)
		if !ok {
			return nil
		}
		r, err := b.rendering(of, n, machine, golden)
		if err != nil {
			return nil
		}
		v, err := json.Marshal(r.View())
		if err != nil {
			return nil
		}
		return v
	}
	return func(name string, old []byte) bool {
		before, err := cluster.Decode("the inventory of node "+name, bytes.NewReader(old))
		if err != nil {
			return true
		}
		was, is := view(before, name), view(inv, name)
		return was == nil || !bytes.Equal(was, is)
	}
}
