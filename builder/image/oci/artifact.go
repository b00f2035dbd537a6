package oci

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"mime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxArtifact bounds the content of an Artifact, in bytes.
const MaxArtifact = 64 << 20

// maxManifest bounds a manifest or an index of a registry, in bytes.
const maxManifest = 4 << 20

// Artifact is a document about an image, such as its SBOM: the registry keeps it beside the image.
type Artifact struct {
	Type        string            // artifactType, by which it is found: "application/spdx+json"
	MediaType   string            // of the content; default Type
	Content     []byte            // at most MaxArtifact
	Annotations map[string]string // of the manifest, shown by Referrers; a time in them is the caller's
}

func (a Artifact) check() error {
	if kind, _, err := mime.ParseMediaType(a.Type); err != nil || kind == "" {
		return fmt.Errorf("artifact type %q is no media type", a.Type)
	}
	if len(a.Content) == 0 || len(a.Content) > MaxArtifact {
		return fmt.Errorf("an artifact has 1 to %d bytes, this one %d", MaxArtifact, len(a.Content))
	}
	return nil
}

// manifest describes the artifact: equal content, type, annotations and subject have equal bytes.
//
// Source: image-spec 1.1, manifest.md, "Guidelines for Artifact Usage".
func (a Artifact) manifest(subject v1.Descriptor) ([]byte, error) {
	digest, size, err := v1.SHA256(bytes.NewReader(a.Content))
	if err != nil {
		return nil, err
	}
	m := artifactManifest(a.Type, v1.Descriptor{MediaType: types.MediaType(a.mediaType()), Digest: digest, Size: size}, a.Annotations)
	m.Subject = &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	return encode(m)
}

// artifactManifest describes a file as an artifact: the config is the empty one.
func artifactManifest(kind string, layer v1.Descriptor, annotations map[string]string) v1.Manifest {
	return v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: kind,
		Config:      v1.Descriptor{MediaType: spec.MediaTypeEmptyJSON, Digest: emptyConfig(), Size: spec.DescriptorEmptyJSON.Size},
		Layers:      []v1.Descriptor{layer},
		Annotations: maps.Clone(annotations)}
}

func emptyConfig() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: spec.DescriptorEmptyJSON.Digest.Encoded()}
}

func (a Artifact) mediaType() string {
	if a.MediaType != "" {
		return a.MediaType
	}
	return a.Type
}

// Attach puts an artifact beside the image subject, "registry.example/cluster/slave:1" or with a digest, and
// returns the artifact's digest. A tag is followed once: the artifact belongs to the image that has it now.
// What is attached already is not attached again.
//
// Where the registry doesn't list artifacts by itself, the index under the fall-back tag does; any number of
// callers may attach to one image at the same time, and none is lost.
func Attach(ctx context.Context, subject string, a Artifact, o RemoteOptions) (digest string, err error) {
	ref, err := o.parse(subject)
	if err != nil {
		return "", err
	}
	if err := a.check(); err != nil {
		return "", fmt.Errorf("attach to %s: %w", ref, err)
	}
	r, err := o.repository(ctx, ref, pushScope)
	if err != nil {
		return "", registryError("attach to", ref, err)
	}
	_, image, err := r.manifest(ctx, ref)
	if err != nil {
		return "", registryError("attach to", ref, err)
	}
	manifest, err := a.manifest(image)
	if err != nil {
		return "", err
	}
	content, empty := static.NewLayer(a.Content, types.MediaType(a.mediaType())), static.NewLayer(spec.DescriptorEmptyJSON.Data, spec.MediaTypeEmptyJSON)
	if err := o.upload(ctx, ref.Context(), content, empty); err != nil {
		return "", registryError("attach to", ref, err)
	}
	added, err := r.putReferrer(ctx, image.Digest, manifest)
	if err != nil {
		return "", registryError("attach to", ref, err)
	}
	return added.String(), nil
}

// ReadArtifact fetches an artifact that Referrers has named. It is what its digest says, and not larger
// than MaxArtifact.
func ReadArtifact(ctx context.Context, ref string, o RemoteOptions) (Artifact, error) {
	parsed, err := o.parse(ref)
	if err != nil {
		return Artifact{}, err
	}
	a, err := o.readArtifact(ctx, parsed)
	if err != nil {
		return Artifact{}, registryError("read artifact", parsed, err)
	}
	return a, nil
}

func (o RemoteOptions) readArtifact(ctx context.Context, ref name.Reference) (Artifact, error) {
	r, err := o.repository(ctx, ref, pullScope)
	if err != nil {
		return Artifact{}, err
	}
	raw, _, err := r.manifest(ctx, ref)
	if err != nil {
		return Artifact{}, err
	}
	m, err := parseArtifact(raw)
	if err != nil {
		return Artifact{}, err
	}
	a := Artifact{Type: m.ArtifactType, MediaType: string(m.Layers[0].MediaType), Annotations: m.Annotations}
	return a, r.again(ctx, func() (err error) {
		a.Content, err = r.readBlob(ctx, m.Layers[0])
		return err
	})
}

// readBlob reads a small blob as a whole.
func (r *repository) readBlob(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	if d.Size < 0 || d.Size > MaxArtifact {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", d.Size, MaxArtifact)
	}
	stream, _, err := r.blob(ctx, d.Digest, 0)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	content, err := io.ReadAll(io.LimitReader(stream, d.Size+1))
	if err != nil {
		return nil, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(content))
	if err == nil && (digest != d.Digest || size != d.Size) {
		err = fmt.Errorf("%w: its content has the digest %s, the manifest says %s", ErrWrongDigest, digest, d.Digest)
	}
	return content, err
}

// parseArtifact reads the manifest of an artifact: a type and one layer.
func parseArtifact(raw []byte) (*v1.Manifest, error) {
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if m.MediaType != types.OCIManifestSchema1 || m.ArtifactType == "" || len(m.Layers) != 1 {
		return nil, fmt.Errorf("it is no artifact of one file (media type %q, artifact type %q, %d layers)", m.MediaType, m.ArtifactType, len(m.Layers))
	}
	return m, nil
}
