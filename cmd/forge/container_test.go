package main_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mesos-forge/forge/builder/node"
)

// load brings the image of a role into the engine by "forge load" and returns its tag.
func (e *engine) load(f *forge, role, tag string) string {
	e.t.Helper()
	out, errs, code := f.run("load", "--role", role, "--host", e.host, "--tag", tag)
	if code != 0 || !strings.Contains(out, tag+" sha256:") {
		e.t.Fatalf("forge load: exit status %d\n%s%s", code, out, errs)
	}
	e.removeLater(tag)
	return tag
}

// slave1 is a container of the image that is told who it is as a user would do it.
func slave1(t *testing.T, e *engine, f *forge, image string, env ...string) *box {
	t.Helper()
	return e.create(container.Config{Image: image, Hostname: "slave1", Env: append([]string{"FORGE_NODE=slave1"}, env...)},
		container.HostConfig{
			Binds:     []string{filepath.Join(f.checkout, "cluster.example.yaml") + ":/etc/forge/cluster.yaml:ro"},
			Resources: container.Resources{Memory: 2 << 30},
		})
}

// TestContainer runs the role's image in Docker.
func TestContainer(t *testing.T) {
	e := newEngine(t)
	f, res := builtRole(t)
	checkLayout(t, filepath.Join(f.out, res.Roles[0].Image))
	image := e.load(f, "slave", "forge-test/slave:1")
	if out, errs, code := f.run("load", "--host", e.host, "--tag", image); code != 0 || !strings.HasSuffix(out, " (was there already)\n") {
		t.Errorf("forge load, again: exit status %d, %q, %q; want that it is there", code, out, errs)
	}
	testLoneSlave(t, e, f, image)
	testRefusals(t, e, f, image)
}

// testLoneSlave starts a slave alone: it comes into its role's configuration, stops in order, and
// comes back.
func testLoneSlave(t *testing.T, e *engine, f *forge, image string) {
	t.Helper()
	b := slave1(t, e, f, image)
	b.start()
	first := configured(t, b)
	checkStatus(t, first)
	checkInside(t, b)
	b.stop(120)
	if state := b.inspect().State; state.ExitCode != 0 || state.OOMKilled {
		t.Errorf("after docker stop: exit status %d, out of memory %v; want 0", state.ExitCode, state.OOMKilled)
	}
	inOrder(t, b.log(), "forge-node: stopping services", "SHUTDOWN_MSG: Shutting down DataNode at slave1/10.162.2.94", "forge-node: all services stopped")
	if strings.Count(b.log(), "SHUTDOWN_MSG: Shutting down TaskTracker") != 1 {
		t.Error("the TaskTracker did not log its shutdown once")
	}

	b.start()
	second := configured(t, b)
	if diff := cmp.Diff(lasting(first), lasting(second), cmpopts.IgnoreUnexported(node.Status{}, node.ServiceStatus{})); diff != "" {
		t.Errorf("the status after a second start differs (-first +second):\n%s", diff)
	}
	b.stop(120)
	if code := b.inspect().State.ExitCode; code != 0 {
		t.Errorf("after the second docker stop: exit status %d, want 0", code)
	}
}

// testRefusals has containers end by name that nobody told who they are.
func testRefusals(t *testing.T, e *engine, f *forge, image string) {
	t.Helper()
	for _, tt := range []struct {
		name string
		box  *box
		want string
	}{
		{"no inventory", e.create(container.Config{Image: image}, container.HostConfig{}), "no inventory: /etc/forge/cluster.yaml does not exist"},
		{"another node", slave1(t, e, f, image, "FORGE_NODE=slave9"), `"slave9", which is not in the inventory; did you mean "slave1"?; its nodes: master1`},
		{"another role", slave1(t, e, f, image, "FORGE_NODE=master1"), `has the role "master", which this image does not hold; it holds: slave`},
	} {
		tt.box.start()
		if code := tt.box.wait(); code != 1 {
			t.Errorf("%s: exit status %d, want 1", tt.name, code)
		}
		if log := tt.box.log(); !strings.Contains(log, tt.want) {
			t.Errorf("%s: the log does not say %q:\n%s", tt.name, tt.want, log)
		}
	}
}

// checkLayout has another implementation read what the layout says about itself.
func checkLayout(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("skopeo"); err != nil {
		missing(t, err.Error())
	}
	var config struct {
		Created time.Time
		Labels  map[string]string
	}
	var manifest struct{ Annotations map[string]string }
	for _, read := range []struct {
		args []string
		into any
	}{{[]string{"inspect", "oci:" + dir}, &config}, {[]string{"inspect", "--raw", "oci:" + dir}, &manifest}} {
		out, err := exec.Command("skopeo", read.args...).Output()
		if err != nil {
			t.Fatalf("skopeo %q: %v", read.args, err)
		}
		if err := json.Unmarshal(out, read.into); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"io.github.mesos-forge.role": "slave", "io.github.mesos-forge.standins": "mesos",
		"io.github.mesos-forge.stack": "bookworm", "org.opencontainers.image.title": "slave", "org.opencontainers.image.version": "1-1",
		"org.opencontainers.image.created": config.Created.UTC().Format(time.RFC3339),
	}
	for what, got := range map[string]map[string]string{"labels": config.Labels, "annotations": manifest.Annotations} {
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, want %q", what, key, got[key], value)
			}
		}
	}
}

// configured waits until forge-node inside says that the node is configured.
func configured(t *testing.T, b *box) node.Status {
	t.Helper()
	var s node.Status
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		out, errs, code := b.run("forge-node", "status", "--json")
		s = node.Status{}
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("forge-node status: %v in %q; %s", err, out, errs)
		}
		switch s.Level {
		case node.LevelConfigured:
			if code != 3 {
				t.Errorf("forge-node status ended with %d, want 3 for a node that waits", code)
			}
			return s
		case node.LevelFailed:
			t.Fatalf("the node failed: %q; its log:\n%s", s.Errors, b.log())
		}
	}
	t.Fatalf("the node is not configured, but %s: %q; its log:\n%s", s.Level, s.Pending, b.log())
	return s
}

// checkStatus compares with what a machine would say.
func checkStatus(t *testing.T, s node.Status) {
	t.Helper()
	if s.Node != "slave1" || s.Role != "slave" || s.Cluster != "lab" || s.Address != "10.162.2.94" || len(s.Errors) > 0 {
		t.Errorf("status: %+v", s)
	}
	masters := []string{"mesos-master 10.162.2.91:5050", "mesos-master 10.162.2.92:5050", "mesos-master 10.162.2.93:5050"}
	ensemble := []string{"zookeeper 10.162.2.91:2181", "zookeeper 10.162.2.92:2181", "zookeeper 10.162.2.93:2181"}
	type service struct {
		Name, User string
		Heap       int // MiB; of the container's 2 GiB, not of the host's
		Waits      []string
	}
	want := []service{
		{"hadoop-hdfs-datanode", "hdfs", 304, []string{"namenode 10.162.2.91:9000"}},
		{"hadoop-0.20-mapreduce-tasktracker", "mapred", 192, []string{"jobtracker 10.162.2.92:9001"}},
		{"mesos-slave", "root", 0, slices.Concat(ensemble, masters)},
	}
	var got []service
	for _, svc := range s.Services {
		got = append(got, service{svc.Name, svc.User, svc.HeapMiB, svc.Waits})
		if svc.State != node.Running || !svc.Stable {
			t.Errorf("%s is %s, stable %v", svc.Name, svc.State, svc.Stable)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for _, other := range s.Others {
		if other.State != node.Missing {
			t.Errorf("%s, which belongs to another role, is %s", other.Name, other.State)
		}
	}
	if len(s.Others) == 0 || !slices.Equal(s.Standins, []string{"mesos"}) {
		t.Errorf("services of other roles: %+v; stand-ins: %q", s.Others, s.Standins)
	}
}

// checkInside looks at what no status tells.
func checkInside(t *testing.T, b *box) {
	t.Helper()
	if _, errs, code := b.run("forge-node", "status", "--level", "configured"); code != 0 {
		t.Errorf("forge-node status --level configured: exit status %d, %s", code, errs)
	}
	var ports []string
	for line := range strings.Lines(b.must("ss", "--no-header", "--listening", "--tcp", "--numeric")) {
		local := strings.Fields(line)[3]
		ports = append(ports, local[strings.LastIndex(local, ":")+1:])
	}
	if !slices.Contains(ports, "5051") {
		t.Errorf("listening TCP ports: %q; mesos-slave's 5051 is missing", ports)
	}
	// Of the masters; DataNode and TaskTracker open theirs when their masters answer.
	for _, port := range []string{"2181", "5050", "8080", "9000", "9001", "50070", "50010", "50020", "50060", "50075"} {
		if slices.Contains(ports, port) {
			t.Errorf("something listens on port %s of a lone slave: %q", port, ports)
		}
	}
	flags := b.must("sh", "-c", `tr '\0' '\n' </proc/$(pidof mesos-slave)/cmdline`)
	for _, flag := range []string{"--master=zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos\n", "--advertise_ip=10.162.2.94\n", "--work_dir=/var/lib/mesos\n", "--attributes=rack:r1\n"} {
		if !strings.Contains(flags, flag) {
			t.Errorf("mesos-slave runs without %q:\n%s", flag, flags)
		}
	}
	if got := strings.TrimSpace(b.must("stat", "-c", "%U:%G %a", "/data/1/dfs/dn")); got != "hdfs:hdfs 700" {
		t.Errorf("the data directory is %s", got)
	}
	if got := b.must("cat", "/etc/hosts"); !strings.Contains(got, "\n10.162.2.94 slave1\n") || strings.Contains(got, "127.0.1.1") {
		t.Errorf("/etc/hosts:\n%s", got)
	}
}

// lasting is a status without what differs at each start.
func lasting(s node.Status) node.Status {
	s.Services = slices.Clone(s.Services)
	for i := range s.Services {
		s.Services[i].PID, s.Services[i].Since = 0, ""
	}
	return s
}

// inOrder looks for the parts one after the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%q is missing, or in the wrong place, in:\n%s", part, text)
		}
		rest = after
	}
}
