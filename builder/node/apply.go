package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
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

// Resolve reads image, inventory and claims, and renders. It changes nothing.
func (n *Node) Resolve() (*Resolved, error) {
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
	r, err := Render(img, inv, Target{Node: id.Node, Role: id.Role, Machine: n.Machine(), Container: n.Container})
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
	unlock, err := n.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var end outcome
	r, err := n.apply(ctx, sink, &end)
	if err != nil {
		end.Error = err.Error()
	}
	for _, w := range end.Warnings {
		sink.Emit(event.Event{Kind: event.Warning, Message: w})
	}
	return r, errors.Join(err, n.saveJSON(outcomePath, end, 0o644))
}

func (n *Node) apply(ctx context.Context, sink event.Sink, end *outcome) (*Resolved, error) {
	r, err := n.Resolve()
	if err != nil {
		return nil, err
	}
	sink.Emit(event.Event{Kind: event.Log, Message: fmt.Sprintf("this is node %s, role %s (%s)", r.Identity.Node, r.Identity.Role, r.Identity.NodeSource)})
	end.Warnings = append(end.Warnings, r.Identity.Warnings...)
	end.Warnings = append(end.Warnings, r.Rendering.Warnings...)
	warnings, err := n.checkAddress(ctx, r)
	end.Warnings = append(end.Warnings, warnings...)
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
	if err := n.configure(r, s, end); err != nil {
		return r, err
	}
	return r, n.runServices(ctx, r, s, sink)
}

// checkAddress makes sure that the machine has the address that the others will
// look for. The network may still be coming up, so it waits a little.
func (n *Node) checkAddress(ctx context.Context, r *Resolved) (warnings []string, err error) {
	node := r.Rendering.Data.Node
	deadline := time.Now().Add(n.Patience)
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
			return []string{fmt.Sprintf("the container has not the address %s of node %s, but %s: fine behind a mapped port or on the host's network, else start it with --ip %s", node.Address, node.Name, addressList(have), node.Address)}, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the inventory gives node %s the address %s, but no interface has it (they have %s) [F07]: mend the inventory or the machine's network", node.Name, node.Address, addressList(have))
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
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

// configure writes everything that the rendering says, and takes away flag files
// of an earlier one.
func (n *Node) configure(r *Resolved, s *state, end *outcome) error {
	acc, err := n.accounts()
	if err != nil {
		return err
	}
	warnings, err := n.writeNames(r.Identity.Node, r.Rendering.Data.Cluster.Nodes)
	end.Warnings = append(end.Warnings, warnings...)
	if err != nil {
		return err
	}
	var wanted []string
	for _, f := range r.Rendering.Files {
		if f.Flag {
			wanted = append(wanted, f.Path)
		}
	}
	// Recorded before they are written, so that a killed run leaves none behind.
	known := append(slices.Clone(s.Flags), wanted...)
	slices.Sort(known)
	s.Flags = slices.Compact(known)
	if err := n.saveState(s); err != nil {
		return err
	}
	for _, f := range s.Flags {
		if slices.Contains(wanted, f) {
			continue
		}
		if err := os.Remove(n.path(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, f := range r.Rendering.Files {
		if err := n.writeFile(f, acc); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	for _, d := range r.Rendering.Dirs {
		uid, gid, err := acc.ids(d.Owner, d.Group)
		if err == nil {
			err = ensureDir(n.path(d.Path), d.Mode, uid, gid)
		}
		if err != nil {
			return fmt.Errorf("directory %s: %w", d.Path, err)
		}
	}
	s.Flags = wanted
	return n.saveState(s)
}

func (n *Node) writeFile(f RenderedFile, acc *accounts) error {
	uid, gid, err := acc.ids(f.Owner, f.Group)
	if err != nil {
		return err
	}
	_, err = write(owned{path: n.path(f.Path), content: f.Content, mode: f.Mode, uid: uid, gid: gid})
	return err
}

// runServices stops what doesn't belong here, initialises, and starts what does.
// A service restarts if it runs with a configuration other than the one that
// its record says; the record is written after the restart, so that a killed
// run repeats it.
func (n *Node) runServices(ctx context.Context, r *Resolved, s *state, sink event.Sink) error {
	if n.Supervisor == nil {
		return fmt.Errorf("neither systemd nor runit is here, so no service can run: install runit, or use forge-node render")
	}
	if err := n.Supervisor.Reload(ctx, r.Rendering.Services); err != nil {
		return err
	}
	if err := n.Supervisor.Stop(ctx, r.Rendering.Others); err != nil {
		return fmt.Errorf("stop the services of other roles: %w", err)
	}
	acc, err := n.accounts()
	if err != nil {
		return err
	}
	states, err := n.Supervisor.States(ctx, r.Data().Services)
	if err != nil {
		return err
	}
	for _, svc := range r.Rendering.Services {
		if err := n.initialise(ctx, s, svc, acc); err != nil {
			return err
		}
		if err := n.runService(ctx, svc, states[svc.Name], s.Started[svc.Name], sink); err != nil {
			return fmt.Errorf("start %s: %w", svc.Name, err)
		}
		s.Started[svc.Name] = svc.Config
		if err := n.saveState(s); err != nil {
			return err
		}
	}
	for name := range s.Started {
		if !slices.Contains(r.Data().Services, name) {
			delete(s.Started, name)
		}
	}
	return n.saveState(s)
}

func (n *Node) runService(ctx context.Context, svc RenderedService, now Process, started string, sink event.Sink) error {
	if now.Activity == Missing && n.Container {
		now.Activity = Stopped // runit knows what was started once
	}
	switch now.Activity {
	case Missing:
		return fmt.Errorf("its unit does not exist: is the package of component %s installed whole?", svc.Component)
	case Running, Starting:
		if started == svc.Config {
			return nil
		}
		sink.Emit(event.Event{Kind: event.Log, Message: "restart " + svc.Name + ": its configuration changed"})
		return n.Supervisor.Restart(ctx, svc.Name)
	default:
		sink.Emit(event.Event{Kind: event.Log, Message: "start " + svc.Name})
		return n.Supervisor.Start(ctx, []string{svc.Name})
	}
}

// Data is what the node's templates saw.
func (r *Resolved) Data() Data { return r.Rendering.Data }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
