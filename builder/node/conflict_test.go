package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/event"
)

func TestAnAddressOfTwoMachines(t *testing.T) {
	needRoot(t)
	m := newMachine(t)
	var asked []string
	owner := "52:54:00:00:00:02"
	m.Neighbour = func(_ context.Context, address netip.Addr) (string, error) {
		asked = append(asked, address.String())
		return owner, nil
	}
	_, err := m.Apply(t.Context(), event.Discard)
	const want = "another machine (52:54:00:00:00:02) has the address 10.162.2.94 of node slave1, too"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error %v, want %q", err, want)
	}
	if len(m.sup.calls) > 0 {
		t.Errorf("services were touched: %q", m.sup.calls)
	}
	if s := m.Status(t.Context()); !strings.Contains(strings.Join(s.Errors, "\n"), want) {
		t.Errorf("status: %+v", s)
	}
	owner = ""
	m.mustApply()
	m.mustApply() // has asked
	if got := strings.Join(asked, " "); got != "10.162.2.94 10.162.2.94" {
		t.Errorf("asked for %q", got)
	}
}

func TestNobodyCanBeAsked(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		container bool
		err       error
		want      string // the error of Apply
	}{
		{err: exec.ErrNotFound},
		{err: errors.New("no such device"), want: "ask whether another machine has the address 10.162.2.94, too: no such device"},
		{container: true, err: errors.New("a container asks nobody")},
	} {
		m := newMachine(t)
		m.Container = c.container
		m.Neighbour = func(context.Context, netip.Addr) (string, error) { return "", c.err }
		_, err := m.Apply(t.Context(), event.Discard)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// TestAskNeighbours asks with the real program, on a link of two network namespaces.
func TestAskNeighbours(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("arping"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("arping is missing (package iputils-arping)")
		}
		t.Skip("needs arping")
	}
	other := fmt.Sprintf("forge-test-%d", os.Getpid())
	runtime.LockOSThread() // for good: the thread ends with this test, and its namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	ip("netns", "add", other)
	defer func() { ip("netns", "del", other) }()
	for _, n := range []string{"0", "1"} { // both machines have two interfaces on the link
		ip("link", "add", "link"+n, "type", "veth", "peer", "name", "peer"+n, "netns", other)
		ip("link", "set", "link"+n, "up")
		ip("-n", other, "link", "set", "peer"+n, "up")
	}
	ip("-n", other, "link", "add", "switch", "type", "bridge")
	ip("-n", other, "link", "set", "switch", "up", "address", "52:54:00:00:00:02")
	ip("-n", other, "link", "set", "peer0", "master", "switch")
	ip("-n", other, "link", "set", "peer1", "master", "switch")
	ip("addr", "add", "10.162.2.94/24", "dev", "link0")
	address := netip.MustParseAddr("10.162.2.94")

	if got, err := askNeighbours(t.Context(), address); got != "" || err != nil {
		t.Errorf("alone: %q, %v", got, err)
	}
	ip("-n", other, "addr", "add", "10.162.2.94/24", "dev", "switch")
	if got, err := askNeighbours(t.Context(), address); got != "52:54:00:00:00:02" || err != nil {
		t.Errorf("the other has it, too: %q, %v", got, err)
	}
	if got, err := askNeighbours(t.Context(), netip.MustParseAddr("127.0.0.1")); got != "" || err != nil {
		t.Errorf("an address without neighbours: %q, %v", got, err)
	}
}
