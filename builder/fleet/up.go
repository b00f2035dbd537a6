package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"
)

// Change is what Up did to a node.
type Change string

// The changes of a node.
const (
	Created      Change = "created"      // there was none
	Replaced     Change = "replaced"     // by a new container with the same volumes
	Started      Change = "started"      // it was stopped
	Reconfigured Change = "reconfigured" // by a new inventory, while it runs
	Kept         Change = "kept"         // as it was
	Removed      Change = "removed"      // no node of the inventory any more
)

// Up makes the cluster what the plan says, and returns what it did, by node. It does not wait for the nodes
// to be in their roles. All are started at once: who waits for whom is theirs to know.
func (f *Fleet) Up(ctx context.Context, p Plan) (map[string]Change, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	boxes, err := f.Boxes(ctx)
	if err != nil {
		return nil, err
	}
	did := map[string]Change{}
	for _, b := range boxes {
		if !slices.ContainsFunc(p.Nodes, func(n Node) bool { return n.Name == b.Node }) {
			if err := f.remove(ctx, b); err != nil {
				return nil, err
			}
			did[b.Node] = Removed
		}
	}
	network, fresh, err := f.network(ctx, &p)
	if err != nil {
		return nil, err
	}
	var starts []Box
	for _, n := range p.Nodes {
		i := slices.IndexFunc(boxes, func(b Box) bool { return b.Node == n.Name })
		switch {
		case i < 0:
			did[n.Name] = Created
		case boxes[i].spec != p.spec(n) || fresh:
			if err := f.remove(ctx, boxes[i]); err != nil {
				return nil, err
			}
			did[n.Name] = Replaced
		default:
			if did[n.Name], err = f.refresh(ctx, &p, n, boxes[i]); err != nil {
				return nil, err
			}
			if did[n.Name] == Started {
				starts = append(starts, boxes[i])
			}
			continue
		}
		id, err := f.create(ctx, &p, n, network)
		if err != nil {
			return nil, err
		}
		starts = append(starts, Box{ID: id, Node: n.Name})
	}
	return did, errors.Join(f.startAll(ctx, starts), f.applyAll(ctx, &p, boxes, did))
}

// refresh gives a container that stays the inventory of now, and says what is to be done with it.
func (f *Fleet) refresh(ctx context.Context, p *Plan, n Node, b Box) (Change, error) {
	old, err := f.read(ctx, b, inventoryPath)
	if err != nil {
		return "", err
	}
	same := bytes.Equal(old, n.Inventory)
	if !same {
		if err := f.put(ctx, b.ID, n); err != nil {
			return "", err
		}
	}
	switch {
	case b.State != container.StateRunning:
		return Started, nil
	case same || p.Concerned != nil && !p.Concerned(n.Name, old):
		return Kept, nil
	}
	return Reconfigured, nil
}

func (f *Fleet) startAll(ctx context.Context, boxes []Box) error {
	var all errgroup.Group
	for _, b := range boxes {
		all.Go(func() error {
			if err := f.Engine.ContainerStart(ctx, b.ID, container.StartOptions{}); err != nil {
				return fmt.Errorf("start node %s: %w", b.Node, err)
			}
			return nil
		})
	}
	return all.Wait()
}

// applyAll has running nodes apply their new inventory, all at the same time.
func (f *Fleet) applyAll(ctx context.Context, p *Plan, boxes []Box, did map[string]Change) error {
	var all errgroup.Group
	for _, b := range boxes {
		if did[b.Node] != Reconfigured {
			continue
		}
		all.Go(func() error {
			out, err := f.Run(ctx, b.ID, "forge-node", "apply")
			if err != nil {
				return fmt.Errorf("node %s: apply the new inventory: %w", b.Node, err)
			}
			if out.Code != 0 && out.Code != waitingStatus {
				return fmt.Errorf("node %s: forge-node apply ended with status %d: %s", b.Node, out.Code, bytes.TrimSpace(out.Err))
			}
			return nil
		})
	}
	return all.Wait()
}
