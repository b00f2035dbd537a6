package cluster

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Names of the roles that carry the cluster's services.
const (
	RoleMaster = "master"
	RoleSlave  = "slave"
)

// Ports that no inventory changes.
const (
	mesosMasterPort = 5050
	mesosSlavePort  = 5051
	zkPeerPort      = 2888
	zkElectionPort  = 3888
)

// Machine is what a node is made of.
type Machine struct {
	RAM  int `json:"ram_mib"`
	CPUs int `json:"cpus"`
}

// Derived is the whole cluster as one node sees it: what the inventory says,
// with everything filled in that follows from it. It is the data of templates.
type Derived struct {
	Cluster   DerivedCluster
	Node      Node
	Machine   Machine
	ZooKeeper DerivedZooKeeper
	Mesos     DerivedMesos
	HDFS      DerivedHDFS
	MRv1      DerivedMRv1
}

// DerivedCluster is the cluster as a whole.
type DerivedCluster struct {
	Name     string
	Networks []string // CIDR
	Nodes    []Node
	Masters  []Node
	Slaves   []Node
}

// DerivedZooKeeper is the ensemble.
type DerivedZooKeeper struct {
	Nodes        []Node
	Servers      []ZooKeeperServer
	Port         int
	PeerPort     int
	ElectionPort int
	Connect      string // "10.162.2.91:2181,10.162.2.92:2181"
	MyID         int    // of this node; 0: it is not in the ensemble
}

// ZooKeeperServer is one server.ID line of zoo.cfg.
type ZooKeeperServer struct {
	ID      int
	Name    string
	Address string
}

// DerivedMesos is Mesos as this node sees it.
type DerivedMesos struct {
	Cluster    string
	ZK         string // "zk://10.162.2.91:2181,.../mesos"
	Znode      string // "/mesos"
	Quorum     int    // majority of the masters
	WorkDir    string
	MasterPort int
	SlavePort  int
	Attributes map[string]string // of this node; never nil
	Resources  map[string]string // of this node; never nil
}

// DerivedHDFS is HDFS as this node sees it.
type DerivedHDFS struct {
	DefaultFS   string // "hdfs://10.162.2.91:9000"
	NameNode    Node
	Port        int
	Secondary   *Node // nil: none
	NameDirs    []string
	DataDirs    []string // of this node
	Replication int
	DataNodes   []Node
}

// DerivedMRv1 is MapReduce 1 as this node sees it.
type DerivedMRv1 struct {
	JobTracker   Node
	Port         int
	Address      string // "10.162.2.92:9001"
	MapSlots     int
	ReduceSlots  int
	TaskHeap     int // MiB
	LocalDirs    []string
	TaskTrackers []Node
}

// Derive fills in all that follows from the inventory for one of its nodes. The
// inventory must have passed [Inventory.Problems].
func (inv *Inventory) Derive(node string, m Machine) (*Derived, error) {
	n, ok := inv.Node(node)
	if !ok {
		return nil, fmt.Errorf("node %q is not in the inventory of cluster %q%s; its nodes: %s",
			node, inv.Name, didYouMean(node, inv.NodeNames()), strings.Join(inv.NodeNames(), ", "))
	}
	masters := inv.NodesOf(RoleMaster)
	if len(masters) == 0 {
		return nil, fmt.Errorf("the inventory of cluster %q has no node of the role %q", inv.Name, RoleMaster)
	}
	d := &Derived{
		Cluster: DerivedCluster{Name: inv.Name, Nodes: inv.Nodes, Masters: masters, Slaves: inv.NodesOf(RoleSlave)},
		Node:    n,
		Machine: m,
	}
	for _, nw := range inv.Networks {
		d.Cluster.Networks = append(d.Cluster.Networks, nw.CIDR)
	}
	d.ZooKeeper = inv.deriveZooKeeper(n, masters)
	d.Mesos = inv.deriveMesos(n, masters, d.ZooKeeper.Connect)
	d.HDFS = inv.deriveHDFS(n, masters)
	d.MRv1 = inv.deriveMRv1(m, d.HDFS.NameNode)
	return d, nil
}

func (inv *Inventory) deriveZooKeeper(n Node, masters []Node) DerivedZooKeeper {
	zk := DerivedZooKeeper{Nodes: masters, Port: or(inv.ZooKeeper.Port, 2181), PeerPort: zkPeerPort, ElectionPort: zkElectionPort}
	var connect []string
	for i, m := range masters {
		zk.Servers = append(zk.Servers, ZooKeeperServer{ID: i + 1, Name: m.Name, Address: m.Address})
		connect = append(connect, hostPort(m.Address, zk.Port))
		if m.Name == n.Name {
			zk.MyID = i + 1
		}
	}
	zk.Connect = strings.Join(connect, ",")
	return zk
}

func (inv *Inventory) deriveMesos(n Node, masters []Node, connect string) DerivedMesos {
	znode := or(inv.Mesos.Znode, "/mesos")
	return DerivedMesos{
		Cluster: or(inv.Mesos.Cluster, inv.Name), ZK: "zk://" + connect + znode, Znode: znode,
		Quorum: len(masters)/2 + 1, WorkDir: or(inv.Mesos.WorkDir, "/var/lib/mesos"),
		MasterPort: mesosMasterPort, SlavePort: mesosSlavePort,
		Attributes: notNil(n.Attributes), Resources: notNil(n.Resources),
	}
}

func (inv *Inventory) deriveHDFS(n Node, masters []Node) DerivedHDFS {
	h := DerivedHDFS{
		NameNode: masters[0], Port: or(inv.HDFS.NameNodePort, 8020),
		NameDirs:  orList(inv.HDFS.NameDirs, "/var/lib/hadoop-hdfs/dfs/nn"),
		DataDirs:  orList(inv.HDFS.DataDirs, "/var/lib/hadoop-hdfs/dfs/dn"),
		DataNodes: inv.NodesOf(RoleSlave),
	}
	if named, ok := inv.Node(inv.HDFS.NameNode); ok {
		h.NameNode = named
	}
	if named, ok := inv.Node(inv.HDFS.Secondary); ok {
		h.Secondary = &named
	} else if i := slices.IndexFunc(masters, func(m Node) bool { return m.Name != h.NameNode.Name }); i >= 0 {
		h.Secondary = &masters[i]
	}
	if len(n.DataDirs) > 0 {
		h.DataDirs = slices.Clone(n.DataDirs)
	}
	h.Replication = or(inv.HDFS.Replication, max(1, min(3, len(h.DataNodes))))
	h.DefaultFS = "hdfs://" + hostPort(h.NameNode.Address, h.Port)
	return h
}

func (inv *Inventory) deriveMRv1(m Machine, nameNode Node) DerivedMRv1 {
	r := DerivedMRv1{
		JobTracker: nameNode, Port: or(inv.MRv1.Port, 8021),
		MapSlots:     or(inv.MRv1.MapSlots, max(1, m.CPUs)),
		ReduceSlots:  or(inv.MRv1.ReduceSlots, max(1, m.CPUs/2)),
		TaskHeap:     or(inv.MRv1.TaskHeap, 200),
		LocalDirs:    orList(inv.MRv1.LocalDirs, "/var/lib/hadoop-mapred/local"),
		TaskTrackers: inv.NodesOf(RoleSlave),
	}
	if named, ok := inv.Node(inv.MRv1.JobTracker); ok {
		r.JobTracker = named
	}
	r.Address = hostPort(r.JobTracker.Address, r.Port)
	return r
}

// Peer is one end that a service of a node needs.
type Peer struct {
	Name    string // "namenode"
	Node    string // "master1"
	Address string
	Port    int
}

// String is the peer as people read it: "namenode 10.162.2.91:9000".
func (p Peer) String() string { return p.Name + " " + p.HostPort() }

// HostPort is what to dial.
func (p Peer) HostPort() string { return hostPort(p.Address, p.Port) }

// PeerNames are the peers that a manifest may name, sorted.
func PeerNames() []string { return []string{"jobtracker", "mesos-master", "namenode", "zookeeper"} }

// Peers returns where a peer is. One answer of them is enough. The name must be
// one of [PeerNames]; for any other the result is empty.
func (d *Derived) Peers(name string) []Peer {
	peers := func(port int, nodes ...Node) []Peer {
		var ps []Peer
		for _, n := range nodes {
			ps = append(ps, Peer{Name: name, Node: n.Name, Address: n.Address, Port: port})
		}
		return ps
	}
	switch name {
	case "jobtracker":
		return peers(d.MRv1.Port, d.MRv1.JobTracker)
	case "mesos-master":
		return peers(d.Mesos.MasterPort, d.Cluster.Masters...)
	case "namenode":
		return peers(d.HDFS.Port, d.HDFS.NameNode)
	case "zookeeper":
		return peers(d.ZooKeeper.Port, d.ZooKeeper.Nodes...)
	}
	return nil
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func orList(v []string, otherwise ...string) []string {
	if len(v) == 0 {
		return otherwise
	}
	return slices.Clone(v)
}

func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
