package lint

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// maxHosts bounds the nodes that hosts files name.
const maxHosts = 256

// Imported is what a hand-made node shows.
type Imported struct {
	Result
	// Inventory is the cluster.yaml that takes its place, checked; "" if the files don't say enough, which a note tells.
	Inventory string
	Files     int // that were looked at
}

// Import checks a node that was made by hand, or several: dir holds an etc folder (or NODE/etc for several) and
// the scripts, histories or notes with the commands that were typed. It is best os.Root's FS; links are not followed.
func Import(dir fs.FS) (*Imported, error) {
	texts, notes, err := readNodes(dir)
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, errors.New(strings.Join(append([]string{"it holds neither an etc folder nor a script (*.sh, *history*, install*.txt) that can be read"}, notes...), "; "))
	}
	// Two passes: what is known of the cluster decides what is wrong.
	gathered := newLinter(&cluster.Facts{})
	gathered.byHand = true
	for _, t := range texts {
		gathered.scan(t)
	}
	l := newLinter(factsOf(gathered))
	l.byHand, l.notes, l.release = true, notes, releaseOf(texts)
	for _, t := range texts {
		l.scan(t)
	}
	l.sets()
	for _, rule := range byHandSets {
		rule(l)
	}
	im := &Imported{Files: len(texts)}
	proposal, err := propose(l)
	if err != nil {
		l.note("no inventory is proposed: %v", err)
	}
	im.Result, im.Inventory = *l.result(), proposal
	return im, nil
}

// releaseOf finds the distribution's code name in os-release or lsb-release, or in a URL of a Mesos package.
func releaseOf(texts []text) string {
	names := map[string]string{"12.04": "precise", "14.04": "trusty", "16.04": "xenial"}
	fromURL := ""
	for _, t := range texts {
		base := path.Base(t.path)
		if base == "os-release" || base == "lsb-release" {
			for _, key := range []string{"VERSION_CODENAME", "UBUNTU_CODENAME", "DISTRIB_CODENAME"} {
				for line := range strings.Lines(t.content) {
					if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
						return quotesOff.Replace(v)
					}
				}
			}
		}
		if m := ubuntuURL.FindStringSubmatch(t.content); m != nil && fromURL == "" {
			fromURL = names[m[1]]
		}
	}
	return fromURL
}

var ubuntuURL = regexp.MustCompile(`/ubuntu/(12\.04|14\.04|16\.04)/`)

// hostLines are the names and addresses of a hosts file, without loopback, in their order.
func hostLines(content string) []cluster.Node {
	var nodes []cluster.Node
	for line := range strings.Lines(content) {
		f := strings.Fields(code(line))
		if len(f) < 2 {
			continue
		}
		a, err := netip.ParseAddr(f[0])
		if err != nil || a.IsLoopback() || a.IsMulticast() || a.IsUnspecified() || a.IsLinkLocalUnicast() {
			continue
		}
		name := strings.ToLower(f[1])
		if name, _, _ = strings.Cut(name, "."); !cluster.HostLabel(name) {
			continue
		}
		nodes = append(nodes, cluster.Node{Name: name, Address: a.String()})
	}
	return nodes
}

// nodesOf are the nodes that the hosts files name.
func nodesOf(l *linter) []cluster.Node {
	var nodes []cluster.Node
	for _, s := range l.of(sawHosts) {
		for _, n := range hostLines(s.value) {
			if !slices.ContainsFunc(nodes, func(o cluster.Node) bool { return o.Name == n.Name || o.Address == n.Address }) && len(nodes) < maxHosts {
				nodes = append(nodes, n)
			}
		}
	}
	return nodes
}

// factsOf are the facts that a hand-made node shows. Its settings contradict each other, so that only what
// most can be relied on is taken: the table of hosts, the version of the package, the ensemble of zoo.cfg.
func factsOf(l *linter) *cluster.Facts {
	f := &cluster.Facts{Nodes: map[string]string{}}
	for _, n := range nodesOf(l) {
		know(f, n.Name, n.Address)
	}
	ensemble := ensembleOf(l)
	f.Masters = len(ensemble)
	if len(f.Nodes) == 0 { // without a hosts file, the ensemble says where the cluster is
		for _, host := range ensemble {
			know(f, host, host)
		}
	}
	if deb, ok := l.first(sawMesosDeb, ""); ok {
		f.Mesos = deb.value
	}
	return f
}

// know adds a node, and the network around it, whose other addresses may be gateways and the like.
func know(f *cluster.Facts, name, address string) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return
	}
	f.Nodes[name] = address
	if p, err := a.Prefix(24); err == nil && a.Is4() && !slices.Contains(f.Networks, p) {
		f.Networks = append(f.Networks, p)
	}
}

// ensembleOf lists the addresses of zoo.cfg's servers in the order of their numbers, or of a ZooKeeper URL.
func ensembleOf(l *linter) []string {
	servers := map[int]string{}
	for _, s := range l.settings {
		number, isServer := strings.CutPrefix(s.Key, "server.")
		if n, err := strconv.Atoi(number); isServer && err == nil && s.word() != "" {
			servers[n], _, _ = strings.Cut(s.word(), ":")
		}
	}
	var list []string
	for n := 1; n <= len(servers) && servers[n] != ""; n++ {
		list = append(list, servers[n])
	}
	if len(list) > 0 {
		return list
	}
	for _, s := range l.settings {
		if !strings.HasPrefix(s.word(), "zk") {
			continue
		}
		mended, _ := cluster.MendZKURL(s.word())
		u, err := cluster.ParseZKURL(mended)
		if err != nil {
			continue
		}
		for _, server := range u.Servers {
			if host, _, err := net.SplitHostPort(server); err == nil {
				list = append(list, host)
			}
		}
		return list
	}
	return nil
}
