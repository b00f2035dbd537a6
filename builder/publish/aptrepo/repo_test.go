package aptrepo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// publisherEnv makes the test binary publish what the JSON in it says.
const publisherEnv = "APTREPO_TEST_PUBLISH"

// job is what such a process does.
type job struct {
	Spec Spec
	Key  []byte
	Debs [][]string // one publication after the other
}

func TestMain(m *testing.M) {
	sandbox.Init()
	if text := os.Getenv(publisherEnv); text != "" {
		if err := runJob(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing(t, err.Error())
		}
	}
}

var epoch = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// keyText makes a private key, armored.
func keyText(t *testing.T, name string, config *packet.Config) []byte {
	t.Helper()
	if config == nil {
		config = &packet.Config{}
	}
	if config.Time == nil {
		config.Time = func() time.Time { return epoch.AddDate(-1, 0, 0) }
	}
	if config.Algorithm == 0 {
		config.Algorithm = packet.PubKeyAlgoEdDSA
	}
	e, err := openpgp.NewEntity(name, "", "test@forge.invalid", config)
	if err != nil {
		t.Fatal(err)
	}
	return armored(t, openpgp.PrivateKeyType, func(w *bytes.Buffer) error { return e.SerializePrivateWithoutSigning(w, nil) })
}

func armored(t *testing.T, kind string, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var raw, out bytes.Buffer
	if err := write(&raw); err != nil {
		t.Fatal(err)
	}
	w, err := armor.Encode(&out, kind, nil)
	if err == nil {
		_, err = w.Write(raw.Bytes())
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readKey(t *testing.T, text []byte) *Key {
	t.Helper()
	k, err := ReadKey(text, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// makeDeb makes a package with one file and returns its path.
func makeDeb(t *testing.T, name, version, arch, content string) string {
	t.Helper()
	info := nfpm.WithDefaults(&nfpm.Info{Name: name, Version: version, VersionSchema: "none", Arch: arch, Platform: "linux", Maintainer: "Test <t@forge.invalid>",
		Description: "a test\nwith a longer text", MTime: epoch,
		Overridables: nfpm.Overridables{Contents: files.Contents{{Destination: "/usr/share/" + name + "/file", Type: files.TypeFile,
			Source: writeTemp(t, content), FileInfo: &files.ContentFileInfo{Mode: 0o644, MTime: epoch}}}}})
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), strings.ReplaceAll(name+"_"+version+"_"+arch, ":", "%")+".deb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := deb.Default.Package(info, f); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeTemp(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// repo is a repository of a test.
type repo struct {
	t    *testing.T
	spec Spec
	key  []byte
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	need(t, "apt-ftparchive", "apt-get", "gpgv")
	key := keyText(t, "One", nil)
	return &repo{t: t, key: key, spec: Spec{Dir: filepath.Join(t.TempDir(), "apt"), Keys: []*Key{readKey(t, key)}, Suite: "bookworm", Codename: "bookworm",
		Origin: "Forge", Label: "Forge", Description: "Test packages", Architectures: []string{"amd64"}, Date: epoch, Now: time.Now()}}
}

func (r *repo) publish(debs ...string) (*Result, error) {
	s := r.spec
	s.Debs, s.Now = debs, time.Now()
	return Publish(r.t.Context(), s)
}

func (r *repo) must(debs ...string) *Result {
	r.t.Helper()
	res, err := r.publish(debs...)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// refused expects that nothing is published and nothing is left behind, and returns the message.
func (r *repo) refused(want string, debs ...string) error {
	r.t.Helper()
	before := r.listing()
	_, err := r.publish(debs...)
	if err == nil || !strings.Contains(err.Error(), want) {
		r.t.Errorf("error %v; want %q", err, want)
	}
	if after := r.listing(); before != "" && after != before {
		r.t.Errorf("a refused publication changed the repository from\n%s\nto\n%s", before, after)
	}
	return err
}

// listing is all files with their sizes; "" when there is no repository.
func (r *repo) listing() string {
	r.t.Helper()
	if _, err := os.Stat(r.spec.Dir); err != nil {
		return ""
	}
	out, err := exec.Command("find", r.spec.Dir, "(", "-type", "f", "-o", "-type", "l", ")", "-printf", "%P %s %l\n").Output()
	if err != nil {
		r.t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (r *repo) path(name string) string {
	return filepath.Join(r.spec.Dir, "dists", r.spec.Suite, name)
}

func (r *repo) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// gpgv checks both signatures with the key that lies beside them.
func (r *repo) gpgv() {
	r.t.Helper()
	keyring := filepath.Join(r.t.TempDir(), "keyring.gpg")
	if out, err := exec.Command("gpg", "--batch", "--yes", "--homedir", r.t.TempDir(), "--output", keyring, "--dearmor", r.path(keyFile)).CombinedOutput(); err != nil {
		r.t.Fatalf("gpg --dearmor: %v: %s", err, out)
	}
	for _, args := range [][]string{{r.path("InRelease")}, {r.path("Release.gpg"), r.path("Release")}} {
		if out, err := exec.Command("gpgv", append([]string{"--keyring", keyring}, args...)...).CombinedOutput(); err != nil {
			r.t.Errorf("gpgv %v: %v\n%s", args, err, out)
		}
	}
}

// serve makes the repository readable by http on the loopback.
func (r *repo) serve() string {
	server := httptest.NewServer(http.FileServer(http.Dir(r.spec.Dir)))
	r.t.Cleanup(server.Close)
	return server.URL
}

// job is what a process of this test binary publishes, one publication for each list of packages.
func (r *repo) job(debs ...[]string) string {
	r.t.Helper()
	s := r.spec
	s.Keys = nil
	text, err := json.Marshal(job{Spec: s, Key: r.key, Debs: debs})
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// process returns a command that does that.
func (r *repo) process(debs ...[]string) *exec.Cmd {
	r.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), publisherEnv+"="+r.job(debs...))
	return cmd
}

func runJob(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	k, err := ReadKey(j.Key, nil, time.Now())
	if err != nil {
		return err
	}
	j.Spec.Keys = []*Key{k}
	for _, debs := range j.Debs {
		j.Spec.Debs, j.Spec.Now = debs, time.Now()
		if _, err := Publish(context.Background(), j.Spec); err != nil {
			return err
		}
	}
	return nil
}
