package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// Identity says which node a machine is, and who said so.
type Identity struct {
	Node       string `json:"node"`
	NodeSource string `json:"node_source"`
	Role       string `json:"role"`
	RoleSource string `json:"role_source"`
	// Warnings name the places that say something else.
	Warnings []string `json:"warnings,omitempty"`
}

// Claim is what one place says about who the machine is; either may be empty.
type Claim struct {
	Source string
	Node   string
	Role   string
}

// Resolve decides who the machine is. Claims stand in the order of trust: the
// first that names a node wins; two different nodes are refused. Without any, a
// node whose address the machine has, or the only node of the image's only
// role, is taken. The role is the node's in the inventory; a claim of another
// one is refused, or only warned about if it stands behind the node's.
func Resolve(claims []Claim, img *Image, inv *cluster.Inventory, hasAddress func(string) bool) (Identity, error) {
	var id Identity
	for _, c := range claims {
		if c.Role != "" && id.Role == "" && id.Node == "" {
			id.Role, id.RoleSource = c.Role, c.Source
		}
		switch {
		case c.Node == "":
		case id.Node == "":
			id.Node, id.NodeSource = c.Node, c.Source
		case id.Node != c.Node:
			return id, fmt.Errorf("who is this? %s says node %q, %s says node %q; make them agree: two nodes with one name, or one with two, destroy data", id.NodeSource, id.Node, c.Source, c.Node)
		}
	}
	if id.Node == "" {
		if len(img.Roles) == 1 && id.Role == "" {
			id.Role, id.RoleSource = img.RoleNames()[0], "the image's only role"
		}
		if err := id.guess(inv, hasAddress); err != nil {
			return id, err
		}
	}
	n, ok := inv.Node(id.Node)
	if !ok {
		return id, fmt.Errorf("%s says that this is node %q, which is not in the inventory; its nodes: %s", id.NodeSource, id.Node, listOrNone(inv.NodeNames()))
	}
	if err := id.settleRole(n, claims); err != nil {
		return id, err
	}
	if _, ok := img.Roles[id.Role]; !ok {
		return id, fmt.Errorf("node %q has the role %q, which this image does not hold; it holds: %s", id.Node, id.Role, listOrNone(img.RoleNames()))
	}
	return id, nil
}

// settleRole compares the role that was claimed with the inventory's. A claim
// that counts as much as the node's, or more, must agree; later ones only cause
// warnings.
func (id *Identity) settleRole(n cluster.Node, claims []Claim) error {
	if id.Role != "" && id.Role != n.Role {
		return fmt.Errorf("%s says role %q, but node %q has the role %q in the inventory", id.RoleSource, id.Role, n.Name, n.Role)
	}
	if id.Role == "" {
		id.Role, id.RoleSource = n.Role, "the inventory"
	}
	for _, c := range claims {
		if c.Role != "" && c.Role != id.Role {
			id.Warnings = append(id.Warnings, fmt.Sprintf("%s says role %q; %s, which counts first, says %q", c.Source, c.Role, id.RoleSource, id.Role))
		}
	}
	return nil
}

// guess finds the node when nobody names one.
func (id *Identity) guess(inv *cluster.Inventory, hasAddress func(string) bool) error {
	var here []string
	for _, n := range inv.Nodes {
		if hasAddress(n.Address) {
			here = append(here, n.Name)
		}
	}
	if len(here) == 1 {
		id.Node, id.NodeSource = here[0], "the machine's address"
		return nil
	}
	if of := inv.NodesOf(id.Role); len(of) == 1 {
		id.Node, id.NodeSource = of[0].Name, "the inventory's only node of the role "+id.Role
		return nil
	}
	return fmt.Errorf("nobody says which node this is: not %s, not cloud-init's meta-data (forge: {node: ...}), not the kernel command line (forge.node=...), and no single node of the inventory has one of this machine's addresses; make a seed with forge seed --node NAME (nodes: %s)",
		nodePath, listOrNone(inv.NodeNames()))
}

const nodePath = "/etc/forge/node.yaml"

// Claims reads all the places that may say who the machine is, in the order of
// trust.
func (n *Node) Claims() ([]Claim, error) {
	readers := []func() (Claim, error){n.claimFile, n.claimCloudInit, n.claimKernel}
	if n.Container { // /proc/cmdline is the host's
		readers[2] = n.claimEnvironment
	}
	var claims []Claim
	for _, read := range readers {
		c, err := read()
		if err != nil {
			return nil, err
		}
		if c.Node != "" || c.Role != "" {
			claims = append(claims, c)
		}
	}
	return claims, nil
}

func (n *Node) claimFile() (Claim, error) {
	c := Claim{Source: nodePath}
	data, err := readBounded(n.path(nodePath), 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	var file struct {
		Node string `yaml:"node"`
		Role string `yaml:"role"`
	}
	err = cluster.DecodeStrict(nodePath, strings.NewReader(string(data)), &file)
	c.Node, c.Role = file.Node, file.Role
	return c, err
}

const instanceDataPath = "/run/cloud-init/instance-data.json"

// instanceData is the part of cloud-init's instance-data.json that counts.
type instanceData struct {
	DS struct {
		MetaData struct {
			Forge struct {
				Node string `json:"node"`
				Role string `json:"role"`
			} `json:"forge"`
			Meta map[string]any `json:"meta"` // OpenStack's server properties
		} `json:"meta_data"`
	} `json:"ds"`
	V1 struct {
		InstanceID string `json:"instance_id"`
	} `json:"v1"`
}

func (n *Node) instanceData() (*instanceData, error) {
	d := &instanceData{}
	data, err := readBounded(n.path(instanceDataPath), 16<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("%s: %w", instanceDataPath, err)
	}
	return d, nil
}

func (n *Node) claimCloudInit() (Claim, error) {
	c := Claim{Source: "cloud-init's meta-data"}
	d, err := n.instanceData()
	if err != nil {
		return c, err
	}
	meta := func(name string) string {
		for _, key := range []string{"forge." + name, "forge_" + name, "forge-" + name} {
			if v, ok := d.DS.MetaData.Meta[key].(string); ok {
				return v
			}
		}
		return ""
	}
	c.Node = or(d.DS.MetaData.Forge.Node, meta("node"))
	c.Role = or(d.DS.MetaData.Forge.Role, meta("role"))
	return c, nil
}

func (n *Node) claimKernel() (Claim, error) {
	c := Claim{Source: "the kernel command line"}
	data, err := readBounded(n.path("/proc/cmdline"), 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	for _, f := range []struct {
		key string
		to  *string
	}{{"forge.node=", &c.Node}, {"forge.role=", &c.Role}} {
		var values []string
		for _, word := range strings.Fields(string(data)) {
			if v, ok := strings.CutPrefix(word, f.key); ok && v != "" && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		if len(values) > 1 {
			return c, fmt.Errorf("the kernel command line gives %s twice: %s", strings.TrimSuffix(f.key, "="), strings.Join(values, " and "))
		}
		*f.to = strings.Join(values, "")
	}
	return c, nil
}

func (n *Node) claimEnvironment() (Claim, error) {
	return Claim{Source: "the container's environment (FORGE_NODE, FORGE_ROLE)", Node: n.Getenv("FORGE_NODE"), Role: n.Getenv("FORGE_ROLE")}, nil
}
