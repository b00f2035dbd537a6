package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAzkabanNodes derives where Azkaban and its data base run, and what waits for what.
func TestAzkabanNodes(t *testing.T) {
	shared := DerivedDatabase{Host: "master3", Node: "master3", Address: "10.162.2.93", Port: 3306, Name: "azkaban", User: "azkaban"}
	local := shared
	local.Address, local.Local = "127.0.0.1", true
	byAddress := shared
	byAddress.Host = "10.162.2.93"
	for _, c := range []struct {
		section       string
		web, executor string
		db            DerivedDatabase
		peers         []string // executor, then data base
	}{
		{"", "", "", DerivedDatabase{}, nil},
		{"azkaban: {}\n", "master3", "master3", DerivedDatabase{}, nil},
		{"azkaban: {node: master1}\n", "master1", "master1", DerivedDatabase{}, nil},
		{"azkaban: {executor: master3}\n", "master3", "master3", local, []string{"azkaban-executor 10.162.2.93:12321", "mariadb 127.0.0.1:3306"}},
		{"azkaban: {executor: master2}\n", "master3", "master2", shared, []string{"azkaban-executor 10.162.2.92:12321", "mariadb 10.162.2.93:3306"}},
		{"azkaban: {executor: master2, database: {host: 10.162.2.93}}\n", "master3", "master2", byAddress, []string{"azkaban-executor 10.162.2.92:12321", "mariadb 10.162.2.93:3306"}},
		{"azkaban: {executor: master2, database: {host: db.example.org, port: 3307, name: flows, user: flow}}\n", "master3", "master2",
			DerivedDatabase{Host: "db.example.org", Address: "db.example.org", Port: 3307, Name: "flows", User: "flow"}, []string{"azkaban-executor 10.162.2.92:12321", "mariadb db.example.org:3307"}},
	} {
		inv := exampleWith(t, c.section)
		d, err := inv.Derive("master1", Machine{})
		if err != nil {
			t.Fatal(err)
		}
		a := d.Azkaban
		if a.Node.Name != c.web || a.Executor.Name != c.executor {
			t.Errorf("%q: web server on %q, executor on %q; want %q and %q", c.section, a.Node.Name, a.Executor.Name, c.web, c.executor)
		}
		if diff := cmp.Diff(c.db, a.Database); diff != "" {
			t.Errorf("%q: data base (-want +got):\n%s", c.section, diff)
		}
		var peers []string
		for _, p := range slices.Concat(d.Peers("azkaban-executor"), d.Peers("mariadb")) {
			peers = append(peers, p.String())
		}
		if diff := cmp.Diff(c.peers, peers); diff != "" {
			t.Errorf("%q: peers (-want +got):\n%s", c.section, diff)
		}
	}
}

// TestAzkabanPorts looks for the ports that Azkaban takes, on its node alone.
func TestAzkabanPorts(t *testing.T) {
	for section, want := range map[string][]string{
		"":                               nil,
		"azkaban: {}\n":                  {"azkaban-web", "azkaban-executor"},
		"azkaban: {executor: master2}\n": {"mariadb", "azkaban-web"},
	} {
		ports, err := exampleWith(t, section).Ports("master3")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range ports {
			if slices.Contains([]string{"azkaban-web", "azkaban-executor", "mariadb"}, p.Service) {
				got = append(got, p.Service)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: services with a port on master3 (-want +got):\n%s", section, diff)
		}
	}
}

// exampleWith is the example with one section more.
func exampleWith(t *testing.T, section string) *Inventory {
	t.Helper()
	inv, err := Decode("cluster.yaml", strings.NewReader(example(t)+section))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}
