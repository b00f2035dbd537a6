package cluster

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// DerivedAzkaban is the workflow scheduler. Where the inventory has none, its nodes are the zero Node, which
// no node of the cluster equals.
type DerivedAzkaban struct {
	Node, Executor Node // the same when Solo
	Solo           bool
	Port           int
	ExecutorPort   int
	Timezone       string
	Database       DerivedDatabase
}

// DerivedDatabase is the data base that web server and executor share; all empty when Azkaban runs solo.
type DerivedDatabase struct {
	Host    string // as the inventory names it
	Node    string // the cluster's node that Host is; "": none, the operator looks after it
	Address string // where this node reaches it: 127.0.0.1 if nobody does from another node
	Local   bool   // nobody does from another node
	Port    int
	Name    string
	User    string
}

func (inv *Inventory) deriveAzkaban(masters []Node) DerivedAzkaban {
	a, wanted := Azkaban{}, inv.Azkaban != nil
	if wanted {
		a = *inv.Azkaban
	}
	d := DerivedAzkaban{Solo: a.Executor == "", Port: or(a.Port, 8081), ExecutorPort: or(a.ExecutorPort, 12321), Timezone: or(a.Timezone, "UTC")}
	if !wanted {
		return d
	}
	d.Node = inv.one(a.Node, masters[len(masters)-1])
	d.Executor = inv.one(a.Executor, d.Node)
	if !d.Solo {
		d.Database = inv.deriveDatabase(a.Database, d.Node, d.Executor)
	}
	return d
}

func (inv *Inventory) deriveDatabase(db Database, web, executor Node) DerivedDatabase {
	d := DerivedDatabase{Host: or(db.Host, web.Name), Port: or(db.Port, 3306), Name: or(db.Name, "azkaban"), User: or(db.User, "azkaban")}
	d.Address = d.Host
	i := slices.IndexFunc(inv.Nodes, func(n Node) bool { return n.Name == d.Host || n.Address == d.Host })
	if i < 0 {
		return d
	}
	d.Node, d.Address = inv.Nodes[i].Name, inv.Nodes[i].Address
	if d.Local = web.Name == d.Node && executor.Name == d.Node; d.Local {
		d.Address = "127.0.0.1"
	}
	return d
}

var (
	timezone     = regexp.MustCompile(`^[A-Za-z]+([/_+-][A-Za-z0-9]+)*$`)
	databaseName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)
)

func (c *checker) azkaban() {
	a := c.inv.Azkaban
	if a == nil {
		return
	}
	c.node("azkaban.node", a.Node, "unknown-node")
	c.node("azkaban.executor", a.Executor, "unknown-node")
	c.port("azkaban.port", a.Port)
	c.port("azkaban.executor_port", a.ExecutorPort)
	if a.Timezone != "" && !timezone.MatchString(a.Timezone) {
		c.add("azkaban.timezone", "value", fmt.Sprintf("%q is not the name of a time zone", a.Timezone), "write one such as UTC or Europe/Vienna")
	}
	d := a.Database
	c.port("azkaban.database.port", d.Port)
	if d.Host != "" {
		if _, err := netip.ParseAddr(d.Host); err != nil && (!hostName(d.Host) || d.Host != strings.ToLower(d.Host)) {
			c.add("azkaban.database.host", "value", fmt.Sprintf("%q is neither a host name in lower case nor an address", d.Host), "a port stands in azkaban.database.port")
		}
	}
	for _, f := range []struct{ at, v string }{{"name", d.Name}, {"user", d.User}} {
		if f.v != "" && !databaseName.MatchString(f.v) {
			c.add("azkaban.database."+f.at, "value", fmt.Sprintf("%q is not a %s of a data base", f.v, f.at), "use letters, digits and _, at most 32, a letter first")
		}
	}
	if a.Executor == "" && d != (Database{}) {
		c.add("azkaban.database", "value", "azkaban.database is set, but Azkaban runs solo, with a data base of its own", "name the node of the executor in azkaban.executor, or remove the data base")
	}
}
