package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/source"
)

// body reads a file, asking for the rest when the connection breaks.
type body struct {
	ctx    context.Context
	client *Client
	url    *url.URL
	accept string   // media types that are asked for; "": any
	from   *url.URL // where redirects led

	mediaType string

	size      int64  // of the whole file in bytes; -1: not known
	validator string // ETag or Last-Modified: the rest must be of the same file
	offset    int64  // bytes that were given out
	left      int    // resumes that are left since bytes last came

	rest   io.ReadCloser   // of the present response
	reqCtx context.Context // of the present request
	cancel context.CancelCauseFunc
	idle   *time.Timer

	sink  event.Sink
	total int64
	shown time.Time
}

var errIdle = errors.New("the server sends nothing")

// open asks for the file and returns once the server has answered.
func (c *Client) open(ctx context.Context, u *url.URL, limit int64, accept string) (*body, error) {
	b := &body{ctx: ctx, client: c, url: u, accept: accept, size: -1, left: c.opt.Retries, sink: event.Discard}
	resp, err := b.request()
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer b.stop()
		return nil, statusError(u, resp)
	}
	b.size, b.from, b.mediaType = resp.ContentLength, u, resp.Header.Get("Content-Type")
	if resp.Request != nil {
		b.from = resp.Request.URL
	}
	if b.size > limit {
		b.Close()
		return nil, &source.SizeError{Name: u.Redacted(), From: "the server", Limit: limit}
	}
	if b.validator = resp.Header.Get("ETag"); b.validator == "" || strings.HasPrefix(b.validator, "W/") {
		b.validator = resp.Header.Get("Last-Modified") // a weak ETag can't be used here (RFC 9110, 13.1.5)
	}
	return b, nil
}

// request sends one request, with its tries, for what comes after offset.
func (b *body) request() (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(b.ctx)
	b.reqCtx, b.cancel = ctx, cancel
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, b.url.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, requestError(b.url, err)
	}
	req.Header.Set("User-Agent", b.client.opt.Agent)
	req.Header.Set("Accept-Encoding", "identity")
	if b.accept != "" {
		req.Header.Set("Accept", b.accept)
	}
	if b.offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.offset))
		if b.validator != "" {
			req.Header.Set("If-Range", b.validator)
		}
	}
	resp, err := b.client.http.Do(req)
	if err != nil {
		cancel(nil)
		if b.ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", b.url.Redacted(), context.Cause(b.ctx))
		}
		return nil, requestError(b.url, err)
	}
	b.rest = resp.Body
	b.idle = time.AfterFunc(b.client.opt.Idle, func() { cancel(errIdle) })
	return resp, nil
}

// Read gives the file's bytes in order, whatever happens to connections.
func (b *body) Read(p []byte) (int, error) {
	for {
		if b.rest == nil {
			if err := b.resume(); err != nil {
				return 0, err
			}
			continue // it may have broken off again already
		}
		b.idle.Reset(b.client.opt.Idle)
		n, err := b.rest.Read(p)
		b.offset += int64(n)
		if n > 0 {
			b.left = b.client.opt.Retries
			b.progress()
			return n, nil // an error comes again
		}
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) && (b.size < 0 || b.offset == b.size) {
			return 0, io.EOF
		}
		if b.ctx.Err() != nil {
			return 0, fmt.Errorf("%s: %w", b.url.Redacted(), context.Cause(b.ctx))
		}
		if err := b.broken(err); err != nil {
			return 0, err
		}
	}
}

// broken takes note that the connection was lost, and waits. It returns an error when it was lost
// too often.
func (b *body) broken(err error) error {
	if cause := context.Cause(b.reqCtx); cause != nil {
		err = cause // rather than "context canceled"
	}
	b.stop()
	if b.left == 0 {
		return fmt.Errorf("%s: broke off after %d bytes, %d times without anything new: %w (try again later, or put the file into vendor/)", b.url.Redacted(), b.offset, b.client.opt.Retries+1, err)
	}
	tried := b.client.opt.Retries - b.left
	b.left--
	wait := retryablehttp.DefaultBackoff(b.client.opt.MinWait, b.client.opt.MaxWait, tried, nil)
	select {
	case <-b.ctx.Done():
		return fmt.Errorf("%s: %w", b.url.Redacted(), context.Cause(b.ctx))
	case <-time.After(wait):
		return nil
	}
}

// resume asks for the rest. A server that does not know ranges sends the whole file again: what
// was read before is skipped, and the digest tells if it was another file.
func (b *body) resume() error {
	resp, err := b.request()
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusPartialContent:
		from, size, err := contentRange(resp.Header.Get("Content-Range"))
		if err != nil || from != b.offset || size >= 0 && b.size >= 0 && size != b.size {
			b.stop()
			return fmt.Errorf("%s: asked for what comes after %d of %d bytes, the server sends %q", b.url.Redacted(), b.offset, b.size, resp.Header.Get("Content-Range"))
		}
		return nil
	case http.StatusOK:
		if b.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != b.size {
			b.stop()
			return fmt.Errorf("%s: the file changed while it was read: %d bytes, now %d", b.url.Redacted(), b.size, resp.ContentLength)
		}
		return b.skip(b.offset)
	default:
		b.stop()
		return statusError(b.url, resp)
	}
}

// skip drops the first n bytes of the present response. If it breaks off there, the next Read
// asks again.
func (b *body) skip(n int64) error {
	buf := make([]byte, 64<<10)
	for n > 0 {
		b.idle.Reset(b.client.opt.Idle)
		k, err := b.rest.Read(buf[:min(n, int64(len(buf)))])
		n -= int64(k)
		if err != nil && n > 0 {
			if b.ctx.Err() != nil {
				return fmt.Errorf("%s: %w", b.url.Redacted(), context.Cause(b.ctx))
			}
			return b.broken(err)
		}
	}
	return nil
}

// contentRange reads "bytes FROM-TO/SIZE" (RFC 9110, 14.4); size is -1 for "*".
func contentRange(s string) (from, size int64, err error) {
	s, ok := strings.CutPrefix(s, "bytes ")
	span, whole, ok2 := strings.Cut(s, "/")
	first, _, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, fmt.Errorf("Content-Range %q", s)
	}
	if from, err = strconv.ParseInt(first, 10, 64); err != nil {
		return 0, 0, err
	}
	if whole == "*" {
		return from, -1, nil
	}
	size, err = strconv.ParseInt(whole, 10, 64)
	return from, size, err
}

func (b *body) progress() {
	if now := time.Now(); now.Sub(b.shown) > 200*time.Millisecond {
		b.shown = now
		b.sink.Emit(event.Event{Kind: event.Progress, Message: "fetch " + b.url.Redacted(), Done: b.offset, Total: max(0, b.total), Unit: "bytes"})
	}
}

// stop ends the present response.
func (b *body) stop() {
	if b.rest != nil {
		b.idle.Stop()
		b.cancel(nil)
		_ = b.rest.Close()
		b.rest = nil
	}
}

// Close ends the download.
func (b *body) Close() error {
	b.stop()
	return nil
}
