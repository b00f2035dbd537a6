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
	Marathon  DerivedMarathon
	Spark     DerivedSpark
	Azkaban   DerivedAzkaban
	Mounts    []Mount // of this node
}

// Mount is a file system that this node mounts, or that is missing when something below it is to be used.
type Mount struct {
	Path    string
	Device  string // of a data disk; "" for NFS
	Label   string // of a data disk
	Source  string // of NFS; "" for a data disk
	Options string
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
	HA          *DerivedHA // nil: one NameNode
}

// DerivedHA is the pair of NameNodes. HDFS.NameNode is the first of them, DefaultFS names the nameservice.
type DerivedHA struct {
	Nameservice  string
	NameNodes    []HANameNode
	JournalNodes []Node
	JournalDir   string
	JournalPort  int
	SharedEdits  string // "qjournal://10.162.2.91:8485;.../lab"
	Fencing      string
	Quorum       string // ha.zookeeper.quorum: "10.162.2.91:2181,...", without zk://
	ID           string // of this node's NameNode: "nn1"; "" elsewhere
	Journal      bool   // this node runs a JournalNode
}

// HANameNode is one of the pair.
type HANameNode struct {
	ID string // "nn1"
	Node
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
	Mesos        MRv1Mesos // with all defaults filled in
}

// DerivedMarathon is Marathon on the masters.
type DerivedMarathon struct {
	Port int
	ZK   string // "zk://10.162.2.91:2181,.../marathon"
}

// DerivedSpark is Spark on Mesos.
type DerivedSpark struct {
	Master         string // "mesos://zk://10.162.2.91:2181,.../mesos"
	Coarse         bool
	CoresMax       int // 0: no limit
	ExecutorMemory int // MiB
	DriverMemory   int // MiB
	Dispatcher     Node
	Dispatching    bool // the inventory names the dispatcher's node
}

// Derive fills in all that follows from the inventory for one of its nodes. The
// inventory must have passed [Inventory.Problems].
func (inv *Inventory) Derive(node string, m Machine) (*Derived, error) {
	n, ok := inv.Node(node)
	if !ok {
		return nil, fmt.Errorf("node %q is not in the inventory of cluster %q%s; its nodes: %s",
			node, inv.Name, DidYouMean(node, inv.NodeNames()), strings.Join(inv.NodeNames(), ", "))
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
	d.HDFS = inv.deriveHDFS(n, masters, d.ZooKeeper)
	d.MRv1 = inv.deriveMRv1(m, d.HDFS.NameNode)
	d.Marathon = DerivedMarathon{Port: or(inv.Marathon.Port, 8080), ZK: "zk://" + d.ZooKeeper.Connect + or(inv.Marathon.Znode, "/marathon")}
	d.Spark = inv.deriveSpark(masters, d.Mesos.ZK)
	d.Azkaban = inv.deriveAzkaban(masters)
	d.Mounts = inv.deriveMounts(n, d.HDFS)
	return d, nil
}

// named returns the nodes of those names, or otherwise.
func (inv *Inventory) named(names []string, otherwise []Node) []Node {
	var nodes []Node
	for _, name := range names {
		if n, ok := inv.Node(name); ok {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		return otherwise
	}
	return nodes
}

// one returns the node of that name, or otherwise.
func (inv *Inventory) one(name string, otherwise Node) Node {
	if n, ok := inv.Node(name); ok {
		return n
	}
	return otherwise
}

func (inv *Inventory) deriveSpark(masters []Node, zk string) DerivedSpark {
	s := inv.Spark
	return DerivedSpark{Master: "mesos://" + zk, Coarse: s.Coarse == nil || *s.Coarse, CoresMax: s.CoresMax,
		ExecutorMemory: or(s.ExecutorMemory, 1024), DriverMemory: or(s.DriverMemory, 1024),
		Dispatcher: inv.one(s.Dispatcher, masters[len(masters)-1]), Dispatching: s.Dispatcher != ""}
}

// deriveMounts lists what a node mounts: its data disks, and the NFS that name it.
func (inv *Inventory) deriveMounts(n Node, h DerivedHDFS) []Mount {
	var mounts []Mount
	for _, d := range n.Disks {
		mounts = append(mounts, Mount{Path: d.Mount, Device: d.Device, Label: or(d.Label, labelOf(d.Mount)), Options: "defaults,noatime"})
	}
	for _, f := range inv.NFS {
		here := slices.Contains(f.Nodes, n.Name)
		if len(f.Nodes) == 0 {
			here = n.Name == h.NameNode.Name
		}
		if here {
			mounts = append(mounts, Mount{Path: f.Mount, Source: f.Source, Options: or(f.Options, "hard,noatime")})
		}
	}
	return mounts
}

// labelOf makes a file system's label of a mount point: "/data/1" gives "data-1".
func labelOf(mount string) string {
	label := strings.ReplaceAll(strings.Trim(mount, "/"), "/", "-")
	return label[max(0, len(label)-16):]
}

func (inv *Inventory) deriveZooKeeper(n Node, masters []Node) DerivedZooKeeper {
	masters = inv.named(inv.ZooKeeper.Nodes, masters)
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

func (inv *Inventory) deriveHDFS(n Node, masters []Node, zk DerivedZooKeeper) DerivedHDFS {
	h := DerivedHDFS{
		NameNode: inv.one(inv.HDFS.NameNode, masters[0]), Port: or(inv.HDFS.NameNodePort, 8020),
		NameDirs:  orList(inv.HDFS.NameDirs, "/var/lib/hadoop-hdfs/dfs/nn"),
		DataDirs:  orList(inv.HDFS.DataDirs, "/var/lib/hadoop-hdfs/dfs/dn"),
		DataNodes: inv.NodesOf(RoleSlave),
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
	if inv.HDFS.HA != nil {
		inv.deriveHA(n, masters, zk, &h)
	}
	return h
}

func (inv *Inventory) deriveHA(n Node, masters []Node, zk DerivedZooKeeper, h *DerivedHDFS) {
	ha := inv.HDFS.HA
	d := &DerivedHA{Nameservice: or(ha.Nameservice, inv.Name), JournalNodes: inv.named(ha.JournalNodes, zk.Nodes),
		JournalDir: or(ha.JournalDir, "/var/lib/hadoop-hdfs/dfs/jn"), JournalPort: or(ha.JournalPort, 8485),
		Fencing: or(ha.Fencing, "shell(/bin/true)"), Quorum: zk.Connect}
	for i, nn := range inv.named(ha.NameNodes, masters[:min(2, len(masters))]) {
		d.NameNodes = append(d.NameNodes, HANameNode{ID: fmt.Sprintf("nn%d", i+1), Node: nn})
		if nn.Name == n.Name {
			d.ID = fmt.Sprintf("nn%d", i+1)
		}
	}
	var ends []string
	for _, j := range d.JournalNodes {
		ends = append(ends, hostPort(j.Address, d.JournalPort))
		d.Journal = d.Journal || j.Name == n.Name
	}
	d.SharedEdits = "qjournal://" + strings.Join(ends, ";") + "/" + d.Nameservice
	h.NameNode, h.Secondary, h.HA = d.NameNodes[0].Node, nil, d
	h.DefaultFS = "hdfs://" + d.Nameservice
}

func (inv *Inventory) deriveMRv1(m Machine, nameNode Node) DerivedMRv1 {
	r := DerivedMRv1{
		JobTracker: inv.one(inv.MRv1.JobTracker, nameNode), Port: or(inv.MRv1.Port, 8021),
		MapSlots:     or(inv.MRv1.MapSlots, max(1, m.CPUs)),
		ReduceSlots:  or(inv.MRv1.ReduceSlots, max(1, m.CPUs/2)),
		TaskHeap:     or(inv.MRv1.TaskHeap, 200),
		LocalDirs:    orList(inv.MRv1.LocalDirs, "/var/lib/hadoop-mapred/local"),
		TaskTrackers: inv.NodesOf(RoleSlave),
		Mesos:        inv.MRv1.Mesos,
	}
	r.Mesos.SlotCPUs, r.Mesos.TaskTrackerCPUs = or(r.Mesos.SlotCPUs, "1"), or(r.Mesos.TaskTrackerCPUs, "1.0")
	for _, mib := range []*int{&r.Mesos.SlotMem, &r.Mesos.SlotDisk, &r.Mesos.TaskTrackerMem, &r.Mesos.TaskTrackerDisk} {
		*mib = or(*mib, 1024)
	}
	r.Mesos.Role = or(r.Mesos.Role, "*")
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
func PeerNames() []string {
	return []string{"azkaban-executor", "datanode", "journalnode", "jobtracker", "mariadb", "mesos-master", "namenode", "zookeeper", "zookeeper-peer"}
}

// Peers returns where a peer is. One answer of them is enough. The name must be
// one of [PeerNames]; for any other the result is empty, and so is it where nobody
// else is needed: the only server of an ensemble has no "zookeeper-peer".
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
	case "azkaban-executor":
		if !d.Azkaban.Solo {
			return peers(d.Azkaban.ExecutorPort, d.Azkaban.Executor)
		}
	case "mariadb":
		if db := d.Azkaban.Database; !d.Azkaban.Solo {
			return peers(db.Port, Node{Name: or(db.Node, db.Host), Address: db.Address})
		}
	case "mesos-master":
		return peers(d.Mesos.MasterPort, d.Cluster.Masters...)
	case "journalnode":
		if d.HDFS.HA != nil {
			return peers(d.HDFS.HA.JournalPort, d.HDFS.HA.JournalNodes...)
		}
	case "namenode":
		if d.HDFS.HA != nil {
			var pair []Node
			for _, nn := range d.HDFS.HA.NameNodes {
				pair = append(pair, nn.Node)
			}
			return peers(d.HDFS.Port, pair...)
		}
		return peers(d.HDFS.Port, d.HDFS.NameNode)
	case "datanode":
		return peers(portDataNode, d.HDFS.DataNodes...)
	case "zookeeper-peer":
		others := slices.DeleteFunc(slices.Clone(d.ZooKeeper.Nodes), func(n Node) bool { return n.Name == d.Node.Name })
		return peers(zkElectionPort, others...)
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
