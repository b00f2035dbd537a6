package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/publish/sign"
	"github.com/mesos-forge/forge/builder/store"
)

var epoch = time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) *sign.Key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	key, err := sign.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil)
	must(t, err)
	return key
}

// output is a small output folder as a build of the role slave leaves it.
type output struct {
	t      *testing.T
	dir    string
	digest string // of the image
	layer  string // path of its layer
}

const deb = "debs/x_1_all.deb"

// newOutput makes an output folder, signed if there is a key. content makes its image another one.
func newOutput(t *testing.T, key *sign.Key, content string) *output {
	t.Helper()
	o := &output{t: t, dir: t.TempDir()}
	o.image(content)
	o.write(deb, "a package")
	o.write(deb+builder.SBOMSuffix, "an SBOM")
	o.write("slave/disk.qcow2", "QFI\xfb "+content)
	o.write("slave/packages.json", `{"format":1,"packages":[{"name":"libc6","version":"2.36"}]}`)
	p := publish.Package{Name: "libc6", Version: "2.36", Architecture: "amd64", SHA256: strings.Repeat("a", 64), Licence: "MIT", Origin: publish.FromDebian}
	var sbom bytes.Buffer
	must(t, p.WriteSBOM(&sbom, epoch, nil))
	o.write("slave/sbom.spdx.json", sbom.String())
	// A registry keeps equal files of two images once: those that a test damages must not be another one's too.
	l := &lock.Lock{Format: lock.Format, Date: epoch.Add(time.Duration(len(content)) * time.Hour), Stack: "bookworm"}
	must(t, l.Write(o.path("slave/forge.lock")))
	var text bytes.Buffer
	must(t, provenance.Write(&text, provenance.Build{
		Parameters: provenance.Parameters{Stack: "bookworm", Role: "slave", Profile: "lab", Epoch: epoch}, Lock: l, LockDigest: o.sha256("slave/forge.lock"),
		Subjects:   []provenance.File{{Name: "slave/image", SHA256: strings.TrimPrefix(o.digest, "sha256:")}, o.file("slave/disk.qcow2"), o.file(deb)},
		Byproducts: []provenance.File{o.file(deb + builder.SBOMSuffix), o.file("slave/packages.json"), o.file("slave/sbom.spdx.json")},
	}))
	o.write("slave/"+builder.ProvenanceName, text.String())
	if key != nil {
		o.sign(key, text.Bytes())
	}
	o.sum()
	return o
}

func (o *output) image(content string) {
	o.t.Helper()
	tree := o.t.TempDir()
	must(o.t, os.WriteFile(filepath.Join(tree, "motd"), []byte(content), 0o644))
	f, err := os.Create(filepath.Join(o.t.TempDir(), "layer"))
	must(o.t, err)
	defer f.Close()
	info, err := oci.WriteLayer(o.t.Context(), tree, false, epoch, f)
	must(o.t, err)
	must(o.t, os.MkdirAll(o.path("slave"), 0o755))
	o.digest, err = oci.WriteLayout(o.path("slave/image"), []oci.LayerFile{info.File(f.Name(), "forge layer/base")},
		oci.Config{Role: "slave", Created: epoch, Labels: map[string]string{oci.StackLabel: "bookworm"}})
	must(o.t, err)
	o.layer = "slave/image/blobs/sha256/" + strings.TrimPrefix(info.Digest, "sha256:")
}

func (o *output) sign(key *sign.Key, statement []byte) {
	o.t.Helper()
	bundle, err := key.Statement(o.t.Context(), statement)
	must(o.t, err)
	o.write("slave/"+builder.BundleName, string(bundle))
}

func (o *output) path(name string) string { return filepath.Join(o.dir, name) }

func (o *output) write(name, content string) {
	o.t.Helper()
	must(o.t, os.MkdirAll(filepath.Dir(o.path(name)), 0o755))
	must(o.t, os.WriteFile(o.path(name), []byte(content), 0o644))
}

func (o *output) read(name string) []byte {
	o.t.Helper()
	text, err := os.ReadFile(o.path(name))
	must(o.t, err)
	return text
}

// flip changes one bit in the middle of a file.
func (o *output) flip(name string) { flip(o.t, o.path(name)) }

func flip(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	text[len(text)/2] ^= 1
	must(t, os.WriteFile(path, text, 0o644))
}

func (o *output) sha256(name string) string { return store.DigestOf(o.read(name)).Hex() }

func (o *output) file(name string) provenance.File {
	return provenance.File{Name: name, SHA256: o.sha256(name)}
}

// sum writes SHA256SUMS over what is there, as who changes a file would.
func (o *output) sum() {
	o.t.Helper()
	sums := map[string]store.Digest{}
	must(o.t, filepath.WalkDir(o.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == builder.SumsName || e.Name() == builder.BundleName {
			return err
		}
		rel, err := filepath.Rel(o.dir, path)
		sums[rel] = store.DigestOf(o.read(rel))
		return err
	}))
	var text bytes.Buffer
	must(o.t, publish.WriteSums(&text, sums))
	o.write(builder.SumsName, text.String())
}
