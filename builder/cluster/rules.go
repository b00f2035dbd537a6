package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

// hostLabel is one label of a host name: RFC 1123, section 2.1, lower case.
var hostLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Problems checks the inventory with every rule and returns what is wrong, with
// Path, Rule, Message and Hint set. A valid inventory gives none.
func (inv *Inventory) Problems() []Problem {
	c := &checker{inv: inv}
	c.name("name", inv.Name, "the cluster's name")
	c.networks()
	c.nodes()
	c.roles()
	c.mesos()
	c.hdfs()
	c.mrv1()
	c.port("zookeeper.port", inv.ZooKeeper.Port)
	c.heaps("heap", inv.Heap)
	return c.problems
}

type checker struct {
	inv      *Inventory
	problems []Problem
}

func (c *checker) add(path, rule, message, hint string) {
	c.problems = append(c.problems, Problem{Path: path, Rule: rule, Message: message, Hint: hint})
}

func (c *checker) name(at, name, what string) {
	switch {
	case name == "":
		c.add(at, "required", what+" is missing", "write one in lower case, such as lab or slave1")
	case name != strings.ToLower(name):
		c.add(at, "F01", fmt.Sprintf("%s %q has capital letters; paths, packages and hosts are lower case", what, name), fmt.Sprintf("write %q", strings.ToLower(name)))
	case !hostLabel.MatchString(name):
		c.add(at, "name", fmt.Sprintf("%s %q is not one host name label", what, name), "use a-z, 0-9 and -, at most 63 characters, no - at an end")
	}
}

func (c *checker) networks() {
	if len(c.inv.Networks) == 0 {
		c.add("networks", "required", "no network is given", "list the networks that the nodes' addresses lie in: - cidr: 10.162.2.0/24")
	}
	for i, n := range c.inv.Networks {
		at := fmt.Sprintf("networks[%d]", i)
		p, err := netip.ParsePrefix(n.CIDR)
		if err != nil {
			c.add(at+".cidr", "network", fmt.Sprintf("%q is not a network: %v", n.CIDR, err), "write it as 10.162.2.0/24")
			continue
		}
		if p != p.Masked() {
			c.add(at+".cidr", "network", fmt.Sprintf("%s has bits set behind the prefix", n.CIDR), "write "+p.Masked().String())
		}
		if n.Gateway != "" {
			if a, err := netip.ParseAddr(n.Gateway); err != nil || !p.Contains(a) {
				c.add(at+".gateway", "network", fmt.Sprintf("gateway %q is not an address inside %s", n.Gateway, n.CIDR), "")
			}
		}
		for j, s := range n.DNS {
			if _, err := netip.ParseAddr(s); err != nil {
				c.add(fmt.Sprintf("%s.dns[%d]", at, j), "network", fmt.Sprintf("name server %q is not an address", s), "")
			}
		}
	}
}

func (c *checker) nodes() {
	if len(c.inv.Nodes) == 0 {
		c.add("nodes", "required", "no node is given", "list them: - {name: master1, address: 10.162.2.91, role: master}")
	}
	names, addresses := map[string]bool{}, map[string]string{}
	for i, n := range c.inv.Nodes {
		at := fmt.Sprintf("nodes[%d]", i)
		c.name(at+".name", n.Name, "the node's name")
		if n.Name == "localhost" {
			c.add(at+".name", "name", "a node can't be called localhost", "")
		}
		if n.Name != "" && names[n.Name] {
			c.add(at+".name", "duplicate-name", fmt.Sprintf("a second node is called %q", n.Name), "every node needs a name of its own")
		}
		names[n.Name] = true
		c.address(at, n, addresses)
		c.name(at+".role", n.Role, "the node's role")
		c.heaps(at+".heap", n.Heap)
		c.dirs(at+".data_dirs", n.DataDirs)
		c.keys(at+".attributes", n.Attributes)
		c.keys(at+".resources", n.Resources)
	}
}

func (c *checker) address(at string, n Node, seen map[string]string) {
	at += ".address"
	a, err := netip.ParseAddr(n.Address)
	if err != nil {
		c.add(at, "address", fmt.Sprintf("node %q has the address %q, which is not an IP address", n.Name, n.Address), "names are resolved by nothing here: write 10.162.2.94")
		return
	}
	if a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
		c.add(at, "address", fmt.Sprintf("node %q has the address %s, which other nodes can't reach", n.Name, n.Address), "write the address that the other nodes use")
		return
	}
	if other, ok := seen[a.String()]; ok {
		c.add(at, "duplicate-address", fmt.Sprintf("nodes %q and %q have the same address %s", other, n.Name, n.Address), "")
	}
	seen[a.String()] = n.Name
	network, ok := c.inv.NetworkOf(n.Address)
	if !ok {
		c.add(at, "F07", fmt.Sprintf("node %q has the address %s, which lies in none of the cluster's networks (%s)", n.Name, n.Address, c.networkList()), "mend the address, or add its network")
		return
	}
	if network.Gateway == n.Address {
		c.add(at, "duplicate-address", fmt.Sprintf("node %q has the gateway's address %s", n.Name, n.Address), "")
	}
	if p := network.Prefix(); a.Is4() && p.Bits() < 31 && (a == p.Masked().Addr() || a == lastAddress(p)) {
		c.add(at, "address", fmt.Sprintf("node %q has the address %s, which names the whole network %s", n.Name, n.Address, p), "")
	}
}

func lastAddress(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(a)
}

func (c *checker) networkList() string {
	var l []string
	for _, n := range c.inv.Networks {
		l = append(l, n.CIDR)
	}
	return or(strings.Join(l, ", "), "none given")
}

func (c *checker) roles() {
	if len(c.inv.Nodes) == 0 {
		return
	}
	masters, slaves := len(c.inv.NodesOf(RoleMaster)), len(c.inv.NodesOf(RoleSlave))
	if masters == 0 {
		c.add("nodes", "role-without-node", "no node has the role \"master\": ZooKeeper, the NameNode and the JobTracker have no place", "give one or three nodes role: master")
	}
	if slaves == 0 {
		c.add("nodes", "role-without-node", "no node has the role \"slave\": nothing stores blocks or runs tasks", "give at least one node role: slave")
	}
	if masters > 0 && masters%2 == 0 {
		c.add("nodes", "even-ensemble", fmt.Sprintf("%d masters make an ensemble of even size: it survives no more failures than %d would, and a split leaves no majority", masters, masters-1), fmt.Sprintf("use %d or %d masters", masters-1, masters+1))
	}
}

func (c *checker) mesos() {
	m := c.inv.Mesos
	c.clean("mesos.cluster", m.Cluster)
	if m.WorkDir != "" {
		c.dirs("mesos.work_dir", []string{m.WorkDir})
	}
	switch z := m.Znode; {
	case z == "":
	case z == "/":
		c.add("mesos.znode", "F06", "mesos.znode is /, which Mesos refuses", "write /mesos")
	case !strings.HasPrefix(z, "/") || path.Clean(z) != z || strings.ContainsAny(z, " ,:?#"):
		c.add("mesos.znode", "F06", fmt.Sprintf("mesos.znode %q is not a path such as /mesos", z), "begin with /, end without one; no spaces, commas or colons")
	case z != strings.ToLower(z):
		c.add("mesos.znode", "F06", fmt.Sprintf("mesos.znode %q has capital letters; /Mesos and /mesos are two znodes, and half of the cluster would look at each", z), "write "+strings.ToLower(z))
	}
}

func (c *checker) hdfs() {
	h := c.inv.HDFS
	c.node("hdfs.namenode", h.NameNode, "F14")
	c.node("hdfs.secondary", h.Secondary, "unknown-node")
	c.port("hdfs.namenode_port", h.NameNodePort)
	c.dirs("hdfs.name_dirs", h.NameDirs)
	c.dirs("hdfs.data_dirs", h.DataDirs)
	if slaves := len(c.inv.NodesOf(RoleSlave)); h.Replication < 0 || (slaves > 0 && h.Replication > slaves) {
		c.add("hdfs.replication", "replication", fmt.Sprintf("replication %d with %d DataNodes: files could never be complete", h.Replication, slaves), "leave it out: forge takes 3, or the number of DataNodes")
	}
}

func (c *checker) mrv1() {
	m := c.inv.MRv1
	c.node("mrv1.jobtracker", m.JobTracker, "F24")
	c.port("mrv1.port", m.Port)
	c.dirs("mrv1.local_dirs", m.LocalDirs)
	for _, f := range []struct {
		at string
		n  int
	}{{"mrv1.map_slots", m.MapSlots}, {"mrv1.reduce_slots", m.ReduceSlots}, {"mrv1.task_heap", m.TaskHeap}} {
		at, n := f.at, f.n
		if n < 0 || n > 1<<20 {
			c.add(at, "range", fmt.Sprintf("%s is %d", at, n), "leave it out, or write a number above 0")
		}
	}
}

// node checks a reference to one node; lists of nodes are what F14 and F24 are
// about: one NameNode, one active JobTracker.
func (c *checker) node(at, name, rule string) {
	if name == "" {
		return
	}
	if _, ok := c.inv.Node(name); ok {
		return
	}
	if strings.ContainsAny(name, ", ") {
		c.add(at, rule, fmt.Sprintf("%s names more than one node: %q", at, name), "write one")
		return
	}
	c.add(at, "unknown-node", fmt.Sprintf("%s: no node is called %q%s", at, name, didYouMean(name, c.inv.NodeNames())), "nodes: "+strings.Join(c.inv.NodeNames(), ", "))
}

func (c *checker) port(at string, port int) {
	if port < 0 || port > 65535 {
		c.add(at, "port", fmt.Sprintf("%s is %d, not a port (1 to 65535)", at, port), "")
	}
}

func (c *checker) dirs(at string, dirs []string) {
	seen := map[string]bool{}
	for i, d := range dirs {
		here := at
		if at != "mesos.work_dir" {
			here = fmt.Sprintf("%s[%d]", at, i)
		}
		switch {
		case !path.IsAbs(d) || path.Clean(d) != d || d == "/":
			c.add(here, "directory", fmt.Sprintf("%q is not a plain absolute directory", d), "write it as /data/1/dfs/dn")
		case strings.ContainsAny(d, ", \n"):
			c.add(here, "directory", fmt.Sprintf("%q holds a comma or a space, where Hadoop begins the next directory", d), "write each directory as its own list item")
		case seen[d]:
			c.add(here, "directory", fmt.Sprintf("%q stands there twice", d), "")
		}
		seen[d] = true
	}
}

func (c *checker) heaps(at string, heaps map[string]int) {
	for _, service := range slices.Sorted(maps.Keys(heaps)) {
		if mib := heaps[service]; mib < 16 || mib > 1<<20 {
			c.add(at+"."+service, "range", fmt.Sprintf("the heap of %s is %d MiB", service, mib), "write a number of MiB from 16")
		}
	}
}

// settingKey is what may become a file name or a key=value pair.
var settingKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

func (c *checker) keys(at string, settings map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		if !settingKey.MatchString(k) {
			c.add(at+"."+k, "name", fmt.Sprintf("%q can't be a name in %s", k, at), "use letters, digits, _ . and -")
		}
		c.clean(at+"."+k, settings[k])
	}
}

func (c *checker) clean(at, value string) {
	if strings.ContainsAny(value, ";\n") {
		c.add(at, "value", fmt.Sprintf("%s holds a semicolon or a line break: %q", at, value), "")
	}
}
