package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mesos-forge/forge/builder/event"
)

// Resolved is a machine that knows who it is and what it should be.
type Resolved struct {
	Identity  Identity
	Rendering *Rendering
	Image     *Image
}

// Data is what the node's templates saw.
func (r *Resolved) Data() Data { return r.Rendering.Data }

// Resolve reads image, inventory and claims, and renders, without secrets: each
// stands as "<secret NAME>". It changes nothing.
func (n *Node) Resolve() (*Resolved, error) { return n.resolve(nil) }

// resolve is Resolve with the secrets that secret gives.
func (n *Node) resolve(secret func(img *Image, name string) (string, error)) (*Resolved, error) {
	img, err := LoadImage(n.Root)
	if err != nil {
		return nil, err
	}
	if len(img.Roles) == 0 {
		return nil, fmt.Errorf("this image holds no role: %s is empty; is a package forge-role-NAME installed?", n.path(rolesDir))
	}
	inv, err := n.Inventory()
	if err != nil {
		return nil, err
	}
	claims, err := n.Claims()
	if err != nil {
		return nil, err
	}
	id, err := Resolve(claims, img, inv, n.hasAddress)
	if err != nil {
		return nil, err
	}
	target := Target{Node: id.Node, Role: id.Role, Machine: n.Machine(), Container: n.Container}
	if secret != nil {
		target.Secrets = func(name string) (string, error) { return secret(img, name) }
	}
	r, err := Render(img, inv, target)
	if err != nil {
		return nil, fmt.Errorf("render the configuration of node %s: %w", id.Node, err)
	}
	return &Resolved{Identity: id, Rendering: r, Image: img}, nil
}

func (n *Node) hasAddress(address string) bool {
	want, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	have, _, err := n.Addresses()
	return err == nil && slices.Contains(have, want)
}

// Apply makes the machine its node: configuration, names, directories, what is
// initialised once, services. It may be run again at any time; a run with
// nothing to change changes nothing. The outcome is kept for [Node.Status].
func (n *Node) Apply(ctx context.Context, sink event.Sink) (*Resolved, error) {
	unlock, err := n.lock(ctx, sink)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var end outcome
	r, err := n.apply(ctx, sink, &end)
	end.take(err)
	for _, w := range end.Warnings {
		sink.Emit(event.Event{Kind: event.Warning, Message: w})
	}
	return r, errors.Join(err, n.saveJSON(outcomePath, end, 0o644), n.announce(ctx, r, &end))
}

func (n *Node) apply(ctx context.Context, sink event.Sink, end *outcome) (*Resolved, error) {
	r, err := n.resolve(n.Secret)
	if err != nil {
		return nil, err
	}
	sink.Emit(event.Event{Kind: event.Log, Message: fmt.Sprintf("this is node %s, role %s (%s)", r.Identity.Node, r.Identity.Role, r.Identity.NodeSource)})
	end.Warnings = append(end.Warnings, r.Identity.Warnings...)
	end.Warnings = append(end.Warnings, r.Rendering.Warnings...)
	warnings, err := n.checkAddress(ctx, r)
	end.Warnings = append(end.Warnings, warnings...)
	if err == nil {
		err = n.checkNeighbours(ctx, r, sink)
	}
	if err != nil {
		return r, err
	}
	s, err := n.loadState()
	if err != nil {
		return r, err
	}
	if s.Node != "" && s.Node != r.Identity.Node {
		end.Warnings = append(end.Warnings, fmt.Sprintf("this disk belonged to node %s before: is it a copy of a used one? Copies of a DataNode's data confuse the NameNode", s.Node))
	}
	s.Node, s.Role = r.Identity.Node, r.Identity.Role
	acc, err := n.accounts()
	if err != nil {
		return r, err
	}
	absent, problem := n.prepareMounts(ctx, &r.Rendering.Data.Derived, s)
	if err := n.configure(r, s, acc, absent, end); err != nil {
		return r, errors.Join(problem, err)
	}
	st := &starter{Node: n, r: r, s: s, acc: acc, sink: sink, absent: absent, down: map[int]bool{}}
	return r, errors.Join(problem, st.runServices(ctx))
}

// checkAddress makes sure that the machine has the address that the others will
// look for. The network may still be coming up, so it waits a little.
func (n *Node) checkAddress(ctx context.Context, r *Resolved) (warnings []string, err error) {
	node := r.Rendering.Data.Node
	deadline := n.Now().Add(n.Patience)
	for {
		have, link, err := n.Addresses()
		if err != nil {
			return nil, err
		}
		if n.hasAddress(node.Address) {
			return nil, nil
		}
		if !link {
			return []string{fmt.Sprintf("no network interface has a link: nobody can reach this node at %s", node.Address)}, nil
		}
		if n.Container {
			if err := assigned(r, have); err != nil {
				return nil, err
			}
			return []string{fmt.Sprintf("the container has not the address %s of node %s, but %s: fine behind a mapped port or on the host's network, else start it with --ip %s", node.Address, node.Name, addressList(have), node.Address)}, nil
		}
		if !n.Now().Before(deadline) {
			return nil, fmt.Errorf("the inventory gives node %s the address %s, but no interface has it (they have %s) [F07]: mend the inventory or the machine's network", node.Name, node.Address, addressList(have))
		}
		if err := n.Sleep(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// assigned refuses a container that its engine gave an address of the cluster's networks, though not the node's: it
// was told that it is another node than it is.
func assigned(r *Resolved, have []netip.Addr) error {
	d := r.Rendering.Data
	for _, a := range have {
		for _, cidr := range d.Cluster.Networks {
			if network, err := netip.ParsePrefix(cidr); err != nil || !network.Contains(a) {
				continue
			}
			of := "no node"
			for _, other := range d.Cluster.Nodes {
				if other.Address == a.String() {
					of = "node " + other.Name
				}
			}
			return fmt.Errorf("the container has the address %s, which the inventory gives to %s, and not %s of node %s [F07]: it was started as another node than it is; name the right one (FORGE_NODE), or start it with --ip %s",
				a, of, d.Node.Address, d.Node.Name, d.Node.Address)
		}
	}
	return nil
}

func addressList(all []netip.Addr) string {
	var l []string
	for _, a := range all {
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			l = append(l, a.String())
		}
	}
	return listOrNone(l)
}
