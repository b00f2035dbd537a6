package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/source"
)

// Options are the settings of a Client. Zero values mean the defaults named.
type Options struct {
	Retries   int               // after the first try, for a request and for resuming a body; 4
	MinWait   time.Duration     // before the first retry; 1 s
	MaxWait   time.Duration     // between retries; 30 s
	Idle      time.Duration     // how long a server may send nothing; 60 s
	Agent     string            // User-Agent; "forge"
	Sink      event.Sink        // hears about progress; nobody
	Transport http.RoundTripper // how requests are sent; with the environment's proxies
	Proxy     *url.URL          // in place of the environment's; only without Transport
	Roots     *x509.CertPool    // in place of the system's; only without Transport
}

// Client fetches over HTTP. It is safe for use by several goroutines.
type Client struct {
	opt  Options
	http *retryablehttp.Client
}

// New returns a Client.
func New(opt Options) *Client {
	opt.Retries = or(opt.Retries, 4)
	opt.MinWait = or(opt.MinWait, time.Second)
	opt.MaxWait = or(opt.MaxWait, 30*time.Second)
	opt.Idle = or(opt.Idle, time.Minute)
	opt.Agent = or(opt.Agent, "forge")
	if opt.Sink == nil {
		opt.Sink = event.Discard
	}
	if opt.Transport == nil {
		opt.Transport = transport(opt)
	}
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: opt.Transport, CheckRedirect: checkRedirect}
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = opt.Retries, opt.MinWait, opt.MaxWait
	c.Logger = slog.New(slog.DiscardHandler)
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler // the last response says why
	return &Client{opt: opt, http: c}
}

// transport sends requests as the options say.
func transport(opt Options) http.RoundTripper {
	t := cleanhttp.DefaultPooledTransport() // with http.ProxyFromEnvironment
	t.DisableCompression = true             // the digest is of the bytes as they are stored
	t.ResponseHeaderTimeout = opt.Idle
	if opt.Proxy != nil {
		t.Proxy = http.ProxyURL(opt.Proxy)
	}
	if opt.Roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: opt.Roots}
	}
	return t
}

func or[T comparable](v, byDefault T) T {
	var zero T
	if v == zero {
		return byDefault
	}
	return v
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirect from https to %s", req.URL.Redacted())
	}
	return nil
}

// Source is one URL.
type Source struct {
	client *Client
	url    *url.URL
}

var _ source.Source = Source{}

// URL returns the source for one file.
func (c *Client) URL(rawURL string) (Source, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return Source{}, fmt.Errorf("http: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return Source{}, fmt.Errorf("http: %q is not a URL with http or https", rawURL)
	}
	return Source{client: c, url: u}, nil
}

// File returns the name that the file has there.
func (s Source) File() string { return path.Base(s.url.Path) }

// String returns the URL without its password.
func (s Source) String() string { return s.url.Redacted() }

// Fetch streams the file into blobs. 404 and 410 wrap source.ErrNotFound.
func (s Source) Fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	body, err := s.client.open(ctx, s.url, a.Limit(), "")
	if err != nil {
		return source.Result{}, fmt.Errorf("%s: %w", a.Name, err)
	}
	defer body.Close()
	if a.Size > 0 && body.size >= 0 && body.size != a.Size {
		return source.Result{}, &source.SizeError{Name: a.Name, From: s.String(), Want: a.Size, Got: body.size}
	}
	body.sink, body.total = s.client.opt.Sink, max(a.Size, body.size)
	file := a.File
	if file == "" {
		file = s.File()
	}
	return source.Put(ctx, a, file, body, s.String(), blobs)
}

// Mirror is a Source: a base URL below which files lie by their names.
type Mirror struct {
	client *Client
	base   *url.URL
}

var _ source.Source = Mirror{}

// Mirror returns the source for an operator's mirror.
func (c *Client) Mirror(base string) (Mirror, error) {
	s, err := c.URL(base)
	return Mirror{client: c, base: s.url}, err
}

// String returns the base URL without its password.
func (m Mirror) String() string { return "mirror " + m.base.Redacted() }

// Fetch looks for the artifact's file name. An artifact of which only a glob is known can't be
// looked up on a web server and is not found.
func (m Mirror) Fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	if a.File == "" {
		return source.Result{}, fmt.Errorf("%s: only a glob of %s is known: %w", m, a.Name, source.ErrNotFound)
	}
	return Source{client: m.client, url: m.base.JoinPath(url.PathEscape(a.File))}.Fetch(ctx, a, blobs)
}

// statusError says what a response means for who asked for a file.
func statusError(u *url.URL, resp *http.Response) error {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%s: %s: %w", u.Redacted(), resp.Status, source.ErrNotFound)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return fmt.Errorf("%s: %s: check the credentials, or those of the proxy", u.Redacted(), resp.Status)
	default:
		return fmt.Errorf("%s: %s", u.Redacted(), resp.Status)
	}
}

// requestError removes what net/http repeats of the URL, its password included.
func requestError(u *url.URL, err error) error {
	var ue *url.Error
	for errors.As(err, &ue) && !errors.Is(ue.Err, err) {
		err = ue.Err
	}
	hint := ""
	if strings.Contains(err.Error(), "no such host") || strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "unreachable") {
		hint = " (check the network and the proxy, or build with --offline from a bundle of forge vendor)"
	}
	return fmt.Errorf("%s: %w%s", u.Redacted(), err, hint)
}
