package oci

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Info is what an image, or a disk, says about itself.
type Info struct {
	Ref          string            `json:"ref,omitempty"`
	Digest       string            `json:"digest"`        // of the manifest
	ConfigDigest string            `json:"config_digest"` // the image's id in an engine
	Created      time.Time         `json:"created"`
	OS           string            `json:"os"`
	Arch         string            `json:"arch"`
	Role         string            `json:"role,omitempty"`
	StandIns     []string          `json:"standins,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Layers       []LayerSummary    `json:"layers"`
	Size         int64             `json:"size"`           // of all layers, compressed, in bytes
	Disk         string            `json:"disk,omitempty"` // digest of the file, where it is a disk and no image
}

// Result is the digest by which a build knows what was pushed: that of the image's manifest, or of the disk's file.
func (i Info) Result() string { return cmp.Or(i.Disk, i.Digest) }

// LayerSummary is one layer of an Info, lowest first.
type LayerSummary struct {
	Digest  string `json:"digest"`
	DiffID  string `json:"diff_id"`
	Size    int64  `json:"size"` // compressed, in bytes
	History string `json:"history,omitempty"`
}

// IsLayout tells whether an OCI image layout lies at dir.
func IsLayout(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, spec.ImageLayoutFile))
	return err == nil
}

// InspectLayout describes the image of a layout without reading its layers.
func InspectLayout(dir string) (Info, error) {
	o, err := open(dir)
	if err != nil {
		return Info{}, err
	}
	if err := verifyHead(o); err != nil {
		return Info{}, fmt.Errorf("image layout %s: %w", dir, err)
	}
	info, err := describe(o.image)
	if err != nil {
		return Info{}, fmt.Errorf("image layout %s: %w", dir, err)
	}
	info.Ref = o.ref
	return info, nil
}

// InspectRemote describes an image or a disk in a registry without fetching its layers.
func InspectRemote(ctx context.Context, ref string, o RemoteOptions) (Info, error) {
	name, err := o.parse(ref)
	if err != nil {
		return Info{}, err
	}
	image, err := remote.Image(name, o.options(ctx)...)
	if err != nil {
		return Info{}, registryError("inspect", name, err)
	}
	info, err := describe(image)
	if err != nil {
		return Info{}, registryError("inspect", name, err)
	}
	info.Ref = name.String()
	return info, nil
}

func describe(image v1.Image) (Info, error) {
	digest, err := image.Digest()
	if err != nil {
		return Info{}, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return Info{}, err
	}
	switch manifest.ArtifactType {
	case "":
	case DiskType:
		return describeDisk(digest, manifest)
	default:
		return Info{}, fmt.Errorf("it is neither an image nor a disk of forge but an artifact of the type %q", manifest.ArtifactType)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return Info{}, err
	}
	if len(config.RootFS.DiffIDs) != len(manifest.Layers) {
		return Info{}, fmt.Errorf("%w: %d layers, but the config knows %d", ErrDamaged, len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	info := Info{
		Digest: digest.String(), ConfigDigest: manifest.Config.Digest.String(), Created: config.Created.UTC(),
		OS: config.OS, Arch: config.Architecture, Role: config.Config.Labels[RoleLabel],
		StandIns: standIns(config.Config.Labels), Labels: config.Config.Labels, Annotations: manifest.Annotations,
	}
	var made []string // history entries that made a layer
	for _, h := range config.History {
		if !h.EmptyLayer {
			made = append(made, h.CreatedBy)
		}
	}
	for i, layer := range manifest.Layers {
		summary := LayerSummary{Digest: layer.Digest.String(), DiffID: config.RootFS.DiffIDs[i].String(), Size: layer.Size}
		if i < len(made) {
			summary.History = made[i]
		}
		info.Layers = append(info.Layers, summary)
		info.Size += layer.Size
	}
	return info, nil
}

// describeDisk takes from the annotations what an image has in its labels.
func describeDisk(digest v1.Hash, m *v1.Manifest) (Info, error) {
	if len(m.Layers) != 1 || m.Layers[0].MediaType != DiskType {
		return Info{}, fmt.Errorf("%w: a disk is one file of the type %s, this has %d", ErrDamaged, DiskType, len(m.Layers))
	}
	file := m.Layers[0]
	info := Info{Digest: digest.String(), ConfigDigest: m.Config.Digest.String(), Role: m.Annotations[RoleLabel], StandIns: standIns(m.Annotations),
		Labels: m.Annotations, Annotations: m.Annotations, Size: file.Size, Disk: file.Digest.String(),
		Layers: []LayerSummary{{Digest: file.Digest.String(), DiffID: file.Digest.String(), Size: file.Size, History: DiskName}}}
	if created, err := time.Parse(time.RFC3339, m.Annotations[spec.AnnotationCreated]); err == nil {
		info.Created = created.UTC()
	}
	return info, nil
}

func standIns(labels map[string]string) []string {
	label := labels[StandInsLabel]
	if label == "" {
		return nil
	}
	return strings.Split(label, ",")
}
