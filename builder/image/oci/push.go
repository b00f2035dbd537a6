package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/mesos-forge/forge/builder/event"
)

// ErrStandIns is why Push refuses an image.
var ErrStandIns = errors.New("the image has stand-ins in it")

// RemoteOptions say how a registry is reached. The zero value is what
// docker and podman would do: credentials of "docker login", https but
// for loopback.
type RemoteOptions struct {
	Insecure  bool // http instead of https
	Jobs      int  // blobs at a time; default 4
	Keychain  authn.Keychain
	Transport http.RoundTripper
}

func (o RemoteOptions) parse(ref string) (name.Reference, error) {
	options := []name.Option{name.StrictValidation}
	if o.Insecure {
		options = append(options, name.Insecure)
	}
	parsed, err := name.ParseReference(ref, options...)
	if err != nil {
		return nil, fmt.Errorf("image reference %q: %w; it should be like registry.example/cluster/slave:1", ref, err)
	}
	return parsed, nil
}

func (o RemoteOptions) options(ctx context.Context) []remote.Option {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(o.Keychain), remote.WithUserAgent("forge")}
	if o.Jobs > 0 {
		options = append(options, remote.WithJobs(o.Jobs))
	}
	if o.Transport != nil {
		options = append(options, remote.WithTransport(o.Transport))
	}
	return options
}

// PushOptions say how an image is pushed.
type PushOptions struct {
	RemoteOptions
	AllowStandins bool
	Events        event.Sink // nil drops them
}

// Push sends the image of a layout to a registry, blobs that it has already
// left out, and returns the full reference with the digest:
// "registry.example/cluster/slave@sha256:<64 hex>". Failed requests are tried three times.
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
	if err := remote.Write(target, found.image, o.options(ctx)...); err != nil {
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
	if names := standIns(config); len(names) > 0 && !allowStandins {
		return fmt.Errorf("%w (%s): put the real software into vendor/ and build with --profile production, or push with --allow-standins",
			ErrStandIns, strings.Join(names, ", "))
	}
	return nil
}

// registryError explains what a person can do about it.
func registryError(what string, ref name.Reference, err error) error {
	hint := ""
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		hint = fmt.Sprintf("; \"docker login %s\" gives credentials, or the account may not do this", ref.Context().RegistryStr())
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		hint = "; check the name"
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = fmt.Sprintf("; no registry answers at %s", ref.Context().RegistryStr())
	}
	return fmt.Errorf("%s %s: %w%s", what, ref, err, hint)
}
