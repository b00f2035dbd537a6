package oci

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
)

// quick has failed requests repeated at once.
var quick = RemoteOptions{RetryWait: time.Millisecond}

// writeDisk makes what begins like a qcow2 file, of n bytes.
func writeDisk(t *testing.T, n int) Disk {
	t.Helper()
	content := make([]byte, n)
	for i, random := 0, rand.New(rand.NewPCG(1, 2)); i < n; i++ {
		content[i] = byte(random.Uint32())
	}
	copy(content, "QFI\xfb")
	d := Disk{Path: filepath.Join(t.TempDir(), "some.qcow2"), Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(content)),
		Annotations: map[string]string{RoleLabel: "slave"}}
	must(t, os.WriteFile(d.Path, content, 0o644))
	return d
}

func TestPullImage(t *testing.T) {
	host := registrytest.Registry{}.Start(t)
	layers := writeLayers(t)
	dir, digest := writeImage(t, layers, slaveImage())
	ref, err := Push(t.Context(), dir, host+"/cluster/slave:1", PushOptions{AllowStandins: true})
	must(t, err)
	to := t.TempDir()
	var events event.Recorder
	got, err := Pull(t.Context(), host+"/cluster/slave:1", to, PullOptions{Events: &events})
	must(t, err)
	want := Pulled{Ref: ref, Kind: "image", Path: filepath.Join(to, "image"), Size: got.Size, StandIns: []string{"azkaban", "mesos"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkProgress(t, events.Events(), got.Size-1)
	if diff := cmp.Diff(files(t, dir), files(t, got.Path)); diff != "" {
		t.Errorf("what came back (-pushed +pulled):\n%s", diff)
	}
	if again, err := Pull(t.Context(), ref, to, PullOptions{}); err != nil || !again.Existed {
		t.Errorf("again: %+v, %v", again, err)
	}
	expectOnly(t, to, "image")
	layer := filepath.Join(got.Path, "blobs", "sha256", strings.TrimPrefix(layers[0].Digest, "sha256:"))
	content, err := os.ReadFile(layer)
	must(t, err)
	content[len(content)/2] ^= 1
	must(t, os.WriteFile(layer, content, 0o644))
	if _, err := Pull(t.Context(), ref, to, PullOptions{}); !errors.Is(err, fs.ErrExist) || !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged image in its place: error %v", err)
	}
	content[len(content)/2] ^= 1
	must(t, os.WriteFile(layer, content, 0o644))
	cfg := slaveImage()
	cfg.Role = "other"
	other, _ := writeImage(t, layers, cfg)
	_, err = Push(t.Context(), other, host+"/cluster/slave:2", PushOptions{AllowStandins: true})
	must(t, err)
	if _, err := Pull(t.Context(), host+"/cluster/slave:2", to, PullOptions{}); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), digest) {
		t.Errorf("another image in its place: error %v", err)
	}
}

// slaveImage is as forge build makes one: the name in the layout is the role's.
func slaveImage() Config {
	cfg := slaveConfig()
	cfg.Ref = cfg.Role
	return cfg
}

func TestPushAndPullDisk(t *testing.T) {
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			d := writeDisk(t, 3<<20+17)
			d.StandIns = []string{"mesos"}
			if _, err := PushDisk(t.Context(), d, host+"/disks/slave:1", PushOptions{}); !errors.Is(err, ErrStandIns) || !strings.Contains(err.Error(), "(mesos)") {
				t.Errorf("with stand-ins: error %v", err)
			}
			var events event.Recorder
			ref, err := PushDisk(t.Context(), d, host+"/disks/slave:1", PushOptions{AllowStandins: true, Events: &events})
			must(t, err)
			checkProgress(t, events.Events(), 3<<20)
			to := filepath.Join(t.TempDir(), "new")
			got, err := Pull(t.Context(), host+"/disks/slave:1", to, PullOptions{})
			must(t, err)
			want := Pulled{Ref: ref, Kind: "disk", Path: filepath.Join(to, "disk.qcow2"), Size: 3<<20 + 17, StandIns: []string{"mesos"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			expectSame(t, d.Path, got.Path)
			expectOnly(t, to, "disk.qcow2")
			if again, err := Pull(t.Context(), ref, to, PullOptions{}); err != nil || !again.Existed {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

func TestPushDiskErrors(t *testing.T) {
	host, _ := startRegistry(t, plainly)
	d := writeDisk(t, 1000)
	must(t, os.WriteFile(d.Path, []byte("QFI\xfbother"), 0o644))
	if _, err := PushDisk(t.Context(), d, host+"/disks/slave:1", PushOptions{}); err == nil || !strings.Contains(err.Error(), "was changed since it was built") {
		t.Errorf("another content: error %v", err)
	}
	must(t, os.WriteFile(d.Path, []byte("raw"), 0o644))
	if _, err := PushDisk(t.Context(), d, host+"/disks/slave:1", PushOptions{}); err == nil || !strings.Contains(err.Error(), "no qcow2 file") {
		t.Errorf("no qcow2: error %v", err)
	}
	_, err := Attach(t.Context(), pushSmall(t, host+"/cluster/slave", quick), Artifact{Type: "text/plain", Content: []byte("x")}, quick)
	must(t, err)
	refs, err := Referrers(t.Context(), host+"/cluster/slave:1", "", quick)
	must(t, err)
	if _, err := Pull(t.Context(), refs[0].Ref, t.TempDir(), PullOptions{}); err == nil || !strings.Contains(err.Error(), "neither an image nor a disk") {
		t.Errorf("another artifact: error %v", err)
	}
}

// startFaulty is a way to Debian's docker-registry through which wrap can spoil answers. It has a disk.
func startFaulty(t *testing.T, wrap func(http.Handler) http.Handler) (ref string, d Disk) {
	t.Helper()
	at, err := url.Parse("http://" + registrytest.Registry{}.Start(t))
	must(t, err)
	d = writeDisk(t, 2<<20)
	_, err = PushDisk(t.Context(), d, at.Host+"/disks/slave:1", PushOptions{})
	must(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }}
	return serve(t, wrap(proxy)) + "/disks/slave:1", d
}

// halves sends half of each blob that it is asked for and ends the connection, as often as left says.
func halves(left *atomic.Int64, ranges *[]string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "/blobs/") || r.Method != http.MethodGet {
				h.ServeHTTP(w, r)
				return
			}
			*ranges = append(*ranges, r.Header.Get("Range"))
			if left.Add(-1) < 0 {
				h.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(&half{ResponseWriter: w}, r)
			panic(http.ErrAbortHandler)
		})
	}
}

type half struct {
	http.ResponseWriter
	left int64
}

func (h *half) WriteHeader(status int) {
	var n int64
	_, _ = fmt.Sscan(h.Header().Get("Content-Length"), &n)
	h.left = n / 2
	h.ResponseWriter.WriteHeader(status)
}

func (h *half) Write(p []byte) (int, error) {
	n := min(int64(len(p)), h.left)
	h.left -= n
	if _, err := h.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	h.ResponseWriter.(http.Flusher).Flush()
	return len(p), nil
}

func TestPullGoesOn(t *testing.T) {
	var left atomic.Int64
	var ranges []string
	ref, d := startFaulty(t, halves(&left, &ranges))
	left.Store(2)
	to := t.TempDir()
	got, err := Pull(t.Context(), ref, to, PullOptions{RemoteOptions: quick})
	must(t, err)
	expectSame(t, d.Path, got.Path)
	if diff := cmp.Diff([]string{"", "bytes=1048576-", "bytes=1572864-"}, ranges); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
}

func TestPullIsInterrupted(t *testing.T) {
	var left atomic.Int64
	var ranges []string
	ref, d := startFaulty(t, halves(&left, &ranges))
	left.Store(1 << 20)
	to := t.TempDir()
	for range 2 { // the halves get smaller
		if _, err := Pull(t.Context(), ref, to, PullOptions{RemoteOptions: quick}); !errors.Is(err, ErrDropped) || !strings.Contains(err.Error(), "tried 4 times") {
			t.Fatalf("error %v, want ErrDropped and how often it was tried", err)
		}
		if _, err := os.Stat(filepath.Join(to, "disk.qcow2")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("half a disk has its name: %v", err)
		}
	}
	left.Store(0)
	ranges = nil
	got, err := Pull(t.Context(), ref, to, PullOptions{RemoteOptions: quick})
	must(t, err)
	expectSame(t, d.Path, got.Path)
	expectOnly(t, to, "disk.qcow2")
	if diff := cmp.Diff([]string{"bytes=2088960-"}, ranges); diff != "" { // 8 times half of what was missing
		t.Errorf("what was asked for at last (-want +got):\n%s", diff)
	}
}

func TestPullRefusesAnotherContent(t *testing.T) {
	ref, _ := startFaulty(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				w = flipped{w}
			}
			h.ServeHTTP(w, r)
		})
	})
	to := t.TempDir()
	if _, err := Pull(t.Context(), ref, to, PullOptions{RemoteOptions: quick}); !errors.Is(err, ErrWrongDigest) {
		t.Errorf("error %v, want ErrWrongDigest", err)
	}
	expectOnly(t, to)
}

// flipped changes a bit of each piece of an answer.
type flipped struct{ http.ResponseWriter }

func (f flipped) Write(p []byte) (int, error) {
	changed := bytes.Clone(p)
	changed[len(p)/2] ^= 1
	return f.ResponseWriter.Write(changed)
}

// TestPullOntoAFullDisk has too little room from the start, and room that goes while the blob comes.
func TestPullOntoAFullDisk(t *testing.T) {
	to := t.TempDir()
	if err := unix.Mount("tmpfs", to, "tmpfs", 0, "size=3m"); err != nil {
		missing(t, "mounting needs root: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(to, 0)) })
	filler := filepath.Join(to, "filler")
	var fills atomic.Bool
	ref, d := startFaulty(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") && fills.Load() {
				must(t, os.WriteFile(filler, make([]byte, 2<<20), 0o644))
			}
			h.ServeHTTP(w, r)
		})
	})
	expectFull := func(want string) {
		t.Helper()
		_, err := Pull(t.Context(), ref, to, PullOptions{RemoteOptions: quick})
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "free some space") {
			t.Errorf("error %v, want a full disk and %q", err, want)
		}
		expectOnly(t, to, "filler")
	}
	must(t, os.WriteFile(filler, make([]byte, 2<<20), 0o644))
	expectFull("needs 3 MiB more and has 1 MiB")
	must(t, os.Truncate(filler, 0))
	fills.Store(true)
	expectFull("no space left on device")
	fills.Store(false)
	must(t, os.Remove(filler))
	got, err := Pull(t.Context(), ref, to, PullOptions{RemoteOptions: quick})
	must(t, err)
	expectSame(t, d.Path, got.Path)
}

func expectSame(t *testing.T, one, two string) {
	t.Helper()
	a, err := os.ReadFile(one)
	must(t, err)
	b, err := os.ReadFile(two)
	must(t, err)
	if !bytes.Equal(a, b) {
		t.Errorf("%s (%d bytes) and %s (%d bytes) differ", one, len(a), two, len(b))
	}
}

// expectOnly wants exactly these names in a folder.
func expectOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(append([]string{}, names...), got); diff != "" {
		t.Errorf("in %s (-want +got):\n%s", dir, diff)
	}
}
