package http_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/source"
	forgehttp "github.com/mesos-forge/forge/builder/source/http"
	"github.com/mesos-forge/forge/builder/store"
)

var content = bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB

// server answers with f, which is told how many requests came before, and how many came is counted.
func server(t *testing.T, f func(n int, w http.ResponseWriter, r *http.Request)) (url string, count *atomic.Int64) {
	t.Helper()
	count = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f(int(count.Add(1))-1, w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, count
}

// whole serves content with ranges.
func whole(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	http.ServeContent(w, r, "file", time.Time{}, bytes.NewReader(content))
}

// cut sends the first n bytes of a response that promises all.
func cut(w http.ResponseWriter, n int) {
	w.Header().Set("ETag", `"v1"`)
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func fast() forgehttp.Options {
	return forgehttp.Options{Retries: 3, MinWait: time.Millisecond, MaxWait: 2 * time.Millisecond, Idle: 2 * time.Second}
}

func TestFetch(t *testing.T) {
	tests := []struct {
		name     string
		artifact source.Artifact // with Digest filled in unless noDigest
		noDigest bool
		options  func(o *forgehttp.Options)
		serve    func(n int, w http.ResponseWriter, r *http.Request)
		requests int64 // 0: not compared
		err      []string
		notFound bool
	}{
		{name: "plain", serve: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r) }, requests: 1},
		{name: "digest not known", noDigest: true, serve: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r) }, requests: 1},
		{name: "two times 500", requests: 3, serve: func(n int, w http.ResponseWriter, r *http.Request) {
			if n < 2 {
				http.Error(w, "busy", http.StatusInternalServerError)
				return
			}
			whole(w, r)
		}},
		{name: "429 with Retry-After", requests: 2, serve: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			whole(w, r)
		}},
		{name: "always 503", requests: 4, serve: func(_ int, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}, err: []string{"a/b", "503 Service Unavailable", "http://127.0.0.1"}},
		{name: "connection refused at first", requests: 2, serve: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				panic(http.ErrAbortHandler)
			}
			whole(w, r)
		}},
		{name: "cut twice", requests: 3, serve: func(n int, w http.ResponseWriter, r *http.Request) {
			switch n {
			case 0:
				cut(w, 300_000)
			case 1:
				if got := r.Header.Get("Range"); got != "bytes=300000-" || r.Header.Get("If-Range") != `"v1"` {
					http.Error(w, "range "+got, http.StatusBadRequest)
					return
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 300000-%d/%d", len(content)-1, len(content)))
				w.Header().Set("Content-Length", fmt.Sprint(len(content)-300_000))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(content[300_000:700_000])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			default:
				whole(w, r)
			}
		}},
		{name: "cut, ranges ignored", requests: 2, serve: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 0 {
				cut(w, 300_000)
			}
			_, _ = w.Write(content)
		}},
		{name: "cut, cut again before that place", requests: 3, serve: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < 2 {
				cut(w, 300_000-n*200_000)
			}
			_, _ = w.Write(content)
		}},
		{name: "always cut", requests: 4, serve: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				cut(w, 300_000)
			}
			cut(w, 0)
		}, err: []string{"a/b", "broke off after 300000 bytes"}},
		{name: "wrong range", serve: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 0 {
				cut(w, 300_000)
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		}, err: []string{"asked for what comes after 300000", "bytes 5-"}},
		{name: "file changed", serve: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 0 {
				cut(w, 300_000)
			}
			_, _ = w.Write(content[:500])
		}, err: []string{"the file changed while it was read"}},
		{name: "silent server", options: func(o *forgehttp.Options) { o.Idle = 50 * time.Millisecond; o.Retries = 1 },
			serve: func(_ int, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(content)))
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}, err: []string{"broke off after 0 bytes", "the server sends nothing"}},
		{name: "lies", requests: 1, serve: func(_ int, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), len(content)))
		}, err: []string{"a/b", "expected " + string(store.DigestOf(content)), "got sha256:", "from http://127.0.0.1"}},
		{name: "known digests", noDigest: true, artifact: source.Artifact{Known: []store.Digest{store.DigestOf([]byte("x"))}},
			serve: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r) },
			err:   []string{string(store.DigestOf(content)), "is not among those known"}},
		{name: "announced too long", artifact: source.Artifact{Size: 100}, requests: 1,
			serve: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r) },
			err:   []string{"larger than the 100 bytes"}},
		{name: "endless", artifact: source.Artifact{MaxSize: 1000}, requests: 1,
			serve: func(_ int, w http.ResponseWriter, r *http.Request) {
				for {
					if _, err := w.Write(content[:100]); err != nil {
						return
					}
				}
			}, err: []string{"larger than the 1000 bytes"}},
		{name: "too short", artifact: source.Artifact{Size: int64(len(content)) + 1}, requests: 1,
			serve: func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r) },
			err:   []string{"truncated: 1048576 of 1048577 bytes"}},
		{name: "absent", requests: 1, serve: func(_ int, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
			err: []string{"404 Not Found"}, notFound: true},
		{name: "forbidden", requests: 1, serve: func(_ int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
			err: []string{"403 Forbidden", "check the credentials"}},
		{name: "redirect", requests: 2, serve: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
				return
			}
			whole(w, r)
		}},
		{name: "redirects for ever", serve: func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		}, err: []string{"more than 10 redirects"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, count := server(t, tt.serve)
			o := fast()
			if tt.options != nil {
				tt.options(&o)
			}
			src, err := forgehttp.New(o).URL(url + "/file")
			if err != nil {
				t.Fatal(err)
			}
			blobs, err := store.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer blobs.Close()
			a := tt.artifact
			a.Name, a.File = "a/b", "file"
			if !tt.noDigest {
				a.Digest = store.DigestOf(content)
			}
			r, err := src.Fetch(context.Background(), a, blobs)
			if tt.requests > 0 && count.Load() != tt.requests {
				t.Errorf("%d requests, want %d", count.Load(), tt.requests)
			}
			if tt.err == nil {
				if err != nil {
					t.Fatal(err)
				}
				checkBlob(t, blobs, r)
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.err {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q: %v", part, err)
				}
			}
			if errors.Is(err, source.ErrNotFound) != tt.notFound {
				t.Errorf("not found: %v", err)
			}
			if !tt.noDigest && blobs.HasBlob(a.Digest) {
				t.Error("a blob is there")
			}
		})
	}
}

func checkBlob(t *testing.T, blobs *store.Store, r source.Result) {
	t.Helper()
	path, err := blobs.BlobPath(store.DigestOf(content))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(b, content) || r.Digest != store.DigestOf(content) || r.Size != int64(len(content)) || r.File != "file" {
		t.Errorf("%d bytes stored, %+v, %v", len(b), r, err)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	url, _ := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(content[:10])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	src, err := forgehttp.New(fast()).URL(url)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer blobs.Close()
	if _, err := src.Fetch(ctx, source.Artifact{Name: "x", File: "x"}, blobs); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPasswordIsNotShown(t *testing.T) {
	url, _ := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if _, pass, _ := r.BasicAuth(); pass != "secret" {
			t.Error("no password came")
		}
		panic(http.ErrAbortHandler)
	})
	src, err := forgehttp.New(fast()).URL(strings.Replace(url, "://", "://me:secret@", 1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = src.Fetch(context.Background(), source.Artifact{Name: "x", File: "x"}, nil)
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(src.String(), "secret") || !strings.Contains(err.Error(), "me:xxxxx@127.0.0.1") {
		t.Errorf("%v; %s", err, src)
	}
}

func TestHTTPSStays(t *testing.T) {
	plain, count := server(t, func(_ int, w http.ResponseWriter, r *http.Request) { whole(w, r) })
	srv := httptest.NewTLSServer(http.RedirectHandler(plain+"/file", http.StatusFound))
	defer srv.Close()
	o := fast()
	o.Transport = srv.Client().Transport
	src, err := forgehttp.New(o).URL(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = src.Fetch(context.Background(), source.Artifact{Name: "x", File: "x"}, nil)
	if err == nil || !strings.Contains(err.Error(), "redirect from https to http://") || count.Load() != 0 {
		t.Errorf("%v, %d requests", err, count.Load())
	}
}

func TestMirror(t *testing.T) {
	url, _ := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/base/file" {
			http.NotFound(w, r)
			return
		}
		whole(w, r)
	})
	m, err := forgehttp.New(fast()).Mirror(url + "/base/")
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer blobs.Close()
	r, err := m.Fetch(context.Background(), source.Artifact{Name: "a", File: "file"}, blobs)
	if err != nil {
		t.Fatal(err)
	}
	checkBlob(t, blobs, r)
	for _, a := range []source.Artifact{{Name: "a", File: "other"}, {Name: "a", Pattern: "fi*"}} {
		if _, err := m.Fetch(context.Background(), a, blobs); !errors.Is(err, source.ErrNotFound) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func TestBadURL(t *testing.T) {
	for _, u := range []string{"", "file:///etc/passwd", "ftp://x/y", "http://", "://", "http://a b/"} {
		if _, err := forgehttp.New(fast()).URL(u); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
}
