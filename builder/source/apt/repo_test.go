package apt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/store"
)

// repo is a signed archive on loopback: one suite "test", one component "main".
type repo struct {
	dir     string
	keyring string
	key     *openpgp.Entity
	url     string

	mu       sync.Mutex
	hits     map[string]int
	override map[string]http.HandlerFunc // by path below the archive
}

// pkg is a package to make: its control fields beyond the required ones.
type pkg struct {
	name, version string
	extra         string // further control lines, each ending in a newline
}

func newRepo(t *testing.T, pkgs ...pkg) *repo {
	t.Helper()
	r := &repo{dir: t.TempDir(), hits: map[string]int{}, override: map[string]http.HandlerFunc{}}
	r.key = newKey(t)
	r.keyring = filepath.Join(r.dir, "keyring.gpg")
	r.writeKeyring(t, r.key)
	r.publish(t, pkgs...)
	srv := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/debian"
	return r
}

func (r *repo) serve(w http.ResponseWriter, req *http.Request) {
	path := strings.TrimPrefix(req.URL.Path, "/debian/")
	r.mu.Lock()
	r.hits[path]++
	h := r.override[path]
	r.mu.Unlock()
	if h != nil {
		h(w, req)
		return
	}
	http.ServeFile(w, req, filepath.Join(r.dir, filepath.FromSlash(path)))
}

func newKey(t *testing.T) *openpgp.Entity {
	t.Helper()
	key, err := openpgp.NewEntity("archive", "test", "archive@example.invalid", &packet.Config{RSABits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (r *repo) writeKeyring(t *testing.T, key *openpgp.Entity) {
	t.Helper()
	var b bytes.Buffer
	if err := key.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	write(t, r.keyring, b.Bytes())
}

// publish makes the packages, the index and the signed Release file.
func (r *repo) publish(t *testing.T, pkgs ...pkg) {
	t.Helper()
	var index bytes.Buffer
	for _, p := range pkgs {
		deb := makeDeb(t, p)
		name := "pool/main/" + strings.ReplaceAll(filepath.Base(deb), ":", "%3a")
		b := read(t, deb)
		write(t, filepath.Join(r.dir, name), b)
		control, err := exec.Command("dpkg-deb", "-f", deb).Output()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&index, "%sFilename: %s\nSize: %d\nSHA256: %x\n\n", control, name, len(b), sha256.Sum256(b))
	}
	r.sign(t, index.Bytes())
}

func (r *repo) sign(t *testing.T, index []byte) {
	t.Helper()
	const name = "main/binary-amd64/Packages"
	write(t, filepath.Join(r.dir, "dists/test", name), index)
	release := fmt.Sprintf("Origin: Debian\nLabel: Debian\nSuite: test\nCodename: test\nDate: Sat, 17 May 2025 09:06:14 UTC\n"+
		"Architectures: amd64\nComponents: main\nSHA256:\n %x %d %s\n", sha256.Sum256(index), len(index), name)
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, r.key.PrivateKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(release)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.dir, "dists/test/InRelease"), b.Bytes())
}

func makeDeb(t *testing.T, p pkg) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: Test <test@example.invalid>\n%sDescription: test\n", p.name, p.version, p.extra)
	write(t, filepath.Join(tree, "DEBIAN/control"), []byte(control))
	write(t, filepath.Join(tree, "usr/share", p.name), bytes.Repeat([]byte(p.name+p.version+"\n"), 2000))
	deb := filepath.Join(dir, p.name+"_"+p.version+"_amd64.deb")
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, out)
	}
	return deb
}

func (r *repo) archive() apt.Archive {
	return apt.Archive{Name: "debian", URI: r.url, Suites: []string{"test"}, Components: []string{"main"}, Keyring: r.keyring}
}

func (r *repo) mirror() apt.Mirror { return apt.Mirror{Main: r.url, Keyring: r.keyring} }

// snapshot updates into a new folder.
func (r *repo) snapshot(t *testing.T, c *apt.Client) *apt.Snapshot {
	t.Helper()
	s, err := c.Update(context.Background(), []apt.Archive{r.archive()}, "amd64", filepath.Join(t.TempDir(), "snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// client is a Client that the machine's own apt configuration has no part in.
func client(t *testing.T, config ...string) *apt.Client {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "apt.conf")
	text := "Dir::Etc::parts \"/dev/null\";\nDir::Etc::main \"/dev/null\";\nAcquire::Retries \"0\";\n" + strings.Join(config, "")
	write(t, conf, []byte(text))
	return &apt.Client{Temp: t.TempDir(), Env: []string{"APT_CONFIG=" + conf}}
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
