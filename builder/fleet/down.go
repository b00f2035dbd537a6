package fleet

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"
)

// Removal is what Down took away.
type Removal struct {
	Nodes    []string `json:"nodes"`
	Networks []string `json:"networks"`
	Volumes  []string `json:"volumes"`
	Kept     []string `json:"kept_volumes"`
}

// Down stops the cluster's containers in good order, all at once, and removes them, its network, and unless
// keep is set its volumes. It removes nothing without the cluster's label. Where something can't be removed it
// goes on with the rest.
func (f *Fleet) Down(ctx context.Context, keep bool) (*Removal, error) {
	boxes, err := f.Boxes(ctx)
	if err != nil {
		return nil, err
	}
	var stops errgroup.Group
	for _, b := range boxes {
		stops.Go(func() error { return f.remove(ctx, b) })
	}
	if err := stops.Wait(); err != nil {
		return nil, err
	}
	gone := &Removal{Nodes: []string{}, Networks: []string{}, Volumes: []string{}, Kept: []string{}}
	for _, b := range boxes {
		gone.Nodes = append(gone.Nodes, b.Node)
	}
	networks, err := f.Engine.NetworkList(ctx, network.ListOptions{Filters: f.mine("")})
	if err != nil {
		return gone, fmt.Errorf("network of cluster %s: %w", f.Cluster, err)
	}
	var problems []error
	for _, n := range networks {
		if err := f.removeNetwork(ctx, n.ID); err != nil {
			problems = append(problems, err)
			continue
		}
		gone.Networks = append(gone.Networks, n.Name)
	}
	return gone, errors.Join(append(problems, f.removeVolumes(ctx, keep, gone))...)
}

func (f *Fleet) removeVolumes(ctx context.Context, keep bool, gone *Removal) error {
	volumes, err := f.Engine.VolumeList(ctx, volume.ListOptions{Filters: f.mine("")})
	if err != nil {
		return fmt.Errorf("volumes of cluster %s: %w", f.Cluster, err)
	}
	var problems []error
	for _, v := range volumes.Volumes {
		if keep {
			gone.Kept = append(gone.Kept, v.Name)
			continue
		}
		if err := f.Engine.VolumeRemove(ctx, v.Name, false); err != nil && !cerrdefs.IsNotFound(err) {
			problems = append(problems, fmt.Errorf("volume %s: %w", v.Name, err))
			continue
		}
		gone.Volumes = append(gone.Volumes, v.Name)
	}
	return errors.Join(problems...)
}
