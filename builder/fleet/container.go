package fleet

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
)

// network returns the id of the cluster's network, which it makes when it isn't there; fresh says that it was
// made anew, so that containers of an older one can't be in it.
func (f *Fleet) network(ctx context.Context, p *Plan) (id string, fresh bool, err error) {
	list, err := f.Engine.NetworkList(ctx, network.ListOptions{Filters: f.mine("")})
	if err != nil {
		return "", false, fmt.Errorf("network of cluster %s: %w", p.Cluster, err)
	}
	gateway, err := p.gateway()
	if err != nil {
		return "", false, err
	}
	for _, n := range list {
		if len(n.IPAM.Config) == 1 && n.IPAM.Config[0].Subnet == p.Network.String() && n.IPAM.Config[0].Gateway == gateway.String() && n.Internal != p.Internet {
			return n.ID, false, nil
		}
	}
	for _, n := range list { // of another inventory
		if err := f.removeNetwork(ctx, n.ID); err != nil {
			return "", false, err
		}
	}
	made, err := f.Engine.NetworkCreate(ctx, prefix(p.Cluster), network.CreateOptions{
		Driver: "bridge", Internal: !p.Internet, Labels: map[string]string{ClusterLabel: p.Cluster},
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: p.Network.String(), Gateway: gateway.String()}}}})
	if err != nil {
		err = fmt.Errorf("network %s of cluster %s: %w", p.Network, p.Cluster, err)
		if strings.Contains(err.Error(), "overlaps") {
			err = fmt.Errorf("%w; another network of this engine or machine has these addresses: \"forge down\" ends another cluster of forge's, \"docker network ls\" shows all, or change networks: and the addresses in the inventory", err)
		}
		return "", false, err
	}
	return made.ID, true, nil
}

// removeNetwork removes a network, and first takes the cluster's containers out of it.
func (f *Fleet) removeNetwork(ctx context.Context, id string) error {
	n, err := f.Engine.NetworkInspect(ctx, id, network.InspectOptions{})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("network of cluster %s: %w", f.Cluster, err)
	}
	for c := range n.Containers {
		if err := f.Engine.NetworkDisconnect(ctx, id, c, true); err != nil && !cerrdefs.IsNotFound(err) {
			return fmt.Errorf("network %s: %w", n.Name, err)
		}
	}
	if err := f.Engine.NetworkRemove(ctx, id); err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("network %s: %w", n.Name, err)
	}
	return nil
}

// create makes a node's container with its files, and does not start it.
func (f *Fleet) create(ctx context.Context, p *Plan, n Node, networkID string) (string, error) {
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(networkID),
		CapAdd:      []string{"NET_ADMIN"}, // Azkaban's packet filter, in the container's own network
		Resources:   container.Resources{Memory: n.Memory},
		// A machine that starts again has its cluster again, unless somebody stopped it.
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
	}
	if !p.Internet {
		// forge-node writes all names into /etc/hosts. With a server that answers nothing a lookup of any
		// other name takes ten seconds to fail; nobody listens here, so that it fails at once.
		host.DNS = []string{"127.0.0.1"}
	}
	for _, v := range n.Volumes {
		name := p.volumeName(v)
		if _, err := f.Engine.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{ClusterLabel: p.Cluster, NodeLabel: n.Name}}); err != nil {
			return "", fmt.Errorf("volume %s of node %s: %w", name, n.Name, err)
		}
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: name, Target: v.Path})
	}
	grace := stopSeconds
	made, err := f.Engine.ContainerCreate(ctx,
		&container.Config{Image: n.Image, Hostname: n.Name, Env: []string{"FORGE_NODE=" + n.Name}, StopTimeout: &grace,
			Labels: map[string]string{ClusterLabel: p.Cluster, NodeLabel: n.Name, roleLabel: n.Role, specLabel: p.spec(n)}},
		host, &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{networkID: endpoint(n.Address)}}, nil, p.containerName(n))
	if cerrdefs.IsConflict(err) {
		return "", fmt.Errorf("node %s: %w; it is not of this cluster, or another forge up is running", n.Name, err)
	}
	if err != nil {
		return "", fmt.Errorf("container of node %s: %w", n.Name, err)
	}
	return made.ID, f.put(ctx, made.ID, n)
}

func endpoint(address netip.Addr) *network.EndpointSettings {
	return &network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: address.String()}}
}

// remove stops a container in good order and removes it; its named volumes stay.
func (f *Fleet) remove(ctx context.Context, b Box) error {
	if err := f.stop(ctx, b); err != nil {
		return err
	}
	if err := f.Engine.ContainerRemove(ctx, b.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("remove node %s: %w", b.Node, err)
	}
	return nil
}

func (f *Fleet) stop(ctx context.Context, b Box) error {
	grace := stopSeconds
	if err := f.Engine.ContainerStop(ctx, b.ID, container.StopOptions{Timeout: &grace}); err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("stop node %s: %w", b.Node, err)
	}
	return nil
}
