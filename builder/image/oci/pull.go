package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/event"
)

// ImageName is the folder of an image where Pull puts it, as in the output folder.
const ImageName = "image"

// maxLayers bounds the layers of an image; Linux can't mount more over each other.
const maxLayers = 500

// Pulled is what Pull fetched.
type Pulled struct {
	Ref      string   `json:"reference"` // with the digest
	Kind     string   `json:"kind"`      // image or disk
	Path     string   `json:"path"`
	Size     int64    `json:"size"` // of what a registry holds of it, in bytes
	StandIns []string `json:"standins,omitempty"`
	Existed  bool     `json:"existed"` // it was there, nothing was fetched
}

// PullOptions say how an image or a disk is fetched.
type PullOptions struct {
	RemoteOptions
	Events event.Sink // nil drops them
}

// Pull fetches an image into the layout dir/image, or a disk into dir/disk.qcow2: whole, with the digests that
// the registry promised, or not at all. Another image or disk there is an error, fs.ErrExist.
//
// What a pull that was interrupted has fetched stays in a hidden folder, and the next pull of the same
// goes on from there.
func Pull(ctx context.Context, ref, dir string, o PullOptions) (Pulled, error) {
	source, err := o.parse(ref)
	if err != nil {
		return Pulled{}, err
	}
	got, err := pull(ctx, source, dir, o)
	if err != nil {
		return Pulled{}, registryError("pull", source, err)
	}
	return got, nil
}

func pull(ctx context.Context, source name.Reference, dir string, o PullOptions) (Pulled, error) {
	r, err := o.repository(ctx, source, pullScope)
	if err != nil {
		return Pulled{}, err
	}
	raw, found, err := r.manifest(ctx, source)
	if err != nil {
		return Pulled{}, err
	}
	w, err := wanted(raw, found)
	if err != nil {
		return Pulled{}, err
	}
	w.Ref, w.Path = source.Context().Digest(found.Digest.String()).String(), filepath.Join(dir, w.name())
	if w.Existed, err = w.there(); err != nil || w.Existed {
		return w.Pulled, err
	}
	work, err := openWork(dir, found.Digest)
	if err != nil {
		return Pulled{}, err
	}
	err = w.fetch(ctx, r, work, o)
	return w.Pulled, errors.Join(err, work.close(err))
}

// pulling is what is to be fetched.
type pulling struct {
	Pulled
	raw      []byte // the manifest
	digest   v1.Hash
	manifest *v1.Manifest
	blobs    []v1.Descriptor
}

// wanted reads a manifest. It refuses what is neither image nor disk.
func wanted(raw []byte, found v1.Descriptor) (*pulling, error) {
	if found.MediaType != types.OCIManifestSchema1 {
		return nil, fmt.Errorf("it is a %q; forge pulls what forge push sends, OCI images and disks", found.MediaType)
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	p := &pulling{raw: raw, digest: found.Digest, manifest: m}
	switch {
	case m.ArtifactType == DiskType && len(m.Layers) == 1:
		p.Kind, p.blobs = "disk", m.Layers
	case m.ArtifactType == "" && m.Config.MediaType == types.OCIConfigJSON && len(m.Layers) > 0 && len(m.Layers) <= maxLayers:
		p.Kind, p.blobs = "image", append([]v1.Descriptor{m.Config}, m.Layers...)
	default:
		return nil, fmt.Errorf("it is neither an image nor a disk (artifact type %q, config %q, %d layers)", m.ArtifactType, m.Config.MediaType, len(m.Layers))
	}
	if names := m.Annotations[StandInsLabel]; names != "" {
		p.StandIns = strings.Split(names, ",")
	}
	for _, b := range p.blobs {
		if b.Digest.Algorithm != "sha256" || b.Size < 0 || p.Size+b.Size < p.Size {
			return nil, fmt.Errorf("manifest: a blob with the digest %s and %d bytes", b.Digest, b.Size)
		}
		p.Size += b.Size
	}
	slices.SortFunc(p.blobs, func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.Hex, b.Digest.Hex) })
	p.blobs = slices.CompactFunc(p.blobs, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })
	return p, nil
}

func (p *pulling) name() string {
	if p.Kind == "disk" {
		return DiskName
	}
	return ImageName
}

// there tells whether the target has it already.
func (p *pulling) there() (bool, error) {
	if _, err := os.Lstat(p.Path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var have string
	var err error
	if p.Kind == "disk" {
		var layer fileLayer
		layer, err = Disk{Path: p.Path}.layer()
		have = layer.digest.String()
		if err == nil && layer.digest == p.blobs[0].Digest {
			return true, nil
		}
	} else if have, err = intact(p.Path); err == nil && have == p.digest.String() {
		return true, nil
	}
	if err == nil {
		err = fmt.Errorf("its digest is %s", have)
	}
	return false, fmt.Errorf("%s is something else: %w: %w; remove it, or name another folder with --to", p.Path, err, fs.ErrExist)
}

// intact reads all blobs of a layout and returns its image's digest. Unlike Validate it uncompresses nothing.
func intact(dir string) (string, error) {
	found, err := open(dir)
	if err != nil {
		return "", err
	}
	if err := errors.Join(verifyHead(found), checkFiles(dir, found.image)); err != nil {
		return "", err
	}
	m, err := found.image.Manifest()
	if err != nil {
		return "", err
	}
	for _, layer := range m.Layers {
		f, err := os.Open(filepath.Join(dir, spec.ImageBlobsDir, layer.Digest.Algorithm, layer.Digest.Hex))
		if err != nil {
			return "", err
		}
		digest, _, err := v1.SHA256(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", err
		}
		if digest != layer.Digest {
			return "", fmt.Errorf("%w: layer %s is %s", ErrDamaged, layer.Digest, digest)
		}
	}
	return found.digest.String(), nil
}

// fetch gets the blobs into the working folder, and gives them their place.
func (p *pulling) fetch(ctx context.Context, r *repository, w *work, o PullOptions) error {
	if err := w.room(p.blobs); err != nil {
		return err
	}
	report := newProgress(o.Events, "pull", p.Size)
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(o.jobs())
	for _, b := range p.blobs {
		group.Go(func() error {
			if err := (download{r, w.blob(b.Digest), b.Digest, b.Size, report}).run(within); err != nil {
				return fmt.Errorf("blob %s: %w", b.Digest, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if p.Kind == "disk" {
		return errors.Join(os.Rename(w.blob(p.blobs[0].Digest), p.Path), syncPath(filepath.Dir(p.Path)))
	}
	if err := p.layout(w); err != nil {
		return err
	}
	return errors.Join(os.Rename(w.layout(), p.Path), syncPath(filepath.Dir(p.Path)))
}

// layout makes the working folder an image layout, the same that was pushed.
func (p *pulling) layout(w *work) error {
	if err := writeSynced(w.blob(p.digest), p.raw); err != nil {
		return err
	}
	var config struct {
		Architecture string `json:"architecture"`
		Config       struct {
			Labels map[string]string `json:"Labels"`
		} `json:"config"`
	}
	if err := readJSON(w.blob(p.manifest.Config.Digest), &config); err != nil {
		return err
	}
	index := Config{Ref: config.Config.Labels[RoleLabel], Arch: config.Architecture}.index(
		v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: p.digest, Size: int64(len(p.raw))})
	for name, value := range map[string]any{spec.ImageLayoutFile: spec.ImageLayout{Version: spec.ImageLayoutVersion}, spec.ImageIndexFile: index} {
		content, err := encode(value)
		if err != nil {
			return err
		}
		if err := writeSynced(filepath.Join(w.layout(), name), content); err != nil {
			return err
		}
	}
	if err := w.keepOnly(append(p.blobs, v1.Descriptor{Digest: p.digest})); err != nil {
		return err
	}
	if _, err := open(w.layout()); err != nil {
		return err
	}
	return errors.Join(syncPath(filepath.Dir(w.blob(p.digest))), syncPath(w.layout()))
}
