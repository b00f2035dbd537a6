package main_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/node"
)

// upped is a cluster that forge up brought up, and forge down takes away after the test.
type upped struct {
	*testCluster
	forge     *forge
	inventory string // path
	name      string // of the cluster
}

// up writes the inventory and brings its cluster up with the command.
func (f *forge) up(t *testing.T, e *engine, text string, flags ...string) *upped {
	t.Helper()
	u := &upped{testCluster: &testCluster{engine: e}, forge: f, inventory: filepath.Join(t.TempDir(), "cluster.yaml")}
	inv, err := cluster.Decode(u.inventory, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	u.name = inv.Name
	t.Cleanup(u.down)
	t.Cleanup(func() {
		if t.Failed() {
			u.tell(t)
		}
	})
	u.again(t, text, flags...)
	return u
}

// again runs forge up with an inventory, and looks which container each node has by then.
func (u *upped) again(t *testing.T, text string, flags ...string) string {
	t.Helper()
	if err := os.WriteFile(u.inventory, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, code := u.forge.run(append([]string{"up", "--host", u.host, "--inventory", u.inventory, "--timeout", "10m"}, flags...)...)
	if code != 0 {
		u.tell(t)
		t.Fatalf("forge up: exit status %d\n%s%s", code, out, errs)
	}
	u.find(t)
	return errs
}

func (u *upped) find(t *testing.T) {
	t.Helper()
	u.boxes = map[string]*box{}
	for _, c := range u.containers(t) {
		u.boxes[c.Labels[fleet.NodeLabel]] = &box{u.engine, c.ID}
	}
}

// within is the cluster for a subtest.
func (u *upped) within(t *testing.T) *upped {
	sub := *u
	sub.testCluster = u.in(t)
	return &sub
}

func (u *upped) mine() filters.Args {
	return filters.NewArgs(filters.Arg("label", fleet.ClusterLabel+"="+u.name))
}

func (u *upped) containers(t *testing.T) []container.Summary {
	t.Helper()
	list, err := u.api.ContainerList(context.Background(), container.ListOptions{All: true, Filters: u.mine()})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// tell logs what the nodes have printed last.
func (u *upped) tell(t *testing.T) {
	t.Helper()
	for _, c := range u.containers(t) {
		out, errs, _ := u.forge.run("logs", c.Labels[fleet.NodeLabel], "--tail", "60", "--host", u.host, "--cluster", u.name)
		t.Logf("the log of %s:\n%s%s", c.Labels[fleet.NodeLabel], out, errs)
	}
}

// down takes the cluster away, and expects that nothing of it is left.
func (u *upped) down() {
	t := u.engine.t
	out, errs, code := u.forge.run("down", "--host", u.host, "--cluster", u.name)
	if code != 0 {
		t.Errorf("forge down: exit status %d\n%s%s", code, out, errs)
	}
	networks, err := u.api.NetworkList(context.Background(), network.ListOptions{Filters: u.mine()})
	if err != nil {
		t.Error(err)
	}
	volumes, err := u.api.VolumeList(context.Background(), volume.ListOptions{Filters: u.mine()})
	if err != nil {
		t.Fatal(err)
	}
	if containers := u.containers(t); len(containers)+len(networks)+len(volumes.Volumes) > 0 {
		t.Errorf("after forge down there are %d containers, %d networks, %d volumes: %v %v %v", len(containers), len(networks), len(volumes.Volumes), containers, networks, volumes.Volumes)
	}
	if _, errs, code := u.forge.run("status", "--host", u.host, "--cluster", u.name); code != 1 || !strings.Contains(errs, "is not up") {
		t.Errorf("forge status after forge down: exit status %d, %q", code, errs)
	}
}

// status is what forge status says, by node.
func (u *upped) status(t *testing.T) map[string]fleet.NodeStatus {
	t.Helper()
	out, errs, code := u.forge.run("status", "--json", "--host", u.host, "--cluster", u.name)
	var list []fleet.NodeStatus
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("forge status: exit status %d, %v\n%s%s", code, err, out, errs)
	}
	all := map[string]fleet.NodeStatus{}
	for _, n := range list {
		all[n.Node] = n
	}
	if well := !slices.ContainsFunc(list, func(n fleet.NodeStatus) bool { return n.Level != node.LevelInRole }); well != (code == 0) {
		t.Errorf("forge status ends with %d, and says %s", code, out)
	}
	return all
}

// pids are the processes of services, by NODE/SERVICE.
func (u *upped) pids(t *testing.T) map[string]int {
	t.Helper()
	all := map[string]int{}
	for name, n := range u.status(t) {
		if n.Status == nil {
			t.Fatalf("%s says nothing: %s", name, n.Problem)
		}
		for _, s := range n.Status.Services {
			all[name+"/"+s.Name] = s.PID
		}
	}
	return all
}

// kill ends a node at once, as a power failure does.
func (u *upped) kill(t *testing.T, name string) {
	t.Helper()
	if err := u.api.ContainerKill(t.Context(), u.boxes[name].id, "KILL"); err != nil {
		t.Fatal(err)
	}
}

// lose removes a node with all that is its own: what is left is what the cluster knows of it.
func (u *upped) lose(t *testing.T, name string) {
	t.Helper()
	if err := u.api.ContainerRemove(t.Context(), u.boxes[name].id, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	own := u.mine()
	own.Add("label", fleet.NodeLabel+"="+name)
	volumes, err := u.api.VolumeList(t.Context(), volume.ListOptions{Filters: own})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Volumes {
		if strings.Contains(v.Name, "-shared-") {
			continue
		}
		if err := u.api.VolumeRemove(t.Context(), v.Name, false); err != nil {
			t.Fatal(err)
		}
	}
	if len(volumes.Volumes) == 0 {
		t.Fatalf("%s had no volume", name)
	}
}
