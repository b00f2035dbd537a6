package oci

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// What goes wrong with registries.
var (
	ErrDenied      = errors.New("the registry does not allow it")
	ErrDropped     = errors.New("the connection ended too early")
	ErrWrongDigest = errors.New("the registry serves something else than was asked for")
)

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
	return patient{base, sleep}
}

// TrustCA is a Transport that trusts the certificates in a PEM file besides those of the system.
func TrustCA(file string) (http.RoundTripper, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("certificates: %s holds none in the PEM form (\"-----BEGIN CERTIFICATE-----\")", file)
	}
	t, ok := remote.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("certificates: the transport can't take any")
	}
	t = t.Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// upload sends blobs that the repository has not got.
func (o RemoteOptions) upload(ctx context.Context, to name.Repository, blobs ...v1.Layer) error {
	pusher, err := remote.NewPusher(o.options(ctx)...)
	if err != nil {
		return err
	}
	for _, blob := range blobs {
		if err := pusher.Upload(ctx, to, blob); err != nil {
			return err
		}
	}
	return nil
}

func (o RemoteOptions) jobs() int { return cmp.Or(o.Jobs, 4) }

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
type patient struct {
	base  http.RoundTripper
	sleep func(context.Context, time.Duration) error
}

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.base.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusServiceUnavailable {
		return answer, err
	}
	if wait := retryAfter(answer.Header.Get("Retry-After"), time.Now()); wait > 0 {
		if err := p.sleep(r.Context(), min(wait, maxRetryAfter)); err != nil {
			return nil, errors.Join(err, answer.Body.Close())
		}
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
	return errors.Is(err, ErrDropped) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// registryError explains what a person can do about it.
func registryError(what string, ref name.Reference, err error) error {
	at, hint := ref.Context().RegistryStr(), ""
	var answer *transport.Error
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		err = fmt.Errorf("%w: %w", ErrDenied, err)
		hint = fmt.Sprintf("\"docker login %s\" gives credentials, or the account may not do this", at)
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		hint = "check the name"
	case errors.As(err, &answer) && answer.Temporary():
		hint = fmt.Sprintf("%s answered like this %d times; try again later", at, attempts)
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "no registry answers at " + at
	case errors.As(err, &authority):
		hint = fmt.Sprintf("the certificate of %s is of an authority that this machine does not know: name its file with --ca, or in SSL_CERT_FILE", at)
	case errors.Is(err, http.ErrSchemeMismatch):
		hint = at + " speaks http: --insecure allows that"
	case errors.Is(err, syscall.ENOSPC):
		hint = "the disk is full: free some space, or name another folder with --to"
	case errors.Is(err, ErrWrongDigest):
		hint = fmt.Sprintf("nothing of it was kept; ask who runs %s, or whether a proxy changes what it says", at)
	case dropped(err):
		if !errors.Is(err, ErrDropped) {
			err = fmt.Errorf("%w: %w", ErrDropped, err)
		}
		hint = fmt.Sprintf("tried %d times; what has arrived is not sent again the next time", attempts)
	}
	if hint != "" {
		hint = "; " + hint
	}
	return fmt.Errorf("%s %s: %w%s", what, ref, err, hint)
}
