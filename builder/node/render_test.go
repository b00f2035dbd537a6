package node

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/mesos-forge/forge/builder/cluster"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGoldenSlave1 keeps a whole rendering of a container: what forge render shows, and which services
// restart for a file.
func TestGoldenSlave1(t *testing.T) {
	at := slave()
	at.Container = true
	r, err := Render(testImage(t), testInventory(t), at)
	if err != nil {
		t.Fatal(err)
	}
	got := r.View().String() + "--- restarts\n"
	for _, f := range r.Files {
		got += fmt.Sprintf("%s %v\n", f.Path, f.Restart)
	}
	const file = "testdata/slave1.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +got; go test -update rewrites it):\n%s", file, diff)
	}
}

// one is an image of one component and one role, around the parts under test.
func one(c Component, templates map[string]string) *Image {
	c.Name = "c"
	var services []string
	for _, s := range c.Services {
		services = append(services, s.Name)
	}
	files := fstest.MapFS{}
	for name, text := range templates {
		files["c/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return &Image{
		Components: map[string]Component{"c": c},
		Roles:      map[string]Role{"slave": {Name: "slave", Components: []string{"c"}, Services: services}},
		Templates:  files,
	}
}

func TestRenderSettings(t *testing.T) {
	inv := testInventory(t)
	inv.Extra = map[string]map[string]string{"c-site": {"b": "from the inventory", "gone": "", "x.y": "{{ not a template }}"}}
	img := one(Component{Files: []File{
		{Path: "/etc/c.properties", Format: FormatProperties, Extra: []string{"c-site"}, Settings: map[string]string{
			"a": "{{ .Node.Name }}", "b": "b", "gone": "g", "left-out": `{{ "" }}`, `{{ "" }}`: "no name", "n.{{ .Node.Name }}": "1", "kept": "{{ empty }}"}},
		{Path: "/etc/{{ .Node.Name }}.txt", Format: FormatTemplate, Template: "t", Mode: "0600", Owner: "hdfs"},
		{Path: "/etc/c.d", Format: FormatFlags, Extra: []string{"node.attributes"}, Settings: map[string]string{"?bare": "{{ empty }}", "level": "1"}},
	}}, map[string]string{"t": `{{ range .ZooKeeper.Servers }}server.{{ .ID }}={{ .Address }}:{{ $.ZooKeeper.PeerPort }}:{{ $.ZooKeeper.ElectionPort }}
{{ end }}{{ xml "a<b" }} {{ shell "it's" }} {{ sql "it's \\n" }} {{ join .HDFS.DataDirs "," }} {{ default 7 "" }} {{ lower "AB" }} {{ join (list "x" "y") "+" }} {{ has .Services "x" }}`})
	r, err := Render(img, inv, slave())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range r.Files {
		got[fmt.Sprintf("%s %04o %s", f.Path, f.Mode, f.Owner)] = string(f.Content)
	}
	want := map[string]string{
		"/etc/c.properties 0644 root": "# " + header + "\na=slave1\nb=from the inventory\nkept=\nn.slave1=1\nx.y={{ not a template }}\n",
		"/etc/slave1.txt 0600 hdfs": "server.1=10.162.2.91:2888:3888\nserver.2=10.162.2.92:2888:3888\nserver.3=10.162.2.93:2888:3888\n" +
			"a&lt;b 'it'\\''s' 'it''s \\\\n' /data/1/dfs/dn 7 ab x+y false",
		"/etc/c.d/?bare 0644 root": "",
		"/etc/c.d/level 0644 root": "1\n",
		"/etc/c.d/rack 0644 root":  "r1\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestRenderServices(t *testing.T) {
	c := Component{Services: []Service{
		{Name: "b", Order: 2, Heap: &Heap{Percent: 50, Min: 128}},
		{Name: "a", Order: 2, Heap: &Heap{Percent: 10, Min: 512}, Ports: []Port{{Name: "http", Number: 1, From: "{{ .HDFS.Port }}"}}},
		{Name: "first", Order: 1, Heap: &Heap{Percent: 90, Min: 1, Max: 256}},
		{Name: "elsewhere", If: `{{ eq .Node.Name "master1" }}`},
	}}
	inv := testInventory(t)
	inv.Heap = map[string]int{"b": 3000}
	r, err := Render(one(c, nil), inv, slave())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Services {
		got = append(got, fmt.Sprint(s.Name, " ", s.HeapMiB, " ", s.PortOf))
	}
	if diff := cmp.Diff([]string{"first 256 map[]", "a 512 map[http:9000]", "b 3000 map[]"}, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"elsewhere"}, r.Others); diff != "" {
		t.Error(diff)
	}
	inv.Heap["a"] = 2000
	r, err = Render(one(c, nil), inv, slave())
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "5256 MiB, more than its 4096") {
		t.Errorf("warnings %q, error %v", r.Warnings, err)
	}
}

func TestRenderRefuses(t *testing.T) {
	file := func(f File) Component { return Component{Files: []File{f}} }
	for _, c := range []struct {
		name string
		c    Component
		want string
	}{
		{"unknown data", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"A": "{{ .HDFS.Nmaenode }}"}}), "(the package documentation of builder/node lists the data)"},
		{"missing map key", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"A": "{{ .Mesos.Attributes.zone }}"}}), `map has no entry for key "zone"`},
		{"unknown function", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"A": "{{ env }}"}}), `function "env" not defined`},
		{"relative path", file(File{Path: "etc/a", Format: FormatEnv}), `"etc/a" is not a plain absolute path`},
		{"path that climbs", file(File{Path: "/etc/../a", Format: FormatEnv}), "is not a plain absolute path"},
		{"unknown format", file(File{Path: "/a", Format: "toml"}), `unknown format "toml"`},
		{"missing template", file(File{Path: "/a", Format: FormatTemplate, Template: "none"}), "its template: open c/none"},
		{"flag that climbs", file(File{Path: "/a", Format: FormatFlags, Settings: map[string]string{"../b": "1"}}), `"../b" can't be the name of a flag file`},
		{"two lines in a flag", file(File{Path: "/a", Format: FormatFlags, Settings: map[string]string{"b": "1\n2"}}), "its value has a line break"},
		{"environment name", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"a-b": "1"}}), "not the name of an environment variable"},
		{"control character", file(File{Path: "/a", Format: FormatHadoopXML, Settings: map[string]string{"a": "\x01"}}), "XML can't"},
		{"mode", file(File{Path: "/a", Format: FormatEnv, Mode: "rw"}), `mode "rw" is not octal`},
		{"two of one path", Component{Files: []File{{Path: "/a", Format: FormatEnv}, {Path: "/a", Format: FormatEnv}}}, "two manifests write /a"},
		{"one port twice", Component{Services: []Service{{Name: "x", Ports: []Port{{Name: "http", Number: 8080}}}, {Name: "y", Ports: []Port{{Name: "admin", Number: 8080}}}}}, "port tcp/8080 (admin) is x's already"},
		{"port that is none", Component{Services: []Service{{Name: "x", Ports: []Port{{Name: "http", From: "{{ .Node.Name }}"}}}}}, `"slave1" is not a port`},
		{"heap without a rule", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"H": `{{ heap "x" }}`}}), `heap of "x": no component`},
		{"one name twice", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"A": "1", `{{ "A" }}`: "2"}}), "another one is named A too"},
		{"name that is no template", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{`{{ .Nobody }}`: "2"}}), "its name: template: a setting's name"},
		{"what it can't", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"A": `{{ if .Cluster.Nodes }}{{ fail "no nodes here" }}{{ end }}`}}), "file /a: setting A: no nodes here"},
		{"endless template", file(File{Path: "/a", Format: FormatEnv, Settings: map[string]string{"A": `{{ range $i := 9999999 }}{{ "xxxxxxxx" }}{{ end }}`}}), "gives more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Render(one(c.c, nil), testInventory(t), slave())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Render(testImage(t), testInventory(t), Target{Node: "master1", Role: "master", Machine: testMachine}); err == nil || !strings.Contains(err.Error(), `does not hold the role "master"; it holds: slave`) {
		t.Errorf("a role that is not there: %v", err)
	}
	if _, err := Render(testImage(t), testInventory(t), Target{Node: "slave9", Role: "slave", Machine: cluster.Machine{}}); err == nil || !strings.Contains(err.Error(), "slave9") {
		t.Errorf("a node that is not there: %v", err)
	}
}

func TestConfigDigestCoversWhatAServiceReads(t *testing.T) {
	digests := func(inv *cluster.Inventory) map[string]string {
		r, err := Render(testImage(t), inv, slave())
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, s := range r.Services {
			all[s.Name] = s.Config
		}
		return all
	}
	before, inv := digests(testInventory(t)), testInventory(t)
	inv.Extra = map[string]map[string]string{"mapred-site": {"mapred.reduce.slowstart.completed.maps": "0.8"}}
	for name, digest := range digests(inv) {
		changed := digest != before[name]
		if want := name == "hadoop-0.20-mapreduce-tasktracker"; changed != want {
			t.Errorf("%s: changed %v after a change of mapred-site", name, changed)
		}
	}
}

func TestLoadImageIsStrict(t *testing.T) {
	for _, c := range []struct{ name, file, content, want string }{
		{"unknown field", "components/x.json", `{"name":"x","servces":[]}`, `unknown field "servces"`},
		{"other name", "components/x.json", `{"name":"y"}`, `its name is "y"`},
		{"component that is not there", "roles/x.json", `{"name":"x","components":["hive"]}`, `needs the component "hive", which this image does not hold`},
		{"service that is not there", "roles/x.json", `{"name":"x","components":["hdfs"],"services":["mesos-slave"]}`, `runs the service "mesos-slave", which none of its components has`},
		{"service twice", "components/x.json", `{"name":"x","services":[{"name":"mesos-slave"}]}`, "belongs to two components: mesos and x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.write("/usr/share/forge/"+c.file, c.content)
			if _, err := LoadImage(m.Root); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestCheckTemplate(t *testing.T) {
	if err := CheckTemplate("a", `{{ heap "x" }} {{ lines .HDFS.DataDirs }}`); err != nil {
		t.Error(err)
	}
	if err := CheckTemplate("a", `{{ nothing }}`); err == nil || !strings.Contains(err.Error(), `"nothing" not defined`) {
		t.Errorf("error %v", err)
	}
}
