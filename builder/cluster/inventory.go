package cluster

import (
	"net/netip"
	"strings"
)

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
	Marathon  Marathon  `yaml:"marathon" json:"marathon"`
	Spark     Spark     `yaml:"spark" json:"spark"`
	// Azkaban is there where the section is: without it nothing of Azkaban runs.
	Azkaban *Azkaban `yaml:"azkaban" json:"azkaban,omitempty"`
	// NFS lists network file systems that nodes mount.
	NFS []NFS `yaml:"nfs" json:"nfs,omitempty"`
	// Heap by service name, in MiB, for all nodes; a node's own heap wins.
	Heap map[string]int `yaml:"heap" json:"heap,omitempty"`
	// Extra settings by name of a configuration file ("hdfs-site",
	// "mesos-slave") and key: laid over what the component's manifest says.
	Extra map[string]map[string]string `yaml:"extra" json:"extra,omitempty"`
	// Accept lists rules that are broken on purpose, each with the reason.
	Accept []Acceptance `yaml:"accept" json:"accept,omitempty"`
}

// Acceptance lets one rule be broken: what it finds is no error then, but is still told.
type Acceptance struct {
	Rule   string `yaml:"rule" json:"rule" jsonschema:"required"`     // "F25"
	Reason string `yaml:"reason" json:"reason" jsonschema:"required"` // for whoever reads it next year
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
	// Disks are the node's data disks; each is formatted once, if it is blank, and mounted by its label.
	Disks []Disk `yaml:"disks" json:"disks,omitempty"`
	// Attributes and Resources of the Mesos agent.
	Attributes map[string]string `yaml:"attributes" json:"attributes,omitempty"`
	Resources  map[string]string `yaml:"resources" json:"resources,omitempty"`
}

// IPv6 tells whether the node's address is one of IPv6.
func (n Node) IPv6() bool { return strings.Contains(n.Address, ":") }

// Disk is one data disk of a node. What lies below Mount is only used while the disk is mounted there.
type Disk struct {
	Mount  string `yaml:"mount" json:"mount" jsonschema:"required"`   // /data/1
	Device string `yaml:"device" json:"device" jsonschema:"required"` // /dev/vdb, /dev/disk/by-id/...
	// Label of the file system, at most 16 bytes; default: made from the mount point, "data-1".
	Label string `yaml:"label" json:"label,omitempty"`
}

// NFS is one network file system.
type NFS struct {
	Source  string   `yaml:"source" json:"source" jsonschema:"required"` // 10.162.2.90:/export/dfs
	Mount   string   `yaml:"mount" json:"mount" jsonschema:"required"`   // /nfsmount
	Nodes   []string `yaml:"nodes" json:"nodes,omitempty"`               // default: the NameNode's
	Options string   `yaml:"options" json:"options,omitempty"`           // default: "hard,noatime"
}

// ZooKeeper settings. The ensemble is Nodes, in this order: the first has myid 1.
type ZooKeeper struct {
	Nodes []string `yaml:"nodes" json:"nodes,omitempty"` // default: the nodes of the role "master"
	Port  int      `yaml:"port" json:"port,omitempty"`   // clients; default 2181
}

// Mesos settings. Masters are the nodes of the role "master".
type Mesos struct {
	Cluster string `yaml:"cluster" json:"cluster,omitempty"`   // default: the inventory's name
	Znode   string `yaml:"znode" json:"znode,omitempty"`       // default /mesos
	WorkDir string `yaml:"work_dir" json:"work_dir,omitempty"` // default /var/lib/mesos
}

// HDFS settings: one NameNode, or with HA a pair; DataNodes on the nodes of the role "slave".
type HDFS struct {
	// HA makes a pair of NameNodes with automatic failover; not together with NameNode, Secondary.
	HA           *HA      `yaml:"ha" json:"ha,omitempty"`
	NameNode     string   `yaml:"namenode" json:"namenode,omitempty"`           // a node; default: the first master
	NameNodePort int      `yaml:"namenode_port" json:"namenode_port,omitempty"` // default 8020; the document uses 9000
	Secondary    string   `yaml:"secondary" json:"secondary,omitempty"`         // a node; default: the second master, if any
	NameDirs     []string `yaml:"name_dirs" json:"name_dirs,omitempty"`
	DataDirs     []string `yaml:"data_dirs" json:"data_dirs,omitempty"`
	Replication  int      `yaml:"replication" json:"replication,omitempty"` // default: 3, or the number of DataNodes if smaller
}

// HA is HDFS with two NameNodes, which ZooKeeper elects between, and a quorum of JournalNodes.
type HA struct {
	Nameservice  string   `yaml:"nameservice" json:"nameservice,omitempty"`   // default: the inventory's name
	NameNodes    []string `yaml:"namenodes" json:"namenodes,omitempty"`       // exactly two; default: the first two masters
	JournalNodes []string `yaml:"journalnodes" json:"journalnodes,omitempty"` // three or more, odd; default: the ensemble
	JournalDir   string   `yaml:"journal_dir" json:"journal_dir,omitempty"`   // default: /var/lib/hadoop-hdfs/dfs/jn
	Fencing      string   `yaml:"fencing" json:"fencing,omitempty"`           // dfs.ha.fencing.methods; default: shell(/bin/true)
	JournalPort  int      `yaml:"journal_port" json:"journal_port,omitempty"` // default: 8485
}

// MRv1 settings: one JobTracker, TaskTrackers on the nodes of the role "slave".
type MRv1 struct {
	JobTracker  string    `yaml:"jobtracker" json:"jobtracker,omitempty"`     // a node; default: the NameNode's
	Port        int       `yaml:"port" json:"port,omitempty"`                 // default 8021; the document uses 9001
	MapSlots    int       `yaml:"map_slots" json:"map_slots,omitempty"`       // default: the node's CPUs
	ReduceSlots int       `yaml:"reduce_slots" json:"reduce_slots,omitempty"` // default: half of them
	TaskHeap    int       `yaml:"task_heap" json:"task_heap,omitempty"`       // MiB of one task's JVM; default 200
	LocalDirs   []string  `yaml:"local_dirs" json:"local_dirs,omitempty"`
	Mesos       MRv1Mesos `yaml:"mesos" json:"mesos"`
}

// MRv1Mesos says what the JobTracker asks of Mesos, in stacks that run MapReduce on Mesos
// (hadoop-mesos; field guide, section 6).
type MRv1Mesos struct {
	SlotCPUs           string `yaml:"slot_cpus" json:"slot_cpus,omitempty"`                       // default "1"
	SlotMem            int    `yaml:"slot_mem" json:"slot_mem,omitempty"`                         // MiB; default 1024
	SlotDisk           int    `yaml:"slot_disk" json:"slot_disk,omitempty"`                       // MiB; default 1024
	TaskTrackerCPUs    string `yaml:"tasktracker_cpus" json:"tasktracker_cpus,omitempty"`         // default "1.0"
	TaskTrackerMem     int    `yaml:"tasktracker_mem" json:"tasktracker_mem,omitempty"`           // MiB; default 1024
	TaskTrackerDisk    int    `yaml:"tasktracker_disk" json:"tasktracker_disk,omitempty"`         // MiB; default 1024
	MapSlotsMinimum    int    `yaml:"map_slots_minimum" json:"map_slots_minimum,omitempty"`       // of the whole cluster; default 0
	ReduceSlotsMinimum int    `yaml:"reduce_slots_minimum" json:"reduce_slots_minimum,omitempty"` // of the whole cluster; default 0
	Role               string `yaml:"role" json:"role,omitempty"`                                 // default "*"
}

// Marathon settings. It runs on the nodes of the role "master".
type Marathon struct {
	Port  int    `yaml:"port" json:"port,omitempty"`   // default 8080
	Znode string `yaml:"znode" json:"znode,omitempty"` // default /marathon
}

// Spark settings, on Mesos.
type Spark struct {
	Coarse         *bool  `yaml:"coarse" json:"coarse,omitempty"`                   // default true
	CoresMax       int    `yaml:"cores_max" json:"cores_max,omitempty"`             // of one application; default: no limit
	ExecutorMemory int    `yaml:"executor_memory" json:"executor_memory,omitempty"` // MiB; default 1024
	DriverMemory   int    `yaml:"driver_memory" json:"driver_memory,omitempty"`     // MiB; default 1024
	Dispatcher     string `yaml:"dispatcher" json:"dispatcher,omitempty"`           // a node; default: the last master, or none where the stack runs it on request alone
}

// Azkaban settings: solo (one server with a data base of its own) on one node, or a web server and an
// executor that share a MySQL data base.
type Azkaban struct {
	Node         string   `yaml:"node" json:"node,omitempty"`                   // of the web server; default: the last master
	Executor     string   `yaml:"executor" json:"executor,omitempty"`           // a node; "": solo
	Port         int      `yaml:"port" json:"port,omitempty"`                   // default 8081
	ExecutorPort int      `yaml:"executor_port" json:"executor_port,omitempty"` // default 12321
	Timezone     string   `yaml:"timezone" json:"timezone,omitempty"`           // default UTC
	Database     Database `yaml:"database" json:"database"`
}

// Database is the MySQL data base of Azkaban; its password is a secret, never written here.
type Database struct {
	Host string `yaml:"host" json:"host,omitempty"` // a node, a host name or an address; default: Azkaban's node
	Port int    `yaml:"port" json:"port,omitempty"` // default 3306
	Name string `yaml:"name" json:"name,omitempty"` // default azkaban
	User string `yaml:"user" json:"user,omitempty"` // default azkaban
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
