package oci

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Contents is an image that can be read: what it says about itself, how it starts, and its layers.
type Contents struct {
	Info   Info
	Config v1.Config // how it starts
	layers []v1.Layer
}

// OpenLayout opens the image of a layout.
func OpenLayout(dir string) (*Contents, error) {
	o, err := open(dir)
	if err != nil {
		return nil, err
	}
	if err := verifyHead(o); err != nil {
		return nil, fmt.Errorf("image layout %s: %w", dir, err)
	}
	c, err := contents(o.image)
	if err != nil {
		return nil, fmt.Errorf("image layout %s: %w", dir, err)
	}
	c.Info.Ref = o.ref
	return c, nil
}

// OpenRemote opens an image in a registry, for linux/amd64 where there are several. Layers are fetched when
// they are read, with ctx.
func OpenRemote(ctx context.Context, ref string, o RemoteOptions) (*Contents, error) {
	name, err := o.parse(ref)
	if err != nil {
		return nil, err
	}
	image, err := remote.Image(name, o.options(ctx)...)
	if err != nil {
		return nil, registryError("read", name, err)
	}
	c, err := contents(image)
	if err != nil {
		return nil, registryError("read", name, err)
	}
	c.Info.Ref = name.String()
	return c, nil
}

func contents(image v1.Image) (*Contents, error) {
	info, err := describe(image)
	if err != nil {
		return nil, err
	}
	raw, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	if len(raw) > maxIndex {
		return nil, fmt.Errorf("%w: its configuration is larger than %d bytes", ErrDamaged, maxIndex)
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: configuration: %w", ErrDamaged, err)
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	if len(layers) != len(info.Layers) {
		return nil, fmt.Errorf("%w: %d layers, but the manifest knows %d", ErrDamaged, len(layers), len(info.Layers))
	}
	return &Contents{Info: info, Config: config.Config, layers: layers}, nil
}

// Layer starts to read the layer at a place of Info.Layers, uncompressed. What is read is not compared with
// Info's DiffID: the reader does that.
func (c *Contents) Layer(at int) (io.ReadCloser, error) {
	r, err := c.layers[at].Compressed()
	if err == nil {
		r, err = unpacked(r)
	}
	if err != nil {
		return nil, fmt.Errorf("layer %d (%s): %w", at+1, c.Info.Layers[at].Digest, err)
	}
	return r, nil
}

// maxWindow bounds the memory of a decoder, in bytes.
const maxWindow = 128 << 20

// unpacked decompresses a layer of any of the forms that the specification knows (image-spec, layer.md).
func unpacked(from io.ReadCloser) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(from, 1<<20)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, errors.Join(err, from.Close())
	}
	var r io.ReadCloser = io.NopCloser(b)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		r, err = gzip.NewReader(b)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		var d *zstd.Decoder
		if d, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow)); err == nil {
			r = d.IOReadCloser()
		}
	default:
		err = nil
	}
	if err != nil {
		return nil, errors.Join(err, from.Close())
	}
	return &unpacking{r, from}, nil
}

type unpacking struct {
	io.ReadCloser
	from io.Closer
}

func (u *unpacking) Close() error { return errors.Join(u.ReadCloser.Close(), u.from.Close()) }
