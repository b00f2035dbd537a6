package oci

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mesos-forge/forge/builder/event"
)

// progressStep is how many bytes lie between two events.
const progressStep = 1 << 20

// progress emits events about bytes, not too many of them.
type progress struct {
	sink    event.Sink
	message string
	total   int64

	mu         sync.Mutex
	done, last int64
}

func newProgress(sink event.Sink, message string, total int64) *progress {
	if sink == nil {
		sink = event.Discard
	}
	return &progress{sink: sink, message: message, total: total}
}

// add counts n more bytes, never more than there are: what is sent again
// after a failure counts once.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = min(p.done+n, p.total)
	if p.done-p.last < progressStep && (p.done != p.total || p.last == p.total) {
		return
	}
	p.last = p.done
	p.sink.Emit(event.Event{Kind: event.Progress, Message: p.message, Done: p.done, Total: p.total, Unit: "bytes"})
}

// progressWriter reports what is written.
type progressWriter struct {
	w io.Writer
	*progress
}

func (w progressWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.add(int64(n))
	return n, err
}

// uploads reports the blobs that go to a registry, and those that are there
// already. The library's own progress reads its counters while it writes them
// (v0.22.1, when a request is tried again), and so can't be used.
type uploads struct {
	base http.RoundTripper
	*progress
}

func countUploads(base http.RoundTripper, sink event.Sink, total int64) http.RoundTripper {
	if base == nil {
		base = remote.DefaultTransport
	}
	return uploads{base: base, progress: newProgress(sink, "push", total)}
}

func (u uploads) RoundTrip(r *http.Request) (*http.Response, error) {
	isBlob := strings.Contains(r.URL.Path, "/blobs/")
	if isBlob && r.Method == http.MethodPatch && r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = progressBody{r.Body, u.progress}
	}
	answer, err := u.base.RoundTrip(r)
	if err == nil && isBlob && r.Method == http.MethodHead && answer.StatusCode == http.StatusOK {
		u.add(max(answer.ContentLength, 0))
	}
	return answer, err
}

type progressBody struct {
	io.ReadCloser
	*progress
}

func (b progressBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.add(int64(n))
	return n, err
}
