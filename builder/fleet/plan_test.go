package fleet

import (
	"net/netip"
	"strings"
	"testing"
)

func small() Plan {
	return Plan{Cluster: "lab", Network: netip.MustParsePrefix("10.1.2.0/29"), Nodes: []Node{
		{Name: "master1", Role: "master", Address: netip.MustParseAddr("10.1.2.1"), Image: "sha256:1", Memory: 1 << 30, Share: true},
		{Name: "slave1", Role: "slave", Address: netip.MustParseAddr("10.1.2.3"), Image: "sha256:2", Memory: 1 << 30, Share: true},
	}}
}

func TestGateway(t *testing.T) {
	for _, c := range []struct{ asked, want string }{
		{"", "10.1.2.2"},         // the first that no node has
		{"10.1.2.5", "10.1.2.5"}, // the inventory's
		{"10.1.2.3", "10.1.2.2"}, // a node's
		{"10.9.9.9", "10.1.2.2"}, // of another network
	} {
		p := small()
		if c.asked != "" {
			p.Gateway = netip.MustParseAddr(c.asked)
		}
		if got, err := p.gateway(); err != nil || got.String() != c.want {
			t.Errorf("gateway %q: %v, %v; want %s", c.asked, got, err, c.want)
		}
	}
	full := small()
	full.Network = netip.MustParsePrefix("10.1.2.0/30")
	full.Nodes[1].Address = netip.MustParseAddr("10.1.2.2")
	if a, err := full.gateway(); err == nil || !strings.Contains(err.Error(), "every address is a node's") {
		t.Errorf("a full network: %v, %v", a, err)
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Plan){
		"has no nodes":            func(p *Plan) { p.Nodes = nil },
		"have IPv4 addresses":     func(p *Plan) { p.Network = netip.MustParsePrefix("fd00::/64") },
		"10.1.3.1 is not in 10.1": func(p *Plan) { p.Nodes[1].Address = netip.MustParseAddr("10.1.3.1") },
	} {
		p := small()
		change(&p)
		if err := p.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if p := small(); p.check() != nil {
		t.Errorf("a plan that is right: %v", p.check())
	}
}

// A container is made anew for what it can't change while it runs, and for nothing else.
func TestSpec(t *testing.T) {
	p := small()
	was := p.spec(p.Nodes[0])
	for _, c := range []struct {
		what   string
		anew   bool
		change func(*Plan)
	}{
		{"its inventory", false, func(p *Plan) { p.Nodes[0].Inventory = []byte("x") }},
		{"another node", false, func(p *Plan) { p.Nodes = p.Nodes[:1] }},
		{"its share of the memory", false, func(p *Plan) { p.Nodes[0].Memory = 2 << 30 }},
		{"a memory that was asked for", true, func(p *Plan) { p.Nodes[0].Memory, p.Nodes[0].Share = 2<<30, false }},
		{"its image", true, func(p *Plan) { p.Nodes[0].Image = "sha256:3" }},
		{"its address", true, func(p *Plan) { p.Nodes[0].Address = netip.MustParseAddr("10.1.2.4") }},
		{"its volumes", true, func(p *Plan) { p.Nodes[0].Volumes = []Volume{{"master1-data", "/data"}} }},
		{"the way out", true, func(p *Plan) { p.Internet = true }},
	} {
		p := small()
		c.change(&p)
		if got := p.spec(p.Nodes[0]) != was; got != c.anew {
			t.Errorf("%s changed: a new container: %v, want %v", c.what, got, c.anew)
		}
	}
}
