package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
)

// DiskType is the artifact type of a disk in a registry, and the media type of its only layer: the qcow2 file.
const DiskType = "application/vnd.forge.disk.qcow2"

// DiskName is what a disk is called where Pull puts it.
const DiskName = "disk.qcow2"

// Disk is a role's disk in the qcow2 format.
type Disk struct {
	Path        string
	Digest      string // "sha256:<64 hex>", what the file has to be; "" for whatever it is
	StandIns    []string
	Annotations map[string]string // of the manifest
}

// PushDisk sends a disk to a registry as an artifact, and returns the full reference with the digest. The
// file is read twice, and never in memory. Disks with stand-ins are refused as images are.
func PushDisk(ctx context.Context, d Disk, ref string, o PushOptions) (string, error) {
	target, err := o.parse(ref)
	if err != nil {
		return "", err
	}
	if err := refuseStandIns(d.StandIns, o.AllowStandins); err != nil {
		return "", fmt.Errorf("push %s to %s: %w", d.Path, target, err)
	}
	layer, err := d.layer()
	if err != nil {
		return "", fmt.Errorf("push %s to %s: %w", d.Path, target, err)
	}
	manifest, err := d.manifest(layer)
	if err != nil {
		return "", err
	}
	o.Transport = countUploads(o.Transport, o.Events, layer.size+spec.DescriptorEmptyJSON.Size)
	r, err := o.repository(ctx, target, pushScope)
	if err != nil {
		return "", registryError("push to", target, err)
	}
	if err := o.upload(ctx, target.Context(), static.NewLayer(spec.DescriptorEmptyJSON.Data, spec.MediaTypeEmptyJSON), layer); err != nil {
		return "", registryError("push to", target, err)
	}
	if _, err := r.put(ctx, target.Identifier(), types.OCIManifestSchema1, manifest); err != nil {
		return "", registryError("push to", target, err)
	}
	digest, _, err := v1.SHA256(bytes.NewReader(manifest))
	return target.Context().Digest(digest.String()).String(), err
}

func (d Disk) manifest(layer fileLayer) ([]byte, error) {
	said := maps.Clone(d.Annotations)
	if said == nil {
		said = map[string]string{}
	}
	said[spec.AnnotationTitle] = DiskName
	writeStandIns(said, d.StandIns)
	return encode(artifactManifest(DiskType, v1.Descriptor{MediaType: DiskType, Digest: layer.digest, Size: layer.size,
		Annotations: map[string]string{spec.AnnotationTitle: DiskName}}, said))
}

func (d Disk) layer() (fileLayer, error) {
	f, err := os.Open(d.Path)
	if err != nil {
		return fileLayer{}, err
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || string(magic[:]) != "QFI\xfb" { // qemu, docs/interop/qcow2.txt
		return fileLayer{}, errors.New("it is no qcow2 file")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fileLayer{}, err
	}
	digest, size, err := v1.SHA256(f)
	if err != nil {
		return fileLayer{}, err
	}
	if d.Digest != "" && d.Digest != digest.String() {
		return fileLayer{}, fmt.Errorf("it was changed since it was built: its digest is %s, it was %s; forge build makes it anew", digest, d.Digest)
	}
	return fileLayer{d.Path, digest, size}, nil
}

// fileLayer is a file as it is.
type fileLayer struct {
	path   string
	digest v1.Hash
	size   int64
}

func (l fileLayer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l fileLayer) DiffID() (v1.Hash, error)             { return l.digest, nil }
func (l fileLayer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l fileLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l fileLayer) Size() (int64, error)                 { return l.size, nil }
func (l fileLayer) MediaType() (types.MediaType, error)  { return DiskType, nil }
