package seed_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/image/seed"
	"github.com/mesos-forge/forge/builder/node"
)

// cloudInitPackages are cloud-init, and what of Python its data sources and its
// schema import. They are only unpacked: installed, cloud-init would run at the
// next boot of this machine.
var cloudInitPackages = []string{"cloud-init", "python3-attr", "python3-certifi", "python3-chardet", "python3-configobj",
	"python3-idna", "python3-jinja2", "python3-json-pointer", "python3-jsonpatch", "python3-jsonschema", "python3-markupsafe",
	"python3-netifaces", "python3-oauthlib", "python3-pyrsistent", "python3-requests", "python3-serial", "python3-six",
	"python3-urllib3", "python3-yaml"}

// cloudInit is a folder for PYTHONPATH with Debian's cloud-init, made once and
// kept for the next run in $FORGE_TEST_CACHE.
var cloudInit = sync.OnceValues(func() (string, error) {
	const python = "tree/usr/lib/python3/dist-packages"
	cache := os.Getenv("FORGE_TEST_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "forge-test") // as hack/test has it
	}
	dir := filepath.Join(cache, "cloud-init-bookworm")
	if _, err := os.Stat(dir); err == nil {
		return filepath.Join(dir, python), nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, ".cloud-init-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	download := exec.Command("apt-get", append([]string{"download", "-q", "-o", "APT::Sandbox::User=root"}, cloudInitPackages...)...)
	download.Dir = work
	if out, err := download.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apt-get download cloud-init: %w\n%s", err, out)
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != len(cloudInitPackages) {
		return "", fmt.Errorf("apt-get download left %d packages, want %d (%w)", len(debs), len(cloudInitPackages), err)
	}
	for _, deb := range debs {
		if out, err := exec.Command("dpkg-deb", "-x", deb, filepath.Join(work, "tree")).CombinedOutput(); err != nil {
			return "", fmt.Errorf("unpack %s: %w\n%s", deb, err, out)
		}
	}
	if err := os.Rename(work, dir); err != nil && !os.IsExist(err) {
		return "", err
	}
	return filepath.Join(dir, python), nil
})

// python runs Debian's Python with cloud-init in reach.
func python(t *testing.T, args ...string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: nothing is downloaded")
	}
	path, err := cloudInit()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("missing: cloud-init: %v", err)
		}
		t.Skipf("missing: cloud-init: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.Bytes())
	}
	return out
}

const secretValue = "pa55 wörd: #x"

// full is a seed with everything that a seed may have.
func full() seed.Spec {
	s := slave1()
	s.Secrets = map[string]string{"azkaban-db": secretValue, "b": "x"}
	s.Mounts = []seed.Mount{
		{Path: "/nfsmount", Source: "10.0.0.90:/export/dfs", Options: "hard,noatime"},
		{Path: "/data/1", Device: "/dev/vdb"},
	}
	s.Parts = []seed.Part{
		{Name: "site config.yaml", Content: []byte("#cloud-config\n# ours\nhostname: slave1\nssh_authorized_keys: [\"" + key + "2\"]\nwrite_files:\n- {path: /etc/motd, content: \"hé\\n\", permissions: \"0600\"}\nruncmd: [[echo, hi]]\nbootcmd: [[sync]]\ntimezone: UTC\n")},
		{Name: "go.sh", Content: []byte("#!/bin/sh\r\necho 'é'\n")},
	}
	return s
}

// bare is a seed without anything that need not be there.
func bare() seed.Spec {
	s := slave1()
	return seed.Spec{Node: s.Node, Role: s.Role, Epoch: s.Epoch}
}

func TestValidForCloudInit(t *testing.T) {
	v6 := slave1()
	v6.Address, v6.Gateway, v6.DNS = "2001:db8::11/64", "2001:db8::1", nil
	nowhere := full()
	nowhere.Identity = seed.Nowhere
	var configs []string
	dir := t.TempDir()
	for name, spec := range map[string]seed.Spec{"slave1": slave1(), "full": full(), "bare": bare(), "v6": v6, "nowhere": nowhere} {
		files, err := seed.Files(spec)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range cloudConfigs(t, files[seed.UserData]) {
			file := filepath.Join(dir, fmt.Sprintf("%s-%d", name, i))
			if err := os.WriteFile(file, part, 0o600); err != nil {
				t.Fatal(err)
			}
			configs = append(configs, file)
		}
	}
	if len(configs) != 7 {
		t.Errorf("%d cloud-configs, want 7", len(configs))
	}
	slices.Sort(configs)
	const schema = `import sys
from cloudinit.cmd.main import main
for file in sys.argv[1:]:
    main(["cloud-init", "schema", "--config-file", file])`
	want := "Valid cloud-config: " + strings.Join(configs, "\nValid cloud-config: ") + "\n"
	if diff := cmp.Diff(want, string(python(t, append([]string{"-c", schema}, configs...)...))); diff != "" {
		t.Errorf("cloud-init schema (-want +got):\n%s", diff)
	}
}

// cloudConfigs returns the user-data, or of a MIME archive the parts of that type.
func cloudConfigs(t *testing.T, user []byte) [][]byte {
	t.Helper()
	if bytes.HasPrefix(user, []byte("#cloud-config\n")) {
		return [][]byte{user}
	}
	m, err := mail.ReadMessage(bytes.NewReader(user))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var parts [][]byte
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err != nil {
			return parts
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(base64.NewDecoder(base64.StdEncoding, p)); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/cloud-config;") {
			parts = append(parts, body.Bytes())
		}
	}
}

// understood is what testdata/read_seed.py prints.
type understood struct {
	InstanceID string `json:"instance_id"`
	Hostname   string
	Config     struct {
		Hostname   string
		Hosts      *bool               `json:"manage_etc_hosts"`
		Keys       []string            `json:"ssh_authorized_keys"`
		WriteFiles []map[string]string `json:"write_files"`
		Mounts     [][]string
		BootCmd    []any
		RunCmd     []any
		Timezone   string
	}
	Scripts  [][3]string
	Networkd map[string]string
	claims   []node.Claim // what forge-node makes of the instance data
	runDir   string
}

// understand lets cloud-init read a seed, and forge-node what cloud-init leaves.
func understand(t *testing.T, source, place string) understood {
	t.Helper()
	work := t.TempDir()
	var u understood
	out := python(t, "testdata/read_seed.py", source, place, work)
	if err := json.Unmarshal(out, &u); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	u.runDir = filepath.Join(work, "run")
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(u.runDir, filepath.Join(root, "run/cloud-init")); err != nil {
		t.Fatal(err)
	}
	u.runDir = filepath.Join(root, "run/cloud-init")
	var err error
	if u.claims, err = (&node.Node{Root: root}).Claims(); err != nil {
		t.Fatal(err)
	}
	return u
}

// place writes files by their path in a new folder.
func place(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var slaveClaim = []node.Claim{{Source: "cloud-init's meta-data", Node: "slave1", Role: "slave"}}

// What each format carries is what cloud-init gets out of it: the same
// configuration whichever way it comes, the operator's appended to forge's.
func TestUnderstoodByCloudInit(t *testing.T) {
	files, err := seed.Files(full())
	if err != nil {
		t.Fatal(err)
	}
	noCloud := understand(t, "nocloud", place(t, files))
	checkUnderstood(t, noCloud)
	if diff := cmp.Diff(slaveClaim, noCloud.claims); diff != "" {
		t.Errorf("NoCloud: who is this (-want +got):\n%s", diff)
	}
	checkNoSecrets(t, noCloud.runDir)

	drive := understand(t, "configdrive", place(t, readDrive(t, full())))
	if diff := cmp.Diff(slaveClaim, drive.claims); diff != "" {
		t.Errorf("configuration drive: who is this (-want +got):\n%s", diff)
	}
	checkNoSecrets(t, drive.runDir)
	if diff := cmp.Diff(noCloud.Config, drive.Config); diff != "" {
		t.Errorf("configuration drive: configuration (-NoCloud +got):\n%s", diff)
	}
	if drive.Hostname != "slave1" || len(drive.InstanceID) != 36 {
		t.Errorf("configuration drive: host name %q, instance %q", drive.Hostname, drive.InstanceID)
	}
	checkNetworkd(t, "NoCloud", noCloud.Networkd)
	checkNetworkd(t, "configuration drive", drive.Networkd)
}

func checkUnderstood(t *testing.T, u understood) {
	t.Helper()
	c := u.Config
	if u.Hostname != "slave1" || c.Hostname != "slave1" || c.Hosts == nil || *c.Hosts || c.Timezone != "UTC" || !strings.HasPrefix(u.InstanceID, "slave1-") {
		t.Errorf("%+v", u)
	}
	if diff := cmp.Diff([]string{key, key + "2"}, c.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	var wrote []string
	for _, f := range c.WriteFiles {
		wrote = append(wrote, f["permissions"]+" "+f["path"])
		if f["path"] == node.SecretsDir+"/azkaban-db" {
			if b, err := base64.StdEncoding.DecodeString(f["content"]); err != nil || string(b) != secretValue+"\n" || f["owner"] != "root:root" {
				t.Errorf("the secret came as %q, %v", f["content"], err)
			}
		}
	}
	want := []string{"0644 /etc/forge/node.yaml", "0644 /etc/forge/cluster.yaml", "0600 /etc/forge/secrets/azkaban-db", "0600 /etc/forge/secrets/b", "0600 /etc/motd"}
	if diff := cmp.Diff(want, wrote); diff != "" {
		t.Errorf("write_files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"10.0.0.90:/export/dfs", "/nfsmount", "nfs", "hard,noatime,nofail,_netdev,x-systemd.before=forge-node.service", "0", "0"}}, c.Mounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	if len(c.BootCmd) != 3 || len(c.RunCmd) != 1 || fmt.Sprint(c.BootCmd[0]) != "[install -d -m 0700 /etc/forge/secrets]" {
		t.Errorf("bootcmd %v, runcmd %v", c.BootCmd, c.RunCmd)
	}
	if diff := cmp.Diff([][3]string{{"text/x-shellscript", "2-go.sh", "#!/bin/sh\r\necho 'é'\n"}}, u.Scripts); diff != "" {
		t.Errorf("scripts (-want +got):\n%s", diff)
	}
}

// checkNetworkd compares what systemd-networkd is told. The two formats end in
// files of another order.
func checkNetworkd(t *testing.T, what string, units map[string]string) {
	t.Helper()
	if len(units) != 1 {
		t.Errorf("%s: %d links", what, len(units))
	}
	for _, unit := range units {
		for _, line := range []string{"Name=e*", "DHCP=no", "Address=10.0.0.11/24", "Gateway=10.0.0.1", "Destination=0.0.0.0/0", "DNS=10.0.0.2 2001:db8::53"} {
			if !slices.Contains(strings.Split(unit, "\n"), line) {
				t.Errorf("%s: no %s in:\n%s", what, line, unit)
			}
		}
		if strings.Contains(unit, "MACAddress") {
			t.Errorf("%s:\n%s", what, unit)
		}
	}
}

// checkNoSecrets looks for secrets, plain or encoded, in what anyone may read.
func checkNoSecrets(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !fi.Mode().IsRegular() || fi.Mode()&0o077 == 0 {
			continue
		}
		open = append(open, e.Name())
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{secretValue, base64.StdEncoding.EncodeToString([]byte(secretValue + "\n")), "write_files"} {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s, which anyone may read, holds %q", e.Name(), secret)
			}
		}
	}
	if !slices.Contains(open, "instance-data.json") {
		t.Errorf("only %q may be read; this test looks for secrets nowhere", open)
	}
}

// EC2's service says who the node is in tags, or the user-data does.
func TestUnderstoodFromEC2(t *testing.T) {
	big := full()
	big.Parts = append(big.Parts, seed.Part{Name: "long.sh", Content: []byte("#!/bin/sh\n" + strings.Repeat("echo long\n", 3000))})
	path := filepath.Join(t.TempDir(), "user-data")
	if err := seed.Write(path, seed.EC2, big); err != nil {
		t.Fatal(err)
	}
	user, err := os.ReadFile(path)
	if err != nil || len(user) > seed.MaxEC2 || !bytes.HasPrefix(user, []byte{0x1f, 0x8b}) {
		t.Fatalf("%d bytes, %v; want gzip", len(user), err)
	}
	service := httptest.NewServer(metadataService(user))
	defer service.Close()
	u := understand(t, "ec2", service.URL)
	if diff := cmp.Diff(slaveClaim, u.claims); diff != "" {
		t.Errorf("who is this (-want +got):\n%s", diff)
	}
	if len(u.Scripts) != 2 || u.Config.Hostname != "slave1" || len(u.Config.WriteFiles) != 5 || u.InstanceID != "i-0123" {
		t.Errorf("%+v", u)
	}
	checkNoSecrets(t, u.runDir)
}

// metadataService answers as EC2's does, version 2, for an instance with tags.
func metadataService(user []byte) http.Handler {
	answers := map[string]string{
		"meta-data/":                         "ami-id\nhostname\ninstance-id\ntags/",
		"meta-data/ami-id":                   "ami-1",
		"meta-data/hostname":                 "ip-10-0-0-11",
		"meta-data/instance-id":              "i-0123",
		"meta-data/tags/":                    "instance/",
		"meta-data/tags/instance/":           "Name\nforge.node\nforge.role",
		"meta-data/tags/instance/Name":       "the first slave",
		"meta-data/tags/instance/forge.node": "slave1",
		"meta-data/tags/instance/forge.role": "slave",
		"user-data":                          string(user),
		"dynamic/instance-identity/":         "document",
		"dynamic/instance-identity/document": `{"instanceId": "i-0123"}`,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			fmt.Fprint(w, "token")
			return
		}
		_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		answer, ok := answers[path]
		if !ok {
			answer, ok = answers[path+"/"]
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, answer)
	})
}
