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

// HostLabel tells whether a node can have the name.
func HostLabel(name string) bool { return hostLabel.MatchString(name) }

// Problems checks the inventory with every rule and returns what is wrong, with
// Path, Rule, Message and Hint set, and Accepted where the inventory accepts it.
// A valid inventory gives none that is not accepted.
func (inv *Inventory) Problems() []Problem {
	c := &checker{inv: inv}
	c.acceptance()
	c.name("name", inv.Name, "the cluster's name")
	c.networks()
	c.nodes()
	c.roles()
	c.zookeeper()
	c.mesos()
	c.hdfs()
	c.mrv1()
	c.marathon()
	c.spark()
	c.azkaban()
	c.nfs()
	c.heaps("heap", inv.Heap)
	if len(c.problems) == 0 { // else what follows from wrong values would be told, too
		c.ports()
		c.extra()
	}
	return inv.Judge(c.problems)
}

type checker struct {
	inv      *Inventory
	problems []Problem
}

func (c *checker) add(path, rule, message, hint string) {
	c.problems = append(c.problems, Problem{Path: path, Rule: rule, Message: message, Hint: hint})
}

// must adds a problem that can't be accepted although its rule can be.
func (c *checker) must(at, rule, message, hint string) {
	c.problems = append(c.problems, Problem{Path: at, Rule: rule, Message: message, Hint: hint, final: true})
}

func (c *checker) name(at, name, what string) {
	switch {
	case name == "":
		c.add(at, "required", what+" is missing", "write one in lower case, such as lab or slave1")
	case name != strings.ToLower(name):
		c.must(at, "F01", fmt.Sprintf("%s %q has capital letters; paths, packages and hosts are lower case", what, name), fmt.Sprintf("write %q", strings.ToLower(name)))
	case !HostLabel(name):
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
		c.disks(at, n)
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
		c.must(at, rule, fmt.Sprintf("%s names more than one node: %q", at, name), "write one")
		return
	}
	c.unknownNode(at, name)
}

func (c *checker) unknownNode(at, name string) {
	c.add(at, "unknown-node", fmt.Sprintf("%s: no node is called %q%s", at, name, DidYouMean(name, c.inv.NodeNames())), "nodes: "+strings.Join(c.inv.NodeNames(), ", "))
}

// nodeList checks a list of nodes: each known, none twice.
func (c *checker) nodeList(at string, names []string) {
	seen := map[string]bool{}
	for i, name := range names {
		here := fmt.Sprintf("%s[%d]", at, i)
		if _, ok := c.inv.Node(name); !ok {
			c.unknownNode(here, name)
		} else if seen[name] {
			c.add(here, "duplicate-name", fmt.Sprintf("%q stands twice in %s", name, at), "")
		}
		seen[name] = true
	}
}

func (c *checker) port(at string, port int) {
	if port < 0 || port > 65535 {
		c.add(at, "port", fmt.Sprintf("%s is %d, not a port (1 to 65535)", at, port), "")
	}
}

func (c *checker) dirs(at string, dirs []string) {
	seen := map[string]bool{}
	for i, d := range dirs {
		here := fmt.Sprintf("%s[%d]", at, i)
		c.dir(here, d)
		if seen[d] {
			c.add(here, "directory", fmt.Sprintf("%q stands there twice", d), "")
		}
		seen[d] = true
	}
}

// systemDirs hold the operating system: data in one of them itself, or a mount over it, ends the node.
var systemDirs = []string{"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run",
	"/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log", "/var/tmp"}

// dir checks one directory.
func (c *checker) dir(at, d string) {
	switch {
	case !path.IsAbs(d) || path.Clean(d) != d || d == "/":
		c.add(at, "directory", fmt.Sprintf("%q is not a plain absolute directory", d), "write it as /data/1/dfs/dn")
	case strings.ContainsAny(d, ", \t\n"):
		c.add(at, "directory", fmt.Sprintf("%q holds a comma or a space, where Hadoop begins the next directory", d), "write each directory as its own list item")
	case slices.Contains(systemDirs, d):
		c.add(at, "directory", fmt.Sprintf("%s is a directory of the system", d), "use one of its own, such as /data/1")
	default:
		if text := CheckText(d); len(text) > 0 {
			c.add(at, text[0].Rule, text[0].Message, text[0].Hint)
		}
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
