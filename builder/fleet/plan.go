package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
)

// Labels of what belongs to a cluster.
const (
	ClusterLabel = "io.github.mesos-forge.cluster"
	NodeLabel    = "io.github.mesos-forge.node"
	roleLabel    = "io.github.mesos-forge.node-role"
	specLabel    = "io.github.mesos-forge.spec" // digest of all that a container is made of
)

// Plan is a cluster as it should run.
type Plan struct {
	Cluster string
	Network netip.Prefix // IPv4, that all nodes are in
	Gateway netip.Addr   // the engine's own address there; the zero Addr: the first that no node has
	// Internet lets nodes reach what lies outside of their network.
	Internet bool
	Nodes    []Node
	// Concerned tells whether the inventory that a running node has, and the new one, make another
	// configuration of it. nil: always.
	Concerned func(node string, old []byte) bool
}

// Node is one container.
type Node struct {
	Name, Role string
	Address    netip.Addr
	Image      string // id in the engine
	Volumes    []Volume
	Memory     int64 // bytes
	Share      bool  // Memory is what falls to the node; another share needs no other container
	Inventory  []byte
	Secrets    map[string]string // by name
}

// Volume is a named volume of the engine.
type Volume struct {
	Name string // without the cluster's prefix
	Path string // in the container
}

// inventoryPath is where forge-node reads the inventory, and secretsPath its folder of secrets.
const (
	inventoryPath = "/etc/forge/cluster.yaml"
	secretsPath   = "/etc/forge/secrets"
)

// stopSeconds is what a container gets to end in good order: services have 30 s each, at the same time.
const stopSeconds = 60

// prefix begins the names of everything that belongs to a cluster.
func prefix(cluster string) string { return "forge-" + cluster }

func (p *Plan) containerName(n Node) string { return prefix(p.Cluster) + "-" + n.Name }

func (p *Plan) volumeName(v Volume) string { return prefix(p.Cluster) + "-" + v.Name }

// check refuses what would end in an engine's less helpful error.
func (p *Plan) check() error {
	if len(p.Nodes) == 0 {
		return fmt.Errorf("cluster %s: the inventory has no nodes", p.Cluster)
	}
	if !p.Network.Addr().Is4() {
		return fmt.Errorf("cluster %s: its network is %s; clusters of containers have IPv4 addresses", p.Cluster, p.Network)
	}
	for _, n := range p.Nodes {
		if !p.Network.Contains(n.Address) {
			return fmt.Errorf("node %s: its address %s is not in %s; all nodes of a cluster of containers are in one network", n.Name, n.Address, p.Network)
		}
	}
	return nil
}

// gateway returns an address for the engine's end of the network.
func (p *Plan) gateway() (netip.Addr, error) {
	taken := func(a netip.Addr) bool {
		return slices.ContainsFunc(p.Nodes, func(n Node) bool { return n.Address == a })
	}
	if p.Gateway.IsValid() && p.Network.Contains(p.Gateway) && !taken(p.Gateway) {
		return p.Gateway, nil
	}
	for a := p.Network.Masked().Addr().Next(); p.Network.Contains(a.Next()); a = a.Next() {
		if !taken(a) {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("network %s: every address is a node's; the engine needs one, too", p.Network)
}

// spec is a digest of all that needs another container when it changes.
func (p *Plan) spec(n Node) string {
	memory := n.Memory
	if n.Share {
		memory = 0
	}
	made, err := json.Marshal(struct {
		Version                             int
		Name, Role, Address, Image, Network string
		Volumes                             []Volume
		Memory                              int64
		Internet                            bool
	}{1, n.Name, n.Role, n.Address.String(), n.Image, p.Network.String(), n.Volumes, memory, p.Internet})
	if err != nil { // of strings and numbers
		panic(err)
	}
	sum := sha256.Sum256(made)
	return hex.EncodeToString(sum[:])
}
