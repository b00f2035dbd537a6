package cluster

import "net/netip"

// MaxBytes is the largest inventory that is read.
const MaxBytes = 1 << 20

// Inventory is cluster.yaml as written. Fields that are not set are filled in
// by [Inventory.Derive], not here, so that an inventory can be printed as it is.
type Inventory struct {
	// Name of the cluster, lower case; Mesos shows it.
	Name string `yaml:"name" json:"name" jsonschema:"required"`
	// Networks that all node addresses lie in.
	Networks []Network `yaml:"networks" json:"networks" jsonschema:"required"`
	// Nodes in order: the first ZooKeeper node has myid 1, and so on.
	Nodes     []Node    `yaml:"nodes" json:"nodes" jsonschema:"required"`
	ZooKeeper ZooKeeper `yaml:"zookeeper" json:"zookeeper"`
	Mesos     Mesos     `yaml:"mesos" json:"mesos"`
	HDFS      HDFS      `yaml:"hdfs" json:"hdfs"`
	MRv1      MRv1      `yaml:"mrv1" json:"mrv1"`
	// Heap by service name, in MiB, for all nodes; a node's own heap wins.
	Heap map[string]int `yaml:"heap" json:"heap,omitempty"`
	// Extra settings by name of a configuration file ("hdfs-site",
	// "mesos-slave") and key: laid over what the component's manifest says.
	Extra map[string]map[string]string `yaml:"extra" json:"extra,omitempty"`
}

// Network is one network of the cluster.
type Network struct {
	CIDR    string   `yaml:"cidr" json:"cidr" jsonschema:"required"` // 10.162.2.0/24
	Gateway string   `yaml:"gateway" json:"gateway,omitempty"`       // default route of its nodes
	DNS     []string `yaml:"dns" json:"dns,omitempty"`               // name servers of its nodes
}

// Prefix of the network; the zero Prefix if CIDR is not valid.
func (n Network) Prefix() netip.Prefix {
	p, err := netip.ParsePrefix(n.CIDR)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// Node is one machine of the cluster.
type Node struct {
	Name    string `yaml:"name" json:"name" jsonschema:"required"`       // host name: one label, lower case
	Address string `yaml:"address" json:"address" jsonschema:"required"` // IPv4 or IPv6, inside one of the networks
	Role    string `yaml:"role" json:"role" jsonschema:"required"`       // "master", "slave"
	// Heap by service name, in MiB.
	Heap map[string]int `yaml:"heap" json:"heap,omitempty"`
	// DataDirs are the DataNode's directories here, instead of hdfs.data_dirs.
	DataDirs []string `yaml:"data_dirs" json:"data_dirs,omitempty"`
	// Attributes and Resources of the Mesos agent.
	Attributes map[string]string `yaml:"attributes" json:"attributes,omitempty"`
	Resources  map[string]string `yaml:"resources" json:"resources,omitempty"`
}

// ZooKeeper settings. The ensemble is the nodes of the role "master".
type ZooKeeper struct {
	Port int `yaml:"port" json:"port,omitempty"` // clients; default 2181
}

// Mesos settings. Masters are the nodes of the role "master".
type Mesos struct {
	Cluster string `yaml:"cluster" json:"cluster,omitempty"`   // default: the inventory's name
	Znode   string `yaml:"znode" json:"znode,omitempty"`       // default /mesos
	WorkDir string `yaml:"work_dir" json:"work_dir,omitempty"` // default /var/lib/mesos
}

// HDFS settings: one NameNode, DataNodes on the nodes of the role "slave".
type HDFS struct {
	NameNode     string   `yaml:"namenode" json:"namenode,omitempty"`           // a node; default: the first master
	NameNodePort int      `yaml:"namenode_port" json:"namenode_port,omitempty"` // default 8020; the document uses 9000
	Secondary    string   `yaml:"secondary" json:"secondary,omitempty"`         // a node; default: the second master, if any
	NameDirs     []string `yaml:"name_dirs" json:"name_dirs,omitempty"`
	DataDirs     []string `yaml:"data_dirs" json:"data_dirs,omitempty"`
	Replication  int      `yaml:"replication" json:"replication,omitempty"` // default: 3, or the number of DataNodes if smaller
}

// MRv1 settings: one JobTracker, TaskTrackers on the nodes of the role "slave".
type MRv1 struct {
	JobTracker  string   `yaml:"jobtracker" json:"jobtracker,omitempty"`     // a node; default: the NameNode's
	Port        int      `yaml:"port" json:"port,omitempty"`                 // default 8021; the document uses 9001
	MapSlots    int      `yaml:"map_slots" json:"map_slots,omitempty"`       // default: the node's CPUs
	ReduceSlots int      `yaml:"reduce_slots" json:"reduce_slots,omitempty"` // default: half of them
	TaskHeap    int      `yaml:"task_heap" json:"task_heap,omitempty"`       // MiB of one task's JVM; default 200
	LocalDirs   []string `yaml:"local_dirs" json:"local_dirs,omitempty"`
}

// Node returns the node of that name.
func (inv *Inventory) Node(name string) (Node, bool) {
	for _, n := range inv.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// NodesOf returns the nodes of a role, in the inventory's order.
func (inv *Inventory) NodesOf(role string) []Node {
	var of []Node
	for _, n := range inv.Nodes {
		if n.Role == role {
			of = append(of, n)
		}
	}
	return of
}

// NetworkOf returns the network that an address lies in.
func (inv *Inventory) NetworkOf(address string) (Network, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return Network{}, false
	}
	for _, n := range inv.Networks {
		if n.Prefix().IsValid() && n.Prefix().Contains(a) {
			return n, true
		}
	}
	return Network{}, false
}

// NodeNames returns the names of all nodes, in the inventory's order.
func (inv *Inventory) NodeNames() []string {
	names := make([]string, 0, len(inv.Nodes))
	for _, n := range inv.Nodes {
		names = append(names, n.Name)
	}
	return names
}
