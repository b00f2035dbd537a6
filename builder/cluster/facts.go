package cluster

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Facts are what is known about a cluster when a text or a setting is checked: from an inventory
// ([Inventory.Facts]), or gathered from a hand-made node. Empty fields are not known, and what they would
// be compared with is not checked.
type Facts struct {
	Nodes      map[string]string // addresses of the nodes, by name
	Others     []string          // addresses and hosts that are no nodes: gateways, NFS, a data base
	Networks   []netip.Prefix    // whose other addresses are fine, too; none where the inventory lists all
	Masters    int               // number of Mesos masters
	Ensemble   []string          // "10.162.2.91:2181"
	Znode      string            // "/mesos"
	DefaultFS  string            // "hdfs://10.162.2.91:9000"
	NameNode   string            // address; "" with HA
	JobTracker string            // "10.162.2.92:9001"
	Mesos      string            // version, "0.19.0"
}

// Facts of an inventory that has passed [Inventory.Problems].
func (inv *Inventory) Facts() *Facts {
	f := &Facts{Nodes: map[string]string{}}
	if len(inv.Nodes) == 0 {
		return f
	}
	d, err := inv.Derive(inv.Nodes[0].Name, Machine{})
	if err != nil {
		return f
	}
	for _, n := range inv.Nodes {
		f.Nodes[n.Name] = n.Address
	}
	for _, n := range inv.Networks {
		f.Others = append(append(f.Others, n.Gateway), n.DNS...)
	}
	for _, n := range inv.NFS {
		host, _, _ := strings.Cut(n.Source, ":/")
		f.Others = append(f.Others, strings.Trim(host, "[]"))
	}
	if inv.Azkaban != nil {
		f.Others = append(f.Others, inv.Azkaban.Database.Host)
	}
	f.Masters = len(d.Cluster.Masters)
	f.Ensemble = strings.Split(d.ZooKeeper.Connect, ",")
	f.Znode, f.DefaultFS, f.JobTracker = d.Mesos.Znode, d.HDFS.DefaultFS, d.MRv1.Address
	if d.HDFS.HA == nil {
		f.NameNode = d.HDFS.NameNode.Address
	}
	return f
}

// foreign says whether an address belongs to nobody that is known. Loopback, unspecified and public
// addresses are not the inventory's business.
func (f *Facts) foreign(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil || len(f.Nodes) == 0 || !a.IsPrivate() {
		return false
	}
	for _, known := range f.Nodes {
		if k, err := netip.ParseAddr(known); err == nil && k == a {
			return false
		}
	}
	inside := slices.ContainsFunc(f.Networks, func(p netip.Prefix) bool { return p.Contains(a) })
	return !inside && !slices.Contains(f.Others, address)
}

// resolve replaces the host of "host:port" by its address where a node has that name.
func (f *Facts) resolve(hostPort string) string {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return hostPort
	}
	if address, ok := f.Nodes[strings.ToLower(host)]; ok {
		return net.JoinHostPort(address, port)
	}
	return hostPort
}

// zk is the URL that all of Mesos should use, or "".
func (f *Facts) zk() string {
	if len(f.Ensemble) == 0 {
		return ""
	}
	return zkScheme + strings.Join(f.Ensemble, ",") + or(f.Znode, "/mesos")
}

// nodeList names the nodes with their addresses, sorted.
func (f *Facts) nodeList() string {
	var l []string
	for name, address := range f.Nodes {
		l = append(l, name+" "+address)
	}
	slices.Sort(l)
	return strings.Join(l, ", ")
}
