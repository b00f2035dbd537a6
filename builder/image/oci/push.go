package oci

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mesos-forge/forge/builder/event"
)

// ErrStandIns is why Push refuses an image.
var ErrStandIns = errors.New("the image has stand-ins in it")

// PushOptions say how an image is pushed.
type PushOptions struct {
	RemoteOptions
	AllowStandins bool
	Events        event.Sink // nil drops them
}

// Push sends the image of a layout to a registry, blobs that it has already
// left out, and returns the full reference with the digest:
// "registry.example/cluster/slave@sha256:<64 hex>". Failed requests are tried again.
//
// An image with stand-ins is refused with ErrStandIns, unless AllowStandins.
func Push(ctx context.Context, layoutDir, ref string, o PushOptions) (string, error) {
	target, err := o.parse(ref)
	if err != nil {
		return "", err
	}
	found, err := open(layoutDir)
	if err != nil {
		return "", err
	}
	if err := checkPush(found, o.AllowStandins); err != nil {
		return "", fmt.Errorf("push %s to %s: %w", layoutDir, target, err)
	}
	total, err := found.size()
	if err != nil {
		return "", fmt.Errorf("push %s to %s: %w", layoutDir, target, err)
	}
	o.Transport = countUploads(o.Transport, o.Events, total)
	err = o.again(ctx, func() error { return remote.Write(target, found.image, o.options(ctx)...) }, halfWritten)
	if err != nil {
		return "", registryError("push to", target, err)
	}
	return target.Context().Digest(found.digest.String()).String(), nil
}

func checkPush(o *opened, allowStandins bool) error {
	if err := verifyHead(o); err != nil {
		return err
	}
	config, err := o.image.ConfigFile()
	if err != nil {
		return err
	}
	return refuseStandIns(standIns(config.Config.Labels), allowStandins)
}

func refuseStandIns(names []string, allow bool) error {
	if len(names) > 0 && !allow {
		return fmt.Errorf("%w (%s): put the real software into vendor/ and build with --profile production, or push with --allow-standins",
			ErrStandIns, strings.Join(names, ", "))
	}
	return nil
}
