package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// LayerFile is a layer that lies in a file, as WriteLayer wrote it.
type LayerFile struct {
	Path    string
	DiffID  string // of the uncompressed tar
	Digest  string // of the file
	Size    int64  // of the file, in bytes
	History string // what made it, one line: "forge rootfs/slave"
}

// File returns the layer as a LayerFile.
func (l LayerInfo) File(path, history string) LayerFile {
	return LayerFile{Path: path, DiffID: l.DiffID, Digest: l.Digest, Size: l.Size, History: history}
}

// WriteLayout makes an OCI image layout with one image in dir, which must be
// absent or empty, and returns the digest of the image's manifest. Layers come
// lowest first. Their files are copied, or share their blocks where the file
// system can do that (reflink): what is done to the layout does not reach them.
//
// On an error, what was made so far stays: the caller removes dir.
func WriteLayout(dir string, layers []LayerFile, cfg Config) (digest string, err error) {
	if err := cfg.check(); err != nil {
		return "", err
	}
	if len(layers) == 0 {
		return "", fmt.Errorf("image layout %s: an image needs at least one layer", dir)
	}
	l := layoutWriter{dir: dir}
	if err := l.start(); err != nil {
		return "", fmt.Errorf("image layout %s: %w", dir, err)
	}
	manifest, err := l.image(layers, cfg)
	if err != nil {
		return "", fmt.Errorf("image layout %s: %w", dir, err)
	}
	return manifest.Digest.String(), nil
}

type layoutWriter struct{ dir string }

func (l layoutWriter) start() error {
	names, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("the directory is not empty (%s): %w", names[0].Name(), fs.ErrExist)
	}
	return os.MkdirAll(filepath.Join(l.dir, spec.ImageBlobsDir, "sha256"), 0o755)
}

func (l layoutWriter) image(layers []LayerFile, cfg Config) (v1.Descriptor, error) {
	for _, layer := range layers {
		if err := l.layer(layer); err != nil {
			return v1.Descriptor{}, err
		}
	}
	file, err := cfg.configFile(layers)
	if err != nil {
		return v1.Descriptor{}, err
	}
	config, err := l.blob(file, types.OCIConfigJSON)
	if err != nil {
		return v1.Descriptor{}, err
	}
	m, err := cfg.manifest(config, layers)
	if err != nil {
		return v1.Descriptor{}, err
	}
	manifest, err := l.blob(m, types.OCIManifestSchema1)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if err := l.file(spec.ImageLayoutFile, spec.ImageLayout{Version: spec.ImageLayoutVersion}); err != nil {
		return v1.Descriptor{}, err
	}
	return manifest, l.file(spec.ImageIndexFile, cfg.index(manifest))
}

func (l layoutWriter) path(digest v1.Hash) string {
	return filepath.Join(l.dir, spec.ImageBlobsDir, digest.Algorithm, digest.Hex)
}

func (l layoutWriter) file(name string, value any) error {
	content, err := encode(value)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, name), content, 0o644)
}

// blob writes a value under its digest.
func (l layoutWriter) blob(value any, mediaType types.MediaType) (v1.Descriptor, error) {
	content, err := encode(value)
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, os.WriteFile(l.path(digest), content, 0o644)
}

// layer brings a layer's file into the layout.
func (l layoutWriter) layer(layer LayerFile) error {
	digest, err := v1.NewHash(layer.Digest)
	if err != nil || digest.Algorithm != "sha256" {
		return fmt.Errorf("layer %s: %q is no sha256 digest", layer.Path, layer.Digest)
	}
	info, err := os.Stat(layer.Path)
	if err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	if info.Size() != layer.Size {
		return fmt.Errorf("layer %s has %d bytes, expected %d (%s)", layer.Path, info.Size(), layer.Size, layer.Digest)
	}
	if err := copyFile(layer.Path, l.path(digest)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("layer %s: %w", layer.Path, err)
	}
	return nil
}

// copyFile makes target a reflink of source, else a copy; never a hard link, through
// which a change of the layout would damage the store that the layer comes from.
// A target that is there (one layer twice in an image) is fs.ErrExist.
func copyFile(source, target string) (err error) {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		return nil
	}
	_, err = io.Copy(out, in)
	return err
}
