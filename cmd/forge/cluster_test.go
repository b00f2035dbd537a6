package main_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/node"
)

// testCluster is the nodes of an inventory, each a container of its role's image, on a network of their own
// that leads nowhere else. forge-node in each is told its name and nothing more.
type testCluster struct {
	*engine
	network string
	boxes   map[string]*box
}

// startCluster starts all nodes of the inventory at once, with the image of each one's role.
func startCluster(t *testing.T, e *engine, text string, images map[string]string) *testCluster {
	t.Helper()
	c := prepareCluster(t, e, text, images)
	c.start()
	return c
}

// prepareCluster makes all nodes of the inventory whose role has an image, and starts none.
func prepareCluster(t *testing.T, e *engine, text string, images map[string]string) *testCluster {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	inv, err := cluster.Decode(path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := &testCluster{engine: e, boxes: map[string]*box{}}
	c.makeNetwork(inv.Networks[0].CIDR)
	for _, n := range inv.Nodes {
		if image := images[n.Role]; image != "" {
			c.boxes[n.Name] = c.create(n, path, image)
		}
	}
	return c
}

func (c *testCluster) start() {
	c.t.Helper()
	for _, b := range c.boxes {
		b.start()
	}
}

func (c *testCluster) makeNetwork(cidr string) {
	c.t.Helper()
	made, err := c.api.NetworkCreate(c.t.Context(), "forge-test-"+strings.ReplaceAll(cidr, "/", "-"), network.CreateOptions{
		Internal: true, IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: cidr}}}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := c.api.NetworkRemove(context.Background(), made.ID); err != nil {
			c.t.Error(err)
		}
	})
	c.network = made.ID
}

func (c *testCluster) create(n cluster.Node, path, image string) *box {
	c.t.Helper()
	made, err := c.api.ContainerCreate(c.t.Context(),
		&container.Config{Image: image, Hostname: n.Name, Env: []string{"FORGE_NODE=" + n.Name}},
		&container.HostConfig{
			NetworkMode: container.NetworkMode(c.network),
			Binds:       []string{path + ":/etc/forge/cluster.yaml:ro"},
			CapAdd:      []string{"NET_ADMIN"}, // for Azkaban's packet filter
			Resources:   container.Resources{Memory: 3 << 30},
			// Nothing answers there, at once. The host's server would be silent: ten seconds for each name.
			DNS: []string{"127.0.0.1"},
		},
		&network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			c.network: {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: n.Address}}}}, nil, "")
	if err != nil {
		c.t.Fatal(err)
	}
	b := &box{c.engine, made.ID}
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("the log of %s:\n%s", n.Name, b.log())
		}
		if err := c.api.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			c.t.Error(err)
		}
	})
	return b
}

// inRole waits until every node is in its role.
func (c *testCluster) inRole() {
	c.t.Helper()
	var last string
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		missing := 0
		for name, b := range c.boxes {
			out, errs, code := b.run("forge-node", "status", "--json")
			if code != 0 {
				missing++
				last = name + ": " + c.why(out, errs)
			}
		}
		if missing == 0 {
			return
		}
	}
	c.t.Fatalf("not every node came into its role: %s", last)
}

// why is what a status says about itself; one that failed ends the test.
func (c *testCluster) why(out, errs string) string {
	c.t.Helper()
	var s node.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		c.t.Fatalf("forge-node status: %v in %q; %s", err, out, errs)
	}
	if s.Level == node.LevelFailed {
		c.t.Fatalf("%s failed: %q", s.Node, s.Errors)
	}
	return strings.Join(append(s.Waits, s.Pending...), "; ")
}

// as runs a program inside as one of the node's users.
func (b *box) as(user string, args ...string) string {
	b.t.Helper()
	return b.must(append([]string{"setpriv", "--reuid", user, "--regid", user, "--init-groups", "--reset-env", "--"}, args...)...)
}
