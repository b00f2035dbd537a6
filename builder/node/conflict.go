package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/event"
)

// askedPath tells for which address the others on the link were asked in this boot.
const askedPath = "/run/forge/asked.json"

// checkNeighbours refuses a machine whose address another machine on its link has, too: both were
// given one node's seed. Each boot asks once, so that the machine that comes later is the one that gives way. A
// container's address is its engine's business.
func (n *Node) checkNeighbours(ctx context.Context, r *Resolved, sink event.Sink) error {
	node := r.Rendering.Data.Node
	if n.Container || !n.hasAddress(node.Address) {
		return nil
	}
	var asked string
	if err := n.loadJSON(askedPath, &asked); err != nil {
		return err
	}
	if asked == node.Address {
		return nil
	}
	address, err := netip.ParseAddr(node.Address)
	if err != nil {
		return err
	}
	switch owner, err := n.Neighbour(ctx, address); {
	case errors.Is(err, exec.ErrNotFound):
		sink.Emit(event.Event{Kind: event.Log, Message: "no arping here: nobody is asked whether another machine has this node's address, too (package iputils-arping)"})
		return nil
	case err != nil:
		return fmt.Errorf("ask whether another machine has the address %s, too: %w", address, err)
	case owner != "":
		return fmt.Errorf("another machine (%s) has the address %s of node %s, too: was it started with the same seed? Shut it down, or give this machine the seed of another node, then run forge-node apply", owner, address, node.Name)
	}
	return n.saveJSON(askedPath, node.Address, 0o644)
}

// answer is a line of arping: "Unicast reply from 10.162.2.94 [52:54:00:12:34:56]  0.912ms".
var answer = regexp.MustCompile(`(?m)^\S+ reply from \S+ \[([0-9A-Fa-f:]{17})\]`)

// askNeighbours sends ARP probes for an address that an interface of this machine has (RFC 5227, 2.1.1), and returns
// the hardware address of another machine that answers, or "". The error is exec.ErrNotFound without arping.
func askNeighbours(ctx context.Context, address netip.Addr) (string, error) {
	name, own, err := interfaceOf(address)
	if err != nil || name == "" {
		return "", err
	}
	program, err := exec.LookPath("arping")
	if err != nil {
		return "", exec.ErrNotFound
	}
	// Exit status 0: nobody answered; 1: somebody did.
	out, err := runAs(ctx, User{}, []string{program, "-D", "-c", "2", "-w", "3", "-I", name, address.String()})
	for _, found := range answer.FindAllStringSubmatch(string(out), -1) {
		// The kernel answers through each of its interfaces.
		if mac := strings.ToLower(found[1]); !slices.Contains(own, mac) {
			return mac, nil
		}
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return "", nil
	}
	return "", err
}

// interfaceOf returns the interface that has an address, "" for one that has no neighbours, and the hardware addresses of all interfaces.
func interfaceOf(address netip.Addr) (name string, own []string, err error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", nil, fmt.Errorf("list network interfaces: %w", err)
	}
	for _, i := range interfaces {
		own = append(own, i.HardwareAddr.String())
		if i.Flags&net.FlagBroadcast != 0 && slices.Contains(addressesOf(i), address) {
			name = i.Name
		}
	}
	return name, own, nil
}
