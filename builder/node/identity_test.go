package node

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mesos-forge/forge/builder/cluster"
)

const (
	cloudSlave1 = `{"ds":{"meta_data":{"instance-id":"i-1","forge":{"role":"slave","node":"slave1"}}},"v1":{"instance_id":"i-1"}}`
	openStack2  = `{"ds":{"meta_data":{"uuid":"u","meta":{"forge.node":"slave2","forge_role":"slave","other":3}}},"v1":{"instance_id":"u"}}`
)

func TestWhoIsThis(t *testing.T) {
	for _, c := range []struct {
		name                     string
		file, cloud, kernel, env string
		node, source, warning    string
		wantErr                  string
	}{
		{name: "user-data", file: "node: slave2\nrole: slave\n", node: "slave2", source: "/etc/forge/node.yaml"},
		{name: "cloud-init", cloud: cloudSlave1, node: "slave1", source: "cloud-init's meta-data"},
		{name: "OpenStack", cloud: openStack2, node: "slave2", source: "cloud-init's meta-data"},
		{name: "kernel", kernel: "ro forge.role=slave forge.node=slave3", node: "slave3", source: "the kernel command line"},
		{name: "address", node: "slave1", source: "the machine's address"},
		{name: "container", env: "slave3", node: "slave3", source: "the container's environment (FORGE_NODE, FORGE_ROLE)"},
		{name: "container: not the host's kernel", env: "slave3", kernel: "forge.node=slave1", node: "slave3", source: "the container's environment (FORGE_NODE, FORGE_ROLE)"},
		{name: "all agree", file: "node: slave1\n", cloud: cloudSlave1, kernel: "forge.node=slave1", node: "slave1", source: "/etc/forge/node.yaml"},
		{name: "a later one has another role", file: "node: slave1\n", kernel: "forge.role=master", node: "slave1", source: "/etc/forge/node.yaml",
			warning: `the kernel command line says role "master"; the inventory, which counts first, says "slave"`},
		{name: "two nodes", file: "node: slave1\n", kernel: "forge.node=slave2", wantErr: `/etc/forge/node.yaml says node "slave1", the kernel command line says node "slave2"`},
		{name: "two nodes on one command line", kernel: "forge.node=slave1 forge.node=slave2", wantErr: "gives forge.node twice: slave1 and slave2"},
		{name: "role contradicts the inventory", file: "node: slave1\nrole: master\n", wantErr: `/etc/forge/node.yaml says role "master", but node "slave1" has the role "slave"`},
		{name: "earlier role contradicts", file: "role: master\n", kernel: "forge.node=slave1", wantErr: `says role "master"`},
		{name: "role that the image lacks", file: "node: master1\n", wantErr: `has the role "master", which this image does not hold; it holds: slave`},
		{name: "unknown node", kernel: "forge.node=slave9", wantErr: `says that this is node "slave9", which is not in the inventory`},
		{name: "misspelt key", file: "nod: slave1\n", wantErr: `/etc/forge/node.yaml:1:1: unknown key "nod" at the top level; did you mean "node"?`},
		{name: "broken instance data", cloud: "{", wantErr: "/run/cloud-init/instance-data.json: unexpected end of JSON input"},
		{name: "nobody", kernel: "quiet", env: " ", wantErr: "nobody says which node this is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.write(nodePath, c.file)
			if c.cloud != "" {
				m.write(instanceDataPath, c.cloud)
			}
			m.write("/proc/cmdline", c.kernel+"\n")
			m.Container = strings.TrimSpace(c.env) != ""
			m.Getenv = func(name string) string { return map[string]string{"FORGE_NODE": c.env}[name] }
			if c.name == "nobody" {
				m.replace(inventoryPath, "10.162.2.94", "10.162.2.97")
			}
			r, err := m.Resolve()
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("error %v, want %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			id := r.Identity
			if id.Node != c.node || id.NodeSource != c.source || id.Role != "slave" || strings.Join(id.Warnings, "|") != c.warning {
				t.Errorf("%+v", id)
			}
		})
	}
}

func TestHosts(t *testing.T) {
	nodes := []cluster.Node{{Name: "master1", Address: "10.162.2.91"}, {Name: "slave1", Address: "10.162.2.94"}}
	const block = hostsBegin + "\n10.162.2.91 master1\n10.162.2.94 slave1\n" + hostsEnd + "\n"
	const local = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	for _, c := range []struct{ name, now, want string }{
		{"nothing", "", local + "\n" + block},
		{"Debian's", "127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n\n::1 localhost\n", "127.0.0.1\tlocalhost\n\n::1 localhost\n\n" + block},
		{"docker's", "127.0.0.1\tlocalhost\n172.17.0.2\tslave1\n172.17.0.3\tdb\n", "127.0.0.1\tlocalhost\n172.17.0.3\tdb\n\n" + block},
		{"earlier addresses", "127.0.0.1 localhost\n\n" + hostsBegin + "\n10.0.0.1 slave1\n10.0.0.2 gone\n" + hostsEnd + "\n10.9.9.9 mine # slave1\n", "127.0.0.1 localhost\n\n10.9.9.9 mine # slave1\n\n" + block},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Hosts(c.now, nodes)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := Hosts(got, nodes); again != got {
				t.Errorf("a second run changes it:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

func FuzzHosts(f *testing.F) {
	f.Add("127.0.0.1 localhost\n127.0.1.1 x\n")
	f.Add(hostsBegin + "\nx")
	f.Add("\r\n#\n" + hostsEnd)
	nodes := []cluster.Node{{Name: "slave1", Address: "10.162.2.94"}}
	f.Fuzz(func(t *testing.T, now string) {
		got := Hosts(now, nodes)
		if again := Hosts(got, nodes); again != got {
			t.Errorf("a second run changes it: %q, then %q", got, again)
		}
		for line := range strings.Lines(got) {
			if f := hostFields(line); len(f) > 1 && f[0] == "127.0.1.1" {
				t.Errorf("127.0.1.1 is still there: %q", got)
			}
		}
	})
}
