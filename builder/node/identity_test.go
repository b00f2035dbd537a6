package node

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mesos-forge/forge/builder/cluster"
)

const (
	cloudSlave1 = `{"ds":{"meta_data":{"instance-id":"i-1","forge":{"role":"slave","node":"slave1"}}},"v1":{"instance_id":"i-1"}}`
	cloudSlave  = `{"ds":{"meta_data":{"instance-id":"i-1","forge":{"role":"slave"}}},"v1":{"instance_id":"i-1"}}`
	ec2Slave3   = `{"ds":{"meta-data":{"instance-id":"i-3","tags":{"instance":{"Name":"x","forge.node":"slave3","forge.role":"slave"}}}},"v1":{"instance_id":"i-3"}}`
	ec2Untagged = `{"ds":{"meta-data":{"instance-id":"i-3","tags":{"instance":""},"forge":""}},"v1":{"instance_id":"i-3"}}`
	openStack2  = `{"ds":{"meta_data":{"uuid":"u","meta":{"forge.node":"slave2","forge_role":"slave","other":3}}},"v1":{"instance_id":"u"}}`
)

// replaced is a change of the example inventory.
type replaced struct{ from, to string }

func TestWhoIsThis(t *testing.T) {
	for _, c := range []struct {
		name                     string
		file, cloud, kernel, env string
		node, source, warning    string
		inventory                replaced
		wantErr                  string
	}{
		{name: "user-data", file: "node: slave2\nrole: slave\n", node: "slave2", source: "/etc/forge/node.yaml"},
		{name: "cloud-init", cloud: cloudSlave1, node: "slave1", source: "cloud-init's meta-data"},
		{name: "OpenStack", cloud: openStack2, node: "slave2", source: "cloud-init's meta-data"},
		{name: "EC2's tags", cloud: ec2Slave3, node: "slave3", source: "cloud-init's meta-data"},
		{name: "EC2 without tags", cloud: ec2Untagged, node: "slave1", source: "the machine's address"},
		{name: "a role alone in user-data", file: "role: slave\n", node: "slave1", source: "the machine's address"},
		{name: "a role alone in meta-data", cloud: cloudSlave, node: "slave1", source: "the machine's address"},
		{name: "a role alone on the command line", kernel: "forge.role=slave", node: "slave1", source: "the machine's address"},
		{name: "a role alone, another machine", kernel: "forge.role=slave", inventory: replaced{"10.162.2.94", "10.162.2.97"},
			wantErr: `the kernel command line says role "slave", but nobody says which node, and the machine has the address of none of that role: slave1 10.162.2.97, slave2 10.162.2.95, slave3 10.162.2.96; give it one of these addresses, or name the node`},
		{name: "a role alone, of another node", kernel: "forge.role=master",
			wantErr: `the kernel command line says role "master", but node "slave1" (by the machine's address) has the role "slave" in the inventory; make them agree`},
		{name: "a role alone, misspelt", kernel: "forge.role=slvae",
			wantErr: `the kernel command line says role "slvae", which this image does not hold; did you mean "slave"?; it holds: slave`},
		{name: "a role in meta-data, the node on the command line", cloud: cloudSlave, kernel: "forge.node=slave2", node: "slave2", source: "the kernel command line"},
		{name: "the node in user-data, another role in meta-data", file: "node: slave1\n", cloud: strings.Replace(cloudSlave, `"slave"`, `"master"`, 1), node: "slave1", source: "/etc/forge/node.yaml",
			warning: `cloud-init's meta-data says role "master"; the inventory, which counts first, says "slave"`},
		{name: "user-data and meta-data name two nodes", file: "node: slave2\n", cloud: cloudSlave1, wantErr: `/etc/forge/node.yaml says node "slave2", cloud-init's meta-data says node "slave1"; make them agree`},
		{name: "meta-data names two nodes", cloud: `{"ds":{"meta_data":{"forge":{"node":"slave1"},"meta":{"forge_node":"slave2"}}}}`, wantErr: "cloud-init's meta-data gives node twice: slave1 and slave2"},
		{name: "a number in meta-data", cloud: `{"ds":{"meta_data":{"forge":{"node":7}}}}`, wantErr: "cloud-init's meta-data: forge.node is 7, which is not text; put the name of a node there, in quotes"},
		{name: "misspelt in meta-data", cloud: `{"ds":{"meta_data":{"forge":{"nod":"slave1"}}}}`, wantErr: `cloud-init's meta-data: forge: unknown key "nod"; did you mean "node"?; known: node, role`},
		{name: "another's tags", cloud: `{"ds":{"meta_data":{"meta":{"forgery":"x","forge.node":"slave2"}}}}`, node: "slave2", source: "cloud-init's meta-data"},
		{name: "misspelt on the command line", kernel: "forge.rloe=slave", wantErr: `the kernel command line: forge.rloe: unknown key "rloe"; did you mean "role"?`},
		{name: "empty on the command line", kernel: "forge.role= forge.node", node: "slave1", source: "the machine's address"},
		{name: "quotes on the command line", kernel: `forge.node="slave2" "forge.role=slave"`, node: "slave2", source: "the kernel command line"},
		{name: "kernel", kernel: "ro forge.role=slave forge.node=slave3", node: "slave3", source: "the kernel command line"},
		{name: "address", node: "slave1", source: "the machine's address"},
		{name: "container", env: "slave3", node: "slave3", source: "the container's environment (FORGE_NODE, FORGE_ROLE)"},
		{name: "container: not the host's kernel", env: "slave3", kernel: "forge.node=slave1", node: "slave3", source: "the container's environment (FORGE_NODE, FORGE_ROLE)"},
		{name: "all agree", file: "node: slave1\n", cloud: cloudSlave1, kernel: "forge.node=slave1", node: "slave1", source: "/etc/forge/node.yaml"},
		{name: "a later one has another role", file: "node: slave1\n", kernel: "forge.role=master", node: "slave1", source: "/etc/forge/node.yaml",
			warning: `the kernel command line says role "master"; the inventory, which counts first, says "slave"`},
		{name: "two nodes", file: "node: slave1\n", kernel: "forge.node=slave2", wantErr: `/etc/forge/node.yaml says node "slave1", the kernel command line says node "slave2"`},
		{name: "two nodes on one command line", kernel: "forge.node=slave1 forge.node=slave2", wantErr: "gives forge.node twice: slave1 and slave2"},
		{name: "role contradicts the inventory", file: "node: slave1\nrole: master\n", wantErr: `/etc/forge/node.yaml says role "master", but node "slave1" (by /etc/forge/node.yaml) has the role "slave" in the inventory; make them agree: give this machine the seed of a node of the role master, or change the node's role in the inventory`},
		{name: "earlier role contradicts", file: "role: master\n", kernel: "forge.node=slave1", wantErr: `says role "master"`},
		{name: "role that the image lacks", file: "node: master1\n", wantErr: `has the role "master", which this image does not hold; it holds: slave; boot a clone`},
		{name: "unknown node", kernel: "forge.node=slave9", wantErr: `says that this is node "slave9", which is not in the inventory; did you mean "slave1"?; its nodes: master1, `},
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
			if c.inventory.from != "" {
				m.replace(inventoryPath, c.inventory.from, c.inventory.to)
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

// A machine with two addresses of the inventory is a node only if the role tells which.
func TestTwoAddresses(t *testing.T) {
	has := func(a string) bool { return a == "10.162.2.91" || a == "10.162.2.94" }
	img, inv := testImage(t), testInventory(t)
	img.Roles["master"] = Role{Name: "master"}
	if _, err := Resolve(nil, img, inv, has); err == nil || !strings.Contains(err.Error(), "the machine has the addresses of several: master1, slave1; make a seed") {
		t.Errorf("error %v", err)
	}
	for role, node := range map[string]string{"master": "master1", "slave": "slave1"} {
		if id, err := Resolve([]Claim{{Source: "here", Role: role}}, img, inv, has); err != nil || id.Node != node {
			t.Errorf("role %s: %+v, %v; want %s", role, id, err, node)
		}
	}
}

func FuzzNodeFile(f *testing.F) {
	f.Add([]byte("node: slave1\nrole: slave\n"))
	f.Add([]byte("node: [a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseNodeFile(data)
		notASCII := func(r rune) bool { return r > '~' }
		if err == nil && strings.ContainsFunc(c.Node+c.Role, notASCII) {
			t.Errorf("%+v", c) // a look-alike of a name
		}
	})
}

func FuzzInstanceData(f *testing.F) {
	for _, s := range []string{cloudSlave1, cloudSlave, openStack2, ec2Slave3, ec2Untagged, `{"ds":{"meta_data":{"forge":{"node":7}}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseInstanceData(data)
		if err != nil {
			return
		}
		c, err := d.claim()
		if again, err2 := d.claim(); again != c || (err == nil) != (err2 == nil) {
			t.Errorf("%+v, %v; then %+v, %v", c, err, again, err2)
		}
		if err == nil && !json.Valid(data) {
			t.Errorf("claim %+v of no JSON", c)
		}
	})
}

func FuzzCommandLine(f *testing.F) {
	f.Add("ro quiet forge.role=slave forge.node=slave3")
	f.Add(`forge.node="slave1" "forge.role=slave" forge.node=slave1`)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCommandLine(line)
		if err != nil {
			return
		}
		for _, v := range []string{c.Node, c.Role} {
			if len(strings.Fields(v)) > 1 || !strings.Contains(line, v) {
				t.Errorf("%q of %q", v, line)
			}
		}
	})
}
