package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// VerifyRemote fetches every blob of an image or a disk and compares it with its digest, and says what the image is. A layer that is not what its
// digest says is ErrDamaged, with its place and what made it.
func VerifyRemote(ctx context.Context, ref string, o RemoteOptions) (Info, error) {
	name, err := o.parse(ref)
	if err != nil {
		return Info{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	image, err := remote.Image(name, o.options(ctx)...)
	if err != nil {
		return Info{}, registryError("read", name, err)
	}
	info, err := describe(image)
	if err != nil {
		return Info{}, registryError("read", name, err)
	}
	info.Ref = name.String()
	layers, err := image.Layers()
	if err != nil {
		return Info{}, registryError("read", name, err)
	}
	group.SetLimit(cmp.Or(o.Jobs, 4))
	for i, layer := range layers {
		group.Go(func() error {
			if err := readLayer(layer); err != nil {
				return registryError("read", name, fmt.Errorf("%w: layer %d, %s (%s): %w", ErrDamaged, i+1, info.Layers[i].Digest, info.Layers[i].History, err))
			}
			return nil
		})
	}
	return info, group.Wait()
}

// readLayer reads a layer to its end, where the library compares the digest.
func readLayer(layer v1.Layer) error {
	r, err := layer.Compressed()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// AtDigest returns the reference of what has a digest in the repository of another reference.
func (o RemoteOptions) AtDigest(ref, digest string) (string, error) {
	name, err := o.parse(ref)
	if err != nil {
		return "", err
	}
	return name.Context().Digest(digest).String(), nil
}
