package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faulty answers requests of one method about a part of the API wrongly, as often as left says.
func faulty(left *atomic.Int64, method, path string, fault func(w http.ResponseWriter, r *http.Request)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == method && strings.Contains(r.URL.Path, path) && left.Add(-1) >= 0 {
				fault(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
}

func status(code int, header ...string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// drop reads a part of what comes and ends the connection.
func drop(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, 64)
	panic(http.ErrAbortHandler)
}

func TestPushFaults(t *testing.T) {
	dir, digest := writeImage(t, writeLayers(t), slaveConfig())
	for _, test := range []struct {
		name, method, path string
		fault              func(w http.ResponseWriter, r *http.Request)
	}{
		{"500 for a blob", http.MethodPatch, "/blobs/", status(http.StatusInternalServerError)},
		{"500 for the end of a blob", http.MethodPut, "/blobs/", status(http.StatusInternalServerError)},
		{"500 for the manifest", http.MethodPut, "/manifests/", status(http.StatusInternalServerError)},
		{"502 for whether a blob is there", http.MethodHead, "/blobs/", status(http.StatusBadGateway)},
		{"429 for a blob", http.MethodPost, "/blobs/", status(http.StatusTooManyRequests, "Retry-After", "0")},
		{"503 at the first words", http.MethodGet, "/v2/", status(http.StatusServiceUnavailable, "Retry-After", "0")},
		{"connection dropped in a blob", http.MethodPatch, "/blobs/", drop},
		{"connection dropped in the manifest", http.MethodPut, "/manifests/", drop},
	} {
		t.Run(test.name, func(t *testing.T) {
			var left atomic.Int64
			host, _ := startRegistry(t, faulty(&left, test.method, test.path, test.fault))
			o := PushOptions{AllowStandins: true, RemoteOptions: RemoteOptions{RetryWait: time.Millisecond, Jobs: 1}}
			left.Store(2)
			ref, err := Push(t.Context(), dir, host+"/cluster/slave:1", o)
			if want := host + "/cluster/slave@" + digest; err != nil || ref != want {
				t.Errorf("twice: %q, %v; want %s", ref, err, want)
			}
			if left.Load() >= 0 {
				t.Errorf("%d faults are left: the test does not meet the request", left.Load()+1)
			}
			host, _ = startRegistry(t, faulty(&left, test.method, test.path, test.fault))
			left.Store(1 << 20)
			if _, err := Push(t.Context(), dir, host+"/cluster/other:1", o); err == nil || !strings.Contains(err.Error(), "4 times") || !strings.Contains(err.Error(), host+"/cluster/other:1") {
				t.Errorf("always: error %v, want that it was tried 4 times", err)
			}
		})
	}
}

// TestPushKeepsWhatArrived ends the second of three blobs too early each time: the next push sends what is missing.
func TestPushKeepsWhatArrived(t *testing.T) {
	var blobs atomic.Int64
	var mended atomic.Bool
	host, uploads := startRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch && !mended.Load() && blobs.Add(1) > 1 {
				drop(w, r)
			}
			h.ServeHTTP(w, r)
		})
	})
	dir, _ := writeImage(t, writeLayers(t), slaveConfig())
	o := PushOptions{AllowStandins: true, RemoteOptions: RemoteOptions{RetryWait: time.Millisecond, Jobs: 1}}
	_, err := Push(t.Context(), dir, host+"/cluster/slave:1", o)
	if !errors.Is(err, ErrDropped) || uploads.Load() != 1 {
		t.Errorf("error %v, %d blobs arrived; want ErrDropped and one", err, uploads.Load())
	}
	if _, err := InspectRemote(t.Context(), host+"/cluster/slave:1", RemoteOptions{}); err == nil {
		t.Error("half an image has a tag")
	}
	mended.Store(true)
	_, err = Push(t.Context(), dir, host+"/cluster/slave:1", o)
	must(t, err)
	if uploads.Load() != 3 {
		t.Errorf("%d blobs arrived, want 3, each once", uploads.Load())
	}
}

// TestPushAgainAsksOnly counts what a registry is asked for an image that it has.
func TestPushAgainAsksOnly(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	host, _ := startRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			what := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/cluster/slave"), "/")
			asked[r.Method+" "+what[min(1, len(what)-1)]]++
			mu.Unlock()
			h.ServeHTTP(w, r)
		})
	})
	dir, _ := writeImage(t, writeLayers(t), slaveConfig())
	for i, want := range []map[string]int{
		{"GET v2": 1, "HEAD manifests": 1, "HEAD blobs": 3, "POST blobs": 3, "PATCH blobs": 3, "PUT blobs": 3, "PUT manifests": 1},
		{"GET v2": 1, "HEAD manifests": 1},                                      // the same tag
		{"GET v2": 1, "HEAD manifests": 1, "HEAD blobs": 3, "PUT manifests": 1}, // another
	} {
		clear(asked)
		_, err := Push(t.Context(), dir, fmt.Sprintf("%s/cluster/slave:%d", host, max(1, i)), PushOptions{AllowStandins: true})
		must(t, err)
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("requests of push %d (-want +got):\n%s", i+1, diff)
		}
	}
}

func TestAttachFaults(t *testing.T) {
	for _, test := range []struct {
		name, method, path string
		fault              func(w http.ResponseWriter, r *http.Request)
	}{
		{"500 for the artifact", http.MethodPut, "/manifests/sha256:", status(http.StatusInternalServerError)},
		{"500 for the list", http.MethodPut, "/manifests/sha256-", status(http.StatusInternalServerError)},
		{"429 for the list", http.MethodGet, "/manifests/sha256-", status(http.StatusTooManyRequests)},
		{"connection dropped", http.MethodPut, "/manifests/", drop},
		{"503 for what it can list", http.MethodGet, "/referrers/", status(http.StatusServiceUnavailable)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var left atomic.Int64
			host, _ := startRegistry(t, faulty(&left, test.method, test.path, test.fault))
			ref := pushSmall(t, host+"/cluster/slave", quick)
			left.Store(2)
			digest, err := Attach(t.Context(), ref, Artifact{Type: "text/plain", Content: []byte("x")}, quick)
			must(t, err)
			if left.Load() >= 0 {
				t.Errorf("%d faults are left: the test does not meet the request", left.Load()+1)
			}
			if got, err := Referrers(t.Context(), ref, "", quick); err != nil || len(got) != 1 || got[0].Digest != digest {
				t.Errorf("listed are %+v, %v; want %s", got, err, digest)
			}
		})
	}
}

// TestReadArtifactRefusesAnotherContent has a registry change a document, a manifest, and promise too much.
func TestReadArtifactRefusesAnotherContent(t *testing.T) {
	for _, part := range []string{"/blobs/", "/manifests/sha256:"} {
		var flips atomic.Bool
		host, _ := startRegistry(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if flips.Load() && strings.Contains(r.URL.Path, part) {
					w = flipped{w}
				}
				h.ServeHTTP(w, r)
			})
		})
		ref := pushSmall(t, host+"/cluster/slave", quick)
		_, err := Attach(t.Context(), ref, Artifact{Type: "text/plain", Content: []byte("content")}, quick)
		must(t, err)
		refs, err := Referrers(t.Context(), ref, "", quick)
		must(t, err)
		flips.Store(true)
		if got, err := ReadArtifact(t.Context(), refs[0].Ref, quick); !errors.Is(err, ErrWrongDigest) {
			t.Errorf("%s changed: %q, %v; want ErrWrongDigest", part, got.Content, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:00:00 GMT": 0} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("Retry-After %q = %v, want %v", header, got, want)
		}
	}
}

// TestRetryAfterIsWaitedFor has the answer come when the time in it is over.
func TestRetryAfterIsWaitedFor(t *testing.T) {
	var left atomic.Int64
	host, _ := startRegistry(t, faulty(&left, http.MethodGet, "/v2/", status(http.StatusTooManyRequests, "Retry-After", "86400")))
	left.Store(1)
	var waited []time.Duration
	client := &http.Client{Transport: patient{http.DefaultTransport, func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		return nil
	}}}
	for range 2 {
		answer, err := client.Get("http://" + host + "/v2/")
		must(t, err)
		must(t, answer.Body.Close())
	}
	if diff := cmp.Diff([]time.Duration{maxRetryAfter}, waited); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}
