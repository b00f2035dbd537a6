package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/mesos-forge/forge/builder/image/oci"
)

// placeImage makes a role's image in an output folder, and returns its digest.
func placeImage(t *testing.T, out, role string, standIns ...string) string {
	t.Helper()
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "motd"), []byte(role), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "layer"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	epoch := time.Unix(1700000000, 0)
	info, err := oci.WriteLayer(t.Context(), tree, false, epoch, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(out, role), 0o755); err != nil {
		t.Fatal(err)
	}
	digest, err := oci.WriteLayout(filepath.Join(out, role, "image"), []oci.LayerFile{info.File(f.Name(), "test")},
		oci.Config{Role: role, Created: epoch, StandIns: standIns})
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestPushCommand(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	out := t.TempDir()
	push := func(args ...string) (string, error) {
		return command(t, append([]string{"push", "--out", out, "--quiet"}, args...)...)
	}

	if _, err := push(host + "/cluster/slave:1"); err == nil || !strings.Contains(err.Error(), "forge build makes one") {
		t.Errorf("nothing built: error %v", err)
	}
	slave := placeImage(t, out, "slave", "mesos")
	got, err := push(host + "/cluster/slave:1")
	if err == nil || got != "" || !strings.Contains(err.Error(), "(mesos)") || !strings.Contains(err.Error(), "--allow-standins") {
		t.Errorf("with a stand-in: %q, error %v; want it refused, by name, with the flag", got, err)
	}
	if got, err = push(host+"/cluster/slave:1", "--allow-standins"); err != nil || got != host+"/cluster/slave@"+slave+"\n" {
		t.Errorf("the only role = %q, %v; want the reference with digest %s", got, err, slave)
	}
	master := placeImage(t, out, "master")
	if _, err := push(host + "/cluster/x:1"); err == nil || !strings.Contains(err.Error(), "master, slave: name one with --role") {
		t.Errorf("two roles: error %v", err)
	}
	got, err = push(host+"/cluster/master:1", "--role", "master", "--output", "json", "--jobs", "1", "--insecure")
	var res struct{ Role, Reference string }
	if jsonErr := json.Unmarshal([]byte(got), &res); err != nil || jsonErr != nil || res.Role != "master" || res.Reference != host+"/cluster/master@"+master {
		t.Errorf("--output json = %q, %v; want master@%s", got, err, master)
	}
	for _, ref := range []string{host + "/cluster/slave:1", host + "/cluster/master@" + master} {
		if _, err := oci.InspectRemote(t.Context(), ref, oci.RemoteOptions{}); err != nil {
			t.Errorf("%s is not in the registry: %v", ref, err)
		}
	}
	if got, err = push(host+"/a:1", host+"/a:2", host+"/b:1", "--role", "master"); err != nil || got != host+"/a@"+master+"\n"+host+"/b@"+master+"\n" {
		t.Errorf("three references = %q, %v; want two with the digest", got, err)
	}
	if _, err := push(); err == nil || !strings.Contains(err.Error(), "push needs a reference") {
		t.Errorf("no reference: error %v", err)
	}
	if _, err := push(host+"/d:1", "--role", "master", "--disk"); err == nil || !strings.Contains(err.Error(), `"forge build --role master" makes one`) {
		t.Errorf("no disk: error %v", err)
	}
	if _, err := push(host+"/d:1", "--role", "master", "--ca", "/dev/null"); err == nil || !strings.Contains(err.Error(), "/dev/null holds none in the PEM form") {
		t.Errorf("no certificates: error %v", err)
	}
	if _, err := push(host+"/cluster/absent:1", "--role", "absent"); err == nil || !strings.Contains(err.Error(), `"forge build" makes one`) {
		t.Errorf("a role that is not built: error %v", err)
	}
}

func TestPullCommand(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	out, to := t.TempDir(), t.TempDir()
	digest := placeImage(t, out, "slave", "mesos")
	if _, err := command(t, "push", host+"/slave:1", "--out", out, "--quiet", "--allow-standins"); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(to, "image") + " " + host + "/slave@" + digest
	for _, note := range []string{"", " (was there already)"} {
		if got, err := command(t, "pull", host+"/slave:1", "--to", to, "--quiet"); err != nil || got != want+note+" (with stand-ins: mesos)\n" {
			t.Errorf("pull = %q, %v; want %q", got, err, want+note)
		}
	}
	if got, err := oci.Validate(filepath.Join(to, "image")); err != nil || got != digest {
		t.Errorf("the image is %s, %v; want %s", got, err, digest)
	}
	for _, c := range []struct{ args, want string }{
		{"pull", "pull needs one reference"},
		{"pull " + host + "/slave:2 --to " + to, "check the name"},
		{"pull not@a@reference", "image reference"},
	} {
		if _, err := command(t, append(strings.Split(c.args, " "), "--quiet")...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("forge %s: error %v, want %q", c.args, err, c.want)
		}
	}
}

func TestLoadCommand(t *testing.T) {
	out := t.TempDir()
	load := func(args ...string) error {
		_, err := command(t, append([]string{"load", "--out", out, "--quiet", "--host", "unix://" + filepath.Join(out, "no.sock")}, args...)...)
		return err
	}
	placeImage(t, out, "slave")
	if err := load(); err == nil || !strings.Contains(err.Error(), `"apt-get install docker.io" and "systemctl start docker" give one`) {
		t.Errorf("no engine: error %v", err)
	}
	placeImage(t, out, "master")
	if err := load(); err == nil || !strings.Contains(err.Error(), "master, slave: name one with --role") {
		t.Errorf("two roles: error %v", err)
	}
}
