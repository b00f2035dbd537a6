package lint

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// propose writes the inventory that takes a hand-made node's place.
func propose(l *linter) (string, error) {
	nodes := nodesOf(l)
	if len(nodes) == 0 {
		return "", errors.New("no etc/hosts names the nodes and their addresses")
	}
	ensemble := ensembleOf(l)
	if len(ensemble) == 0 {
		return "", errors.New("neither zoo.cfg nor a ZooKeeper URL says which nodes are masters")
	}
	var b strings.Builder
	b.WriteString("# Proposed by forge lint --import from a hand-made node: look it over, then forge lint.\nname: lab\n\n")
	if err := proposeNodes(&b, nodes, ensemble); err != nil {
		return "", err
	}
	proposeServices(&b, l, nodes)
	if _, err := cluster.Decode("the proposed inventory", strings.NewReader(b.String())); err != nil {
		return "", fmt.Errorf("what the files say is no valid inventory:\n%w", err)
	}
	return b.String(), nil
}

func proposeNodes(b *strings.Builder, nodes []cluster.Node, ensemble []string) error {
	rank := func(n cluster.Node) int { // masters first, in the order of their myid, which is kept
		if i := slices.IndexFunc(ensemble, func(e string) bool { return e == n.Address || e == n.Name }); i >= 0 {
			return i
		}
		return len(ensemble)
	}
	slices.SortStableFunc(nodes, func(x, y cluster.Node) int { return rank(x) - rank(y) })
	var networks []string
	for _, n := range nodes {
		a, err := netip.ParseAddr(n.Address)
		if err != nil {
			return fmt.Errorf("address of %s: %w", n.Name, err)
		}
		bits := 24
		if a.Is6() {
			bits = 64
		}
		p, err := a.Prefix(bits)
		if err != nil {
			return fmt.Errorf("address of %s: %w", n.Name, err)
		}
		if !slices.Contains(networks, p.String()) {
			networks = append(networks, p.String())
		}
	}
	b.WriteString("networks:\n")
	for _, n := range networks {
		fmt.Fprintf(b, "  - cidr: %s  # the prefix is a guess\n", n)
	}
	b.WriteString("\nnodes:\n")
	for _, n := range nodes {
		role := cluster.RoleSlave
		if rank(n) < len(ensemble) {
			role = cluster.RoleMaster
		}
		fmt.Fprintf(b, "  - {name: %s, address: %q, role: %s}\n", n.Name, n.Address, role)
	}
	return nil
}

func proposeServices(b *strings.Builder, l *linter, nodes []cluster.Node) {
	if u, ok := mesosURL(l); ok {
		if _, port, err := net.SplitHostPort(u.Servers[0]); err == nil && port != "2181" {
			fmt.Fprintf(b, "\nzookeeper:\n  port: %s\n", port)
		}
		fmt.Fprintf(b, "\nmesos:\n  znode: %s\n", strings.ToLower(u.Path))
	}
	var hdfs []string
	if host, port := fileSystem(l, nodes); host != "" {
		hdfs = append(hdfs, "namenode: "+host+"  # one; name two in ha: {namenodes: [...]} for failover", "namenode_port: "+port)
	}
	for _, dirs := range []struct {
		key string
		saw what
	}{{"name_dirs", sawNameDir}, {"data_dirs", sawDataDir}} {
		if list := distinct(l.of(dirs.saw)); len(list) > 0 {
			hdfs = append(hdfs, dirs.key+": ["+strings.Join(list, ", ")+"]")
		}
	}
	if len(hdfs) > 0 {
		b.WriteString("\nhdfs:\n  " + strings.Join(hdfs, "\n  ") + "\n")
	}
	if trackers := l.of(sawJobTracker); len(trackers) > 0 {
		if host, port, err := net.SplitHostPort(trackers[0].value); err == nil && number.MatchString(port) {
			if name := nameOf(nodes, host); name != "" {
				fmt.Fprintf(b, "\nmrv1:\n  jobtracker: %s  # one, for the whole cluster\n  port: %s\n", name, port)
			}
		}
	}
	for _, dir := range distinct(l.of(sawNameDir)) {
		if mount := "/" + strings.SplitN(dir, "/", 3)[1]; strings.Contains(mount, "nfs") {
			fmt.Fprintf(b, "\n# %s looks like NFS; say where it comes from:\n# nfs:\n#   - {source: \"10.162.2.90:/export%s\", mount: %s}\n", dir, path.Dir(strings.TrimPrefix(dir, mount)), mount)
		}
	}
}

// mesosURL is the first ZooKeeper URL of Mesos, mended.
func mesosURL(l *linter) (cluster.ZKURL, bool) {
	for _, s := range l.settings {
		if s.word() == "" || s.Key != "zk" && s.Key != "mapred.mesos.master" {
			continue
		}
		mended, ok := cluster.MendZKURL(s.word())
		if u, err := cluster.ParseZKURL(mended); ok && err == nil {
			return u, true
		}
	}
	return cluster.ZKURL{}, false
}

// fileSystem finds the NameNode and its port in the default file system, or in the executor's URI.
func fileSystem(l *linter, nodes []cluster.Node) (name, port string) {
	var urls []string
	for _, s := range l.settings {
		if s.word() != "" && strings.HasPrefix(s.Key, "fs.default") {
			urls = append(urls, s.word())
		}
	}
	for _, s := range l.of(sawExecutorURI) {
		urls = append(urls, s.value)
	}
	for _, u := range urls {
		rest := strings.TrimLeft(strings.TrimPrefix(u, "hdfs:"), "/")
		authority, _, _ := strings.Cut(rest, "/")
		if host, port, err := net.SplitHostPort(authority); err == nil && number.MatchString(port) {
			if name := nameOf(nodes, host); name != "" {
				return name, port
			}
		}
	}
	return "", ""
}

// number is a port; what else stands there must not get into the inventory.
var number = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)

func nameOf(nodes []cluster.Node, host string) string {
	for _, n := range nodes {
		if n.Address == host || n.Name == strings.ToLower(host) {
			return n.Name
		}
	}
	return ""
}

// distinct are the values of sightings, each once, in their order.
func distinct(all []sighting) []string {
	var list []string
	for _, s := range all {
		v, _ := cluster.LowerNames(s.value)
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}
