package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// ErrWrongDigest says that a registry serves other bytes than those that were asked for.
var ErrWrongDigest = errors.New("the registry serves something else")

const userAgent = "forge"

// RemoteOptions say how a registry is reached. The zero value is what
// docker and podman would do: credentials of "docker login", https but
// for loopback.
type RemoteOptions struct {
	Insecure  bool // http instead of https
	Jobs      int  // blobs at a time; default 4
	Keychain  authn.Keychain
	Transport http.RoundTripper
	RetryWait time.Duration // before a failed request is sent again, three times longer each time; default 1 s
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

func (o RemoteOptions) keychain() authn.Keychain {
	if o.Keychain != nil {
		return o.Keychain
	}
	return authn.DefaultKeychain
}

func (o RemoteOptions) transport() http.RoundTripper {
	base := o.Transport
	if base == nil {
		base = remote.DefaultTransport
	}
	return patient{base}
}

// attempts is how often a request is sent at most. The library repeats those that got no answer, half of
// one, or one that says that it passes: 408, 429, 500, 502, 503, 504.
const attempts = 4

func (o RemoteOptions) backoff() remote.Backoff {
	return remote.Backoff{Duration: cmp.Or(o.RetryWait, time.Second), Factor: 3, Jitter: 0.3, Steps: attempts}
}

func (o RemoteOptions) options(ctx context.Context) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(o.keychain()), remote.WithUserAgent(userAgent),
		remote.WithTransport(o.transport()), remote.WithRetryBackoff(o.backoff())}
	if o.Jobs > 0 {
		options = append(options, remote.WithJobs(o.Jobs))
	}
	return options
}

// maxRetryAfter bounds how long a registry may have forge wait.
const maxRetryAfter = 2 * time.Minute

// patient hands an answer with Retry-After on when that time is over: who repeats the request above it
// (the library, which doesn't read the header) comes when the registry wants it to.
type patient struct{ base http.RoundTripper }

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.base.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusServiceUnavailable {
		return answer, err
	}
	timer := time.NewTimer(min(retryAfter(answer.Header.Get("Retry-After"), time.Now()), maxRetryAfter))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
	return answer, nil
}

// retryAfter reads a header in its two forms, seconds or a date (RFC 9110, section 10.2.3); 0 where there is none.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// passing tells whether an error of a request may be gone the next time.
func passing(err error) bool {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.Temporary()
	}
	return dropped(err)
}

// dropped tells whether a connection ended too early.
func dropped(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
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
