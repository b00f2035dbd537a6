package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// Fleet is one cluster in an engine, running or not.
type Fleet struct {
	Engine  client.APIClient
	Cluster string
}

// Box is a container that is a node of the cluster.
type Box struct {
	ID, Node, Role, Address string
	State                   string // "running", "exited", ... as the engine says
	Status                  string // "Exited (137) 2 minutes ago"
	spec                    string
}

// mine selects what belongs to the cluster.
func (f *Fleet) mine(node string) filters.Args {
	args := filters.NewArgs(filters.Arg("label", ClusterLabel+"="+f.Cluster))
	if node != "" {
		args.Add("label", NodeLabel+"="+node)
	}
	return args
}

// Boxes returns the containers of the cluster, sorted by their nodes' names.
func (f *Fleet) Boxes(ctx context.Context) ([]Box, error) {
	list, err := f.Engine.ContainerList(ctx, container.ListOptions{All: true, Filters: f.mine("")})
	if err != nil {
		return nil, fmt.Errorf("containers of cluster %s: %w", f.Cluster, err)
	}
	var boxes []Box
	for _, c := range list {
		b := Box{ID: c.ID, Node: c.Labels[NodeLabel], Role: c.Labels[roleLabel], State: c.State, Status: c.Status, spec: c.Labels[specLabel]}
		if c.NetworkSettings != nil {
			for _, e := range c.NetworkSettings.Networks {
				if e.IPAMConfig != nil {
					b.Address = e.IPAMConfig.IPv4Address
				}
			}
		}
		boxes = append(boxes, b)
	}
	slices.SortFunc(boxes, func(a, b Box) int { return strings.Compare(a.Node, b.Node) })
	return boxes, nil
}

// Box returns the container of one node.
func (f *Fleet) Box(ctx context.Context, node string) (*Box, error) {
	boxes, err := f.Boxes(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, b := range boxes {
		if b.Node == node {
			return &b, nil
		}
		names = append(names, b.Node)
	}
	if len(names) == 0 {
		return nil, f.notUp()
	}
	return nil, fmt.Errorf("cluster %s has no node %q; its nodes: %s", f.Cluster, node, strings.Join(names, ", "))
}

// notUp says that there is no such cluster.
func (f *Fleet) notUp() error {
	return fmt.Errorf("cluster %s is not up: no container of this engine belongs to it; start it with: forge up", f.Cluster)
}

// Clusters returns the names of all clusters that have a container, sorted.
func Clusters(ctx context.Context, engine client.APIClient) ([]string, error) {
	list, err := engine.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", ClusterLabel))})
	if err != nil {
		return nil, fmt.Errorf("clusters: %w", err)
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Labels[ClusterLabel])
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
