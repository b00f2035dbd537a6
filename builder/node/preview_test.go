package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/cluster"
)

// slave is slave1 of the test inventory, on the test machine.
func slave() Target { return Target{Node: "slave1", Role: "slave", Machine: testMachine} }

const password = "hunter2<>&$\""

// keyring knows one secret.
func keyring(name string) (string, error) {
	if name != "db" {
		return "", fmt.Errorf("no secret %q", name)
	}
	return password, nil
}

func TestSecretsStayInTheFile(t *testing.T) {
	c := Component{Services: []Service{{Name: "a"}}, Secrets: []Secret{{Name: "db"}}, Files: []File{
		{Path: "/etc/a", Format: FormatEnv, Settings: map[string]string{"P": `{{ secret "db" }}`}},
		{Path: "/etc/b", Format: FormatTemplate, Template: "b", Mode: "0640", Group: "c"},
		{Path: "/etc/c", Format: FormatHadoopXML, Settings: map[string]string{"p": `{{ secret "db" }}`}},
		{Path: "/etc/open", Format: FormatProperties, Settings: map[string]string{"p": "1"}},
	}}
	img := one(c, map[string]string{"b": `<p>{{ xml (secret "db") }}</p>`})
	at := slave()
	at.Secrets = keyring
	r, err := Render(img, testInventory(t), at)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range r.Files {
		got[f.Path] = fmt.Sprintf("%04o %v", f.Mode, f.Secret())
		if f.Secret() != strings.Contains(string(f.Content), "hunter2") || strings.Contains(string(f.Shown()), "hunter2") {
			t.Errorf("%s: content %q, shown %q", f.Path, f.Content, f.Shown())
		}
	}
	want := map[string]string{"/etc/a": "0600 true", "/etc/b": "0640 true", "/etc/c": "0600 true", "/etc/open": "0644 false", presetFile: "0644 false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	asJSON, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	viewed, err := json.Marshal(r.View())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := r.Preview(dir); err != nil {
		t.Fatal(err)
	}
	preview, err := os.ReadFile(filepath.Join(dir, "etc/a"))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the rendering as JSON": string(asJSON), "the view as JSON": string(viewed), "the view": r.View().String(), "the preview": string(preview)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s holds the secret: %s", what, text)
		}
	}
	if !strings.Contains(r.View().String(), "=== /etc/a 0600 root:root\n# "+header+"\nP=\"<secret db>\"\n") {
		t.Errorf("%s", r.View())
	}
	changed := slave()
	changed.Secrets = func(string) (string, error) { return "another", nil }
	other, err := Render(img, testInventory(t), changed)
	if err != nil || other.Services[0].Config == r.Services[0].Config {
		t.Errorf("a service whose secret changes would not restart: %v", err)
	}
}

func TestPreviewMakesNoSecrets(t *testing.T) {
	c := Component{Secrets: []Secret{{Name: "azkaban-db"}}, Files: []File{{Path: "/etc/a", Format: FormatEnv, Settings: map[string]string{"P": `{{ secret "azkaban-db" }}`}}}}
	r, err := Render(one(c, nil), testInventory(t), slave())
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Files[0]; !strings.Contains(string(f.Content), `P="<secret azkaban-db>"`) || f.Mode != 0o600 || !f.Secret() {
		t.Errorf("%+v %s", f, f.Content)
	}
}

func TestSecretsAreRefused(t *testing.T) {
	value := func(v, mode string) Component {
		return Component{Secrets: []Secret{{Name: "db"}, {Name: "web"}}, Files: []File{{Path: "/etc/a", Format: FormatEnv, Mode: mode, Settings: map[string]string{"P": v}}}}
	}
	for _, c := range []struct {
		name string
		c    Component
		want string
	}{
		{"in a path", Component{Files: []File{{Path: `/etc/{{ secret "db" }}`, Format: FormatEnv}}}, "only stand in the content of a file"},
		{"in a script", Component{Services: []Service{{Name: "x", Runit: `#!/bin/sh
exec x {{ secret "db" }}`}}}, "only stand in the content of a file"},
		{"on a command line", Component{Services: []Service{{Name: "x", Init: []Init{{Name: "i", Run: []string{"x", `{{ secret "db" }}`}}}}}}, "only stand in the content of a file"},
		{"for everybody", value(`{{ secret "db" }}`, "0644"), "its mode 0644 lets everybody read or change it"},
		{"by no name", value(`{{ secret "../db" }}`, ""), `"../db" is not the name of a secret`},
		{"fixed", Component{Secrets: []Secret{{Name: "db"}}, Files: []File{{Path: "/etc/a", Format: FormatEnv, Fixed: []string{"/data"}, Settings: map[string]string{"P": `{{ secret "db" }}`}}}}, "it holds a secret and is fixed"},
		{"undeclared", value(`{{ secret "dbs" }}`, ""), `no component of this image declares the secret "dbs"; did you mean "db"?`},
		{"unknown", value(`{{ secret "web" }}`, ""), `no secret "web"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := slave()
			at.Secrets, at.Container = keyring, true
			_, err := Render(one(c.c, nil), testInventory(t), at)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	// What XML can't hold must not be told in an error.
	at := slave()
	at.Secrets = func(string) (string, error) { return "hush\x01", nil }
	_, err := Render(one(Component{Secrets: []Secret{{Name: "db"}}, Files: []File{{Path: "/a", Format: FormatHadoopXML, Settings: map[string]string{"p": `{{ secret "db" }}`}}}}, nil), testInventory(t), at)
	if err == nil || !strings.Contains(err.Error(), `p: it holds '\x01', a character that XML can't`) || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v", err)
	}
	at.Secrets = func(string) (string, error) { return "", errors.New("the keyring is locked") }
	if _, err = Render(one(value(`{{ secret "db" }}`, ""), nil), testInventory(t), at); err == nil || !strings.Contains(err.Error(), "file /etc/a: setting P: ") || !strings.Contains(err.Error(), "the keyring is locked") {
		t.Errorf("error %v", err)
	}
}

func TestRequiredKeys(t *testing.T) {
	c := Component{Files: []File{{Path: "/etc/s.xml", Format: FormatHadoopXML, Extra: []string{"s-site"},
		Settings: map[string]string{"name": "{{ .Node.Name }}", "nothing": `{{ "" }}`, "blank": "{{ empty }}"}, Required: []string{"name"}}}}
	inv := testInventory(t)
	for _, x := range []struct {
		name, key string
		extra     map[string]string
		want      string
	}{
		{"there", "name", nil, ""},
		{"from the inventory", "more", map[string]string{"more": "1"}, ""},
		{"not required here", `{{ if .HDFS.HA }}absent{{ end }}`, nil, ""},
		{"absent", "absent", nil, "component c: file /etc/s.xml: required key absent is missing or empty"},
		{"renders to nothing", "nothing", nil, "required key nothing is missing or empty"},
		{"written empty", "blank", nil, "required key blank is missing or empty"},
		{"taken away", "name", map[string]string{"name": ""}, "required key name is empty: the inventory's extra.s-site takes it away"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c.Files[0].Required = []string{x.key}
			inv.Extra = map[string]map[string]string{"s-site": x.extra}
			_, err := Render(one(c, nil), inv, slave())
			if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
				t.Errorf("error %v, want %q", err, x.want)
			}
		})
	}
}

func TestInitSystems(t *testing.T) {
	c := Component{Services: []Service{{Name: "b", Runit: "#!/bin/sh\n"}, {Name: "a", If: "false"}}}
	for _, x := range []struct {
		system    InitSystem
		container bool
		want      map[string]string
	}{
		{"", false, map[string]string{presetFile: "# " + header + "\nenable forge-node.service\ndisable a.service\ndisable b.service\n"}},
		{InitUpstart, false, map[string]string{"/etc/init/a.override": "manual\n", "/etc/init/b.override": "manual\n"}},
		{InitUpstart, true, map[string]string{}},
		{InitSystemd, true, map[string]string{}},
	} {
		img := one(c, nil)
		role := img.Roles["slave"]
		role.InitSystem = x.system
		img.Roles["slave"] = role
		at := slave()
		at.Container = x.container
		r, err := Render(img, testInventory(t), at)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range r.Files {
			got[f.Path] = string(f.Content)
			if len(f.Restart) > 0 {
				t.Errorf("%s restarts %v", f.Path, f.Restart)
			}
		}
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("%q, container %v (-want +got):\n%s", x.system, x.container, diff)
		}
	}
	img := one(c, nil)
	img.Roles["slave"] = Role{Name: "slave", InitSystem: "openrc"}
	if err := img.Check(); err == nil || !strings.Contains(err.Error(), `init system "openrc", which this forge-node does not know`) {
		t.Errorf("error %v", err)
	}
}

// TestMarathonForms: up to 1.4 the wrapper reads files of flags, from 1.5 on the service's environment
// (field guide, section 2).
func TestMarathonForms(t *testing.T) {
	for _, x := range []struct {
		file File
		want map[string]string
	}{
		{File{Path: "/etc/marathon/conf", Format: FormatFlags, Settings: map[string]string{"http_port": "{{ .Marathon.Port }}", "?disable_ha": `{{ if false }}{{ empty }}{{ end }}`, "?event_stream": "{{ empty }}"}},
			map[string]string{"/etc/marathon/conf/http_port": "8080\n", "/etc/marathon/conf/?event_stream": ""}},
		{File{Path: "/etc/default/marathon", Format: FormatEnv, Settings: map[string]string{"MARATHON_MASTER": "{{ .Mesos.ZK }}", "MARATHON_ZK": "{{ .Marathon.ZK }}", "MARATHON_HTTP_PORT": "{{ .Marathon.Port }}"}},
			map[string]string{"/etc/default/marathon": "# " + header + "\nMARATHON_HTTP_PORT=\"8080\"\n" +
				"MARATHON_MASTER=\"zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos\"\n" +
				"MARATHON_ZK=\"zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/marathon\"\n"}},
	} {
		r, err := Render(one(Component{Files: []File{x.file}}, nil), testInventory(t), slave())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range r.Files {
			got[f.Path] = string(f.Content)
		}
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestDocumentedDataExists evaluates all that the package documentation lists for templates.
func TestDocumentedDataExists(t *testing.T) {
	inv, err := cluster.Load("../testdata/ha.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, listed, _ := strings.Cut(string(doc), "# What templates see")
	names := regexp.MustCompile(`\.(?:Cluster|Node|Machine|ZooKeeper|Mesos|HDFS|MRv1|Marathon|Spark|Azkaban|Mounts|Extra|Services|Container)\b(?:\.[A-Za-z0-9]+)*`).FindAllString(listed, -1)
	if len(names) < 60 {
		t.Fatalf("the documentation lists %d values", len(names))
	}
	for _, name := range names {
		img := one(Component{Files: []File{{Path: "/a", Format: FormatTemplate, Template: "t"}}}, map[string]string{"t": "{{ " + name + " }}"})
		img.Roles["master"] = Role{Name: "master", Components: []string{"c"}}
		if _, err := Render(img, inv, Target{Node: "master1", Role: "master", Machine: testMachine}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
