package node

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/event"
)

// keepingSecrets is a machine whose mesos-slave has a file with two passwords.
func keepingSecrets(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	var c Component
	const manifest = "/usr/share/forge/components/mesos.json"
	if err := json.Unmarshal([]byte(m.read(manifest)), &c); err != nil {
		t.Fatal(err)
	}
	c.Secrets = []Secret{{Name: "own"}, {Name: "common", Shared: true}}
	c.Files = append(c.Files, File{Path: "/etc/passwords", Format: FormatProperties, When: []string{"mesos-slave"},
		Settings: map[string]string{"own": `{{ secret "own" }}`, "common": `{{ secret "common" }}`}})
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	m.write(manifest, string(data))
	return m
}

// TestApplyWritesSecretsToTheirFileAlone looks for them in everything else that the node writes and says.
func TestApplyWritesSecretsToTheirFileAlone(t *testing.T) {
	m := keepingSecrets(t)
	putSecret(t, m.Node, "common", "hunter2\n", 0o600)
	if r, err := m.Resolve(); err != nil || strings.Contains(r.Rendering.View().String(), "hunter2") {
		t.Fatalf("before: %v", err)
	}
	if _, err := os.Stat(m.path(SecretsDir + "/own")); !os.IsNotExist(err) {
		t.Fatalf("looking made a secret: %v", err)
	}
	m.mustApply()
	own := strings.TrimSpace(m.read(SecretsDir + "/own"))
	if got := m.read("/etc/passwords"); len(own) != secretLength || got != "# "+header+"\ncommon=hunter2\nown="+own+"\n" {
		t.Errorf("%q", got)
	}
	if info, err := os.Stat(m.path("/etc/passwords")); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	status := m.Status(t.Context())
	if len(status.Warnings) > 0 {
		t.Errorf("warnings: %q", status.Warnings)
	}
	asJSON, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"status": status.Describe(), "status as JSON": string(asJSON)}
	err = filepath.WalkDir(m.Root, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, m.Root)
		if err != nil || !d.Type().IsRegular() || name == "/etc/passwords" || strings.HasPrefix(name, SecretsDir) {
			return err
		}
		data, err := os.ReadFile(path)
		texts[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range texts {
		if strings.Contains(text, "hunter2") || strings.Contains(text, own) {
			t.Errorf("%s holds a secret", where)
		}
	}
	passwords := m.read("/etc/passwords")
	m.write("/etc/passwords", strings.Replace(passwords, "common=", "comon=", 1))
	if w := m.Status(t.Context()).Warnings; len(w) != 1 || w[0] != "not as the inventory says: /etc/passwords; run forge-node apply" {
		t.Errorf("a key changed by hand: warnings %q", w)
	}
	m.write("/etc/passwords", passwords)
	before := m.tree()
	m.mustApply()
	if after := m.tree(); strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Error("a second run changed something")
	}
	// A secret that the seed changes reaches the service.
	m.sup.calls = nil
	putSecret(t, m.Node, "common", "hunter3\n", 0o600)
	m.mustApply()
	if strings.Join(m.sup.calls, "; ") != "restart mesos-slave" || !strings.Contains(m.read("/etc/passwords"), "hunter3") {
		t.Errorf("calls %q", m.sup.calls)
	}
}

func TestApplyWithoutASharedSecret(t *testing.T) {
	m := keepingSecrets(t)
	_, err := m.Apply(t.Context(), event.Discard)
	if err == nil || !strings.Contains(err.Error(), "the secret common, which all nodes share, is not there") {
		t.Errorf("error %v", err)
	}
}
