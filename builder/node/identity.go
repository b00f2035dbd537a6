package node

import (
	"fmt"
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

// onlyRole is the source of a role that nobody claims.
const onlyRole = "the image's only role"

// Resolve decides who the machine is. Claims stand in the order of trust: the
// first that names a node wins; two different nodes are refused. Without any, a
// node whose address the machine has is taken, among those of the role where
// one is claimed or the image holds only one; or the inventory's only node of
// that role. The role is the node's in the inventory; a claim of another one is
// refused, or only warned about if it stands behind the node's.
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
	if err := id.checkRole(img, inv); err != nil {
		return id, err
	}
	if id.Node == "" {
		if len(img.Roles) == 1 && id.Role == "" {
			id.Role, id.RoleSource = img.RoleNames()[0], onlyRole
		}
		if err := id.guess(inv, hasAddress); err != nil {
			return id, err
		}
	}
	n, ok := inv.Node(id.Node)
	if !ok {
		return id, fmt.Errorf("%s says that this is node %q, which is not in the inventory%s; its nodes: %s", id.NodeSource, id.Node, cluster.DidYouMean(id.Node, inv.NodeNames()), listOrNone(inv.NodeNames()))
	}
	if err := id.settleRole(n, claims); err != nil {
		return id, err
	}
	if _, ok := img.Roles[id.Role]; !ok {
		return id, fmt.Errorf("node %q has the role %q, which this image does not hold; it holds: %s; boot a clone of an image of that role, or of the role all", id.Node, id.Role, listOrNone(img.RoleNames()))
	}
	return id, nil
}

// checkRole refuses a claimed role that neither the image nor the inventory knows.
func (id *Identity) checkRole(img *Image, inv *cluster.Inventory) error {
	if _, ok := img.Roles[id.Role]; ok || id.Role == "" || len(inv.NodesOf(id.Role)) > 0 {
		return nil
	}
	return fmt.Errorf("%s says role %q, which this image does not hold%s; it holds: %s", id.RoleSource, id.Role, cluster.DidYouMean(id.Role, img.RoleNames()), listOrNone(img.RoleNames()))
}

// settleRole compares the role that was claimed with the inventory's. A claim
// that counts as much as the node's, or more, must agree; later ones only cause
// warnings.
func (id *Identity) settleRole(n cluster.Node, claims []Claim) error {
	if id.Role != "" && id.Role != n.Role {
		return fmt.Errorf("%s says role %q, but node %q (by %s) has the role %q in the inventory; make them agree: give this machine the seed of a node of the role %s, or change the node's role in the inventory",
			id.RoleSource, id.Role, n.Name, id.NodeSource, n.Role, id.Role)
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
	var here, ofRole []string // nodes that have one of the machine's addresses
	for _, n := range inv.Nodes {
		if hasAddress(n.Address) {
			here = append(here, n.Name)
			if n.Role == id.Role {
				ofRole = append(ofRole, n.Name)
			}
		}
	}
	if len(ofRole) > 0 {
		here = ofRole
	}
	of := inv.NodesOf(id.Role)
	switch {
	case len(here) == 1:
		id.Node, id.NodeSource = here[0], "the machine's address"
		return nil
	case len(here) > 1:
		return fmt.Errorf("nobody says which node this is, and the machine has the addresses of several: %s; make a seed with forge seed --node NAME, or give forge.node=NAME on the kernel command line", strings.Join(here, ", "))
	case len(of) == 1:
		id.Node, id.NodeSource = of[0].Name, "the inventory's only node of the role "+id.Role
		return nil
	case len(of) > 1 && id.RoleSource != onlyRole:
		return fmt.Errorf("%s says role %q, but nobody says which node, and the machine has the address of none of that role: %s; give it one of these addresses, or name the node: in the seed (forge seed --node NAME), or with forge.node=NAME on the kernel command line",
			id.RoleSource, id.Role, withAddresses(of))
	}
	return fmt.Errorf("nobody says which node this is: not %s, not cloud-init's meta-data (forge: {node: ...}), not the kernel command line (forge.node=...), and no single node of the inventory has one of this machine's addresses; make a seed with forge seed --node NAME (nodes: %s)",
		nodePath, listOrNone(inv.NodeNames()))
}

func withAddresses(nodes []cluster.Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name+" "+n.Address)
	}
	return strings.Join(all, ", ")
}
