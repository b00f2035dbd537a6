package node

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/mesos-forge/forge/builder/cluster"
)

// hasEndHere tells whether a service needs a peer that runs on this node.
func hasEndHere(d *cluster.Derived, svc RenderedService) bool {
	for _, need := range svc.Needs {
		if slices.ContainsFunc(d.Peers(need), func(p cluster.Peer) bool { return p.Node == d.Node.Name }) {
			return true
		}
	}
	return false
}

// silentPeers asks every peer that any of the services needs, each once and all
// at the same time. It returns, by service, the ends of those peers of which
// none answers. Ports of this node that are down are taken for silent, though
// they may answer: a ZooKeeper server without an ensemble listens, and serves nobody.
func (n *Node) silentPeers(ctx context.Context, d *cluster.Derived, services []RenderedService, down map[int]bool) map[string][]string {
	answers := map[string]*[]string{} // by peer
	var all sync.WaitGroup
	for _, svc := range services {
		for _, need := range svc.Needs {
			if answers[need] == nil {
				silent := new([]string)
				answers[need] = silent
				all.Go(func() {
					*silent = n.silentEnds(ctx, d.Peers(need), need, func(p cluster.Peer) bool { return p.Node == d.Node.Name && down[p.Port] })
				})
			}
		}
	}
	all.Wait()
	silent := map[string][]string{}
	for _, svc := range services {
		for _, need := range svc.Needs {
			silent[svc.Name] = append(silent[svc.Name], *answers[need]...)
		}
	}
	return silent
}

// silentEnds asks all ends of one peer but those that are down; as soon as one
// answers the result is empty.
func (n *Node) silentEnds(ctx context.Context, ends []cluster.Peer, need string, down func(cluster.Peer) bool) []string {
	if !slices.Contains(cluster.PeerNames(), need) {
		return []string{need + " (forge-node does not know this peer)"}
	}
	if len(ends) == 0 {
		return nil // nobody else is needed
	}
	answers := make(chan error, len(ends))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var names []string
	for _, p := range ends {
		names = append(names, p.String())
		if down(p) {
			answers <- errDown
			continue
		}
		go func() { answers <- n.connects(ctx, p.HostPort()) }()
	}
	for range ends {
		if <-answers == nil {
			return nil
		}
	}
	return names
}

var errDown = errors.New("known to be down")

func (n *Node) connects(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c, err := n.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}
