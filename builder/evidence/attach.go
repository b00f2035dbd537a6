package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/publish/sign"
	"github.com/mesos-forge/forge/builder/store"
)

// Types of what is attached to an image, and of statements about it.
const (
	LockType       = "application/vnd.mesos-forge.lock.v1+yaml"
	PredicateSPDX  = "https://spdx.dev/Document"           // in-toto attestation framework, predicates/spdx.md
	PredicateImage = "https://sigstore.dev/cosign/sign/v1" // what cosign verify looks for
	predicateKey   = "dev.sigstore.bundle.predicateType"   // annotations, as cosign writes them
	contentKey     = "dev.sigstore.bundle.content"
	titleKey       = "org.opencontainers.image.title" // image specification, annotations
)

// Attached is an artifact beside an image.
type Attached struct {
	Type      string `json:"type"`
	Digest    string `json:"digest"` // of its manifest
	Title     string `json:"title,omitempty"`
	Predicate string `json:"predicate,omitempty"` // of a statement
	KeyID     string `json:"key_id,omitempty"`    // that a bundle names
}

// Attach puts what tells about a role's image, or disk, of the folder out beside it in the registry: the SBOM, the lock, and the provenance, signed if there
// is a key. ref has its digest. What a build did not write (another forge's output) is left out, unless it is to be signed.
func Attach(ctx context.Context, out, role, ref string, key *sign.Key, o oci.RemoteOptions) ([]Attached, error) {
	files, err := readBeside(filepath.Join(out, role))
	if err != nil {
		return nil, err
	}
	info, err := oci.InspectRemote(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	text := files[builder.ProvenanceName]
	if text != nil {
		if err := checkProvenance(text, files, info.Result()); err != nil {
			return nil, fmt.Errorf("%s: %w; forge build makes all of it anew", filepath.Join(out, role), err)
		}
	} else if key != nil {
		return nil, fmt.Errorf("there is no %s to sign; forge build makes it", filepath.Join(out, role, builder.ProvenanceName))
	}
	var todo []oci.Artifact
	for _, a := range []oci.Artifact{{Type: publish.SPDX, Content: files[sbomName]}, {Type: LockType, Content: files[provenance.LockName]}} {
		a.Annotations = map[string]string{titleKey: map[string]string{publish.SPDX: sbomName, LockType: provenance.LockName}[a.Type]}
		todo = append(todo, a)
	}
	if key == nil {
		todo = append(todo, oci.Artifact{Type: sign.PayloadType, Content: text, Annotations: map[string]string{titleKey: builder.ProvenanceName, predicateKey: provenance.PredicateType}})
	} else {
		bundles, err := signAll(ctx, ref, info, files, key, o)
		if err != nil {
			return nil, err
		}
		todo = append(todo, bundles...)
	}
	return attachAll(ctx, ref, todo, o)
}

// checkProvenance sees that provenance is about the image or disk with a digest, and that lock and SBOM are those that it names.
func checkProvenance(text []byte, files map[string][]byte, digest string) error {
	p, err := provenance.Read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", builder.ProvenanceName, err)
	}
	if _, ok := p.Subject(hexOf(digest)); !ok {
		return fmt.Errorf("%w: %s says nothing of %s", ErrSubject, builder.ProvenanceName, digest)
	}
	for name, content := range files {
		if name != builder.ProvenanceName && !knows(p, p.Parameters.Role+"/"+name, store.DigestOf(content).Hex()) {
			return fmt.Errorf("%w: %s does not name %s as it is", ErrTampered, builder.ProvenanceName, name)
		}
	}
	return nil
}

const sbomName = "sbom.spdx.json"

// readBeside reads the files of a role's folder that are attached. Absent ones are left out.
func readBeside(dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, name := range []string{sbomName, provenance.LockName, builder.ProvenanceName} {
		text, err := readBounded(filepath.Join(dir, name), oci.MaxArtifact)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

func readBounded(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, max)
}

// readAll returns what name, which is open, holds: at most max bytes.
func readAll(f io.Reader, name string, max int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(text)) > max {
		err = fmt.Errorf("%s: more than %d bytes", name, max)
	}
	return text, err
}

func attachAll(ctx context.Context, ref string, todo []oci.Artifact, o oci.RemoteOptions) ([]Attached, error) {
	var done []Attached
	for _, a := range todo {
		if len(a.Content) == 0 {
			continue
		}
		digest, err := oci.Attach(ctx, ref, a, o)
		if err != nil {
			return done, err
		}
		done = append(done, describe(oci.Referrer{Type: a.Type, Digest: digest, Annotations: a.Annotations}))
	}
	return done, nil
}

func describe(r oci.Referrer) Attached {
	return Attached{Type: r.Type, Digest: r.Digest, Title: r.Annotations[titleKey], Predicate: r.Annotations[predicateKey]}
}

// signAll signs three statements about an image, or a disk: its provenance, its SBOM, and that it is the key owner's. A statement that the key signed
// before, and that is attached, is taken as it is: ECDSA would write another signature of it.
func signAll(ctx context.Context, ref string, info oci.Info, files map[string][]byte, key *sign.Key, o oci.RemoteOptions) ([]oci.Artifact, error) {
	there, err := readBundles(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	subject := []provenance.File{{Name: "image", SHA256: hexOf(info.Digest)}}
	if info.Disk != "" {
		subject = []provenance.File{{Name: "manifest", SHA256: hexOf(info.Digest)}, {Name: oci.DiskName, SHA256: hexOf(info.Disk)}}
	}
	statements := []struct {
		predicate string
		text      []byte
	}{{provenance.PredicateType, files[builder.ProvenanceName]}}
	for _, s := range []struct {
		predicate string
		about     any
	}{{PredicateSPDX, json.RawMessage(files[sbomName])}, {PredicateImage, struct{}{}}} {
		if raw, ok := s.about.(json.RawMessage); ok && len(raw) == 0 {
			continue
		}
		var text bytes.Buffer
		if err := provenance.WriteStatement(&text, s.predicate, subject, s.about); err != nil {
			return nil, err
		}
		statements = append(statements, struct {
			predicate string
			text      []byte
		}{s.predicate, text.Bytes()})
	}
	var out []oci.Artifact
	for _, s := range statements {
		bundle := there.by(ctx, key, s.text)
		if bundle == nil {
			if bundle, err = key.Statement(ctx, s.text); err != nil {
				return nil, err
			}
		}
		out = append(out, oci.Artifact{Type: sign.BundleType, Content: bundle, Annotations: map[string]string{contentKey: "dsse-envelope", predicateKey: s.predicate}})
	}
	return out, nil
}
