package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ErrDamaged says that a layout is not what its digests say.
var ErrDamaged = errors.New("damaged image layout")

// maxIndex bounds index.json, which is read as a whole.
const maxIndex = 4 << 20

// opened is the image of a layout, its layers still in their files.
type opened struct {
	image  v1.Image
	digest v1.Hash
	ref    string
}

// open finds the only image of the layout dir.
func open(dir string) (*opened, error) {
	index, err := readIndex(dir)
	if err != nil {
		return nil, fmt.Errorf("image layout %s: %w", dir, err)
	}
	found := index.Manifests[0]
	path, err := layout.FromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("image layout %s: %w", dir, err)
	}
	image, err := path.Image(found.Digest)
	if err != nil {
		return nil, fmt.Errorf("image layout %s: %w", dir, err)
	}
	return &opened{image: image, digest: found.Digest, ref: found.Annotations[spec.AnnotationRefName]}, nil
}

func readIndex(dir string) (*v1.IndexManifest, error) {
	var version spec.ImageLayout
	if err := readJSON(filepath.Join(dir, spec.ImageLayoutFile), &version); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no image is there: %w; \"forge build\" makes one", err)
		}
		return nil, err
	}
	if version.Version != spec.ImageLayoutVersion {
		return nil, fmt.Errorf("%w: layout version %q, known is %s", ErrDamaged, version.Version, spec.ImageLayoutVersion)
	}
	var index v1.IndexManifest
	if err := readJSON(filepath.Join(dir, spec.ImageIndexFile), &index); err != nil {
		return nil, err
	}
	if len(index.Manifests) != 1 || index.Manifests[0].MediaType != types.OCIManifestSchema1 {
		return nil, fmt.Errorf("%w: index.json should name one OCI image, it names %d entries", ErrDamaged, len(index.Manifests))
	}
	return &index, nil
}

func readJSON(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return err
	}
	if len(content) > maxIndex {
		return fmt.Errorf("%w: %s is larger than %d bytes", ErrDamaged, filepath.Base(path), maxIndex)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, filepath.Base(path), err)
	}
	return nil
}

// size is what all blobs of the image have together, in bytes.
func (o *opened) size() (int64, error) {
	manifest, err := o.image.Manifest()
	if err != nil {
		return 0, err
	}
	total := manifest.Config.Size
	for _, layer := range manifest.Layers {
		total += layer.Size
	}
	return total, nil
}

// Validate reads the whole layout and compares every digest and size: of the
// manifest, the config, each layer as it is and uncompressed. Files that
// belong to no image are errors too. It returns the manifest's digest.
func Validate(layoutDir string) (digest string, err error) {
	o, err := open(layoutDir)
	if err != nil {
		return "", err
	}
	if err := verifyHead(o); err != nil {
		return "", fmt.Errorf("image layout %s: %w", layoutDir, err)
	}
	if err := validate.Image(o.image); err != nil {
		return "", fmt.Errorf("image layout %s: %w: %w", layoutDir, ErrDamaged, err)
	}
	if err := checkFiles(layoutDir, o.image); err != nil {
		return "", fmt.Errorf("image layout %s: %w: %w", layoutDir, ErrDamaged, err)
	}
	return o.digest.String(), nil
}

// verifyHead compares the manifest and the config with their digests: the
// library takes them for what the index and the manifest say.
func verifyHead(o *opened) error {
	digest, err := o.image.Digest()
	if err != nil {
		return fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if digest != o.digest {
		return fmt.Errorf("%w: the manifest's digest is %s, index.json says %s", ErrDamaged, digest, o.digest)
	}
	manifest, err := o.image.Manifest()
	if err != nil {
		return fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	raw, err := o.image.RawConfigFile()
	if err != nil {
		return fmt.Errorf("%w: config: %w", ErrDamaged, err)
	}
	config, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if config != manifest.Config.Digest {
		return fmt.Errorf("%w: the config's digest is %s, the manifest says %s", ErrDamaged, config, manifest.Config.Digest)
	}
	return nil
}

// checkFiles looks for blobs that nobody refers to.
func checkFiles(dir string, image v1.Image) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	known := map[string]bool{digest.Hex: true, manifest.Config.Digest.Hex: true}
	for _, layer := range manifest.Layers {
		known[layer.Digest.Hex] = true
	}
	blobs, err := os.ReadDir(filepath.Join(dir, spec.ImageBlobsDir, "sha256"))
	if err != nil {
		return err
	}
	for _, blob := range blobs {
		if !known[blob.Name()] {
			return fmt.Errorf("blob %s belongs to no image", blob.Name())
		}
	}
	return nil
}
