package oci

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Labels of forge's own.
const (
	RoleLabel     = "io.github.mesos-forge.role"
	StackLabel    = "io.github.mesos-forge.stack"
	StandInsLabel = "io.github.mesos-forge.standins" // names, joined by commas; absent: none
)

// Config is what an image says about itself, and how it starts.
type Config struct {
	Role    string    // RoleLabel and the annotation ...image.title
	Ref     string    // the layout's name for the image (org.opencontainers.image.ref.name); default "latest"
	Created time.Time // cut to seconds, UTC
	Arch    string    // GOARCH; default "amd64"

	Labels      map[string]string // in the config: what engines and "docker inspect" show
	Annotations map[string]string // on the manifest: what registries show
	StandIns    []string          // names of the stand-ins in the image

	Env          []string // NAME=value
	Entrypoint   []string
	Cmd          []string
	ExposedPorts []string // "50075/tcp"
	Volumes      []string // absolute paths
	WorkingDir   string
	User         string
	StopSignal   string // "SIGTERM"
}

func (c Config) check() error {
	switch {
	case c.Role == "":
		return fmt.Errorf("image configuration: Role is empty")
	case c.Created.IsZero():
		return fmt.Errorf("image configuration of %s: Created is not set", c.Role)
	}
	for _, port := range c.ExposedPorts {
		if number, proto, ok := strings.Cut(port, "/"); !ok || number == "" || proto != "tcp" && proto != "udp" {
			return fmt.Errorf("image configuration of %s: port %q is not like 50075/tcp", c.Role, port)
		}
	}
	for _, env := range c.Env {
		if name, _, ok := strings.Cut(env, "="); !ok || name == "" {
			return fmt.Errorf("image configuration of %s: environment %q is not like NAME=value", c.Role, env)
		}
	}
	return nil
}

// said returns extra with what every image says about itself; extra wins.
func (c Config) said(extra map[string]string) map[string]string {
	all := map[string]string{
		spec.AnnotationTitle:   c.Role,
		spec.AnnotationCreated: c.Created.UTC().Format(time.RFC3339),
		RoleLabel:              c.Role,
	}
	maps.Copy(all, extra)
	writeStandIns(all, c.StandIns) // which alone decides: Push relies on it
	return all
}

// writeStandIns has labels or annotations name these stand-ins and no others.
func writeStandIns(all map[string]string, names []string) {
	delete(all, StandInsLabel)
	if len(names) > 0 {
		all[StandInsLabel] = strings.Join(slices.Sorted(slices.Values(names)), ",")
	}
}

func (c Config) arch() string {
	if c.Arch == "" {
		return "amd64"
	}
	return c.Arch
}

// configFile builds the image configuration (image-spec, config.md).
func (c Config) configFile(layers []LayerFile) (*v1.ConfigFile, error) {
	created := v1.Time{Time: c.Created.UTC().Truncate(time.Second)}
	file := &v1.ConfigFile{
		Architecture: c.arch(), OS: "linux", Created: created,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd, WorkingDir: c.WorkingDir, User: c.User,
			StopSignal: c.StopSignal, Labels: c.said(c.Labels), ExposedPorts: set(c.ExposedPorts), Volumes: set(c.Volumes),
		},
	}
	for _, layer := range layers {
		diffID, err := v1.NewHash(layer.DiffID)
		if err != nil {
			return nil, fmt.Errorf("layer %s: diff id: %w", layer.Path, err)
		}
		file.RootFS.DiffIDs = append(file.RootFS.DiffIDs, diffID)
		file.History = append(file.History, v1.History{Created: created, CreatedBy: layer.History})
	}
	return file, nil
}

// manifest builds the image manifest (image-spec, manifest.md).
func (c Config) manifest(config v1.Descriptor, layers []LayerFile) (*v1.Manifest, error) {
	m := &v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Annotations: c.said(c.Annotations),
	}
	for _, layer := range layers {
		digest, err := v1.NewHash(layer.Digest)
		if err != nil {
			return nil, fmt.Errorf("layer %s: digest: %w", layer.Path, err)
		}
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: types.OCILayer, Digest: digest, Size: layer.Size})
	}
	return m, nil
}

// index builds the layout's only index (image-spec, image-layout.md).
func (c Config) index(manifest v1.Descriptor) *v1.IndexManifest {
	ref := c.Ref
	if ref == "" {
		ref = "latest"
	}
	manifest.Platform = &v1.Platform{OS: "linux", Architecture: c.arch()}
	manifest.Annotations = map[string]string{spec.AnnotationRefName: ref}
	return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{manifest}}
}

func set(names []string) map[string]struct{} {
	if len(names) == 0 {
		return nil
	}
	s := map[string]struct{}{}
	for _, name := range names {
		s[name] = struct{}{}
	}
	return s
}

// encode writes JSON with sorted keys and a final newline.
func encode(value any) ([]byte, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return append(content, '\n'), nil
}
