package oci

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
)

// startRegistry runs a registry on loopback and counts finished uploads.
func startRegistry(t *testing.T, wrap func(http.Handler) http.Handler) (host string, uploads *atomic.Int64) {
	t.Helper()
	uploads = new(atomic.Int64)
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	counting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/") {
			uploads.Add(1)
		}
		handler.ServeHTTP(w, r)
	})
	return serve(t, wrap(counting)), uploads
}

// serve has a handler answer at an address of loopback.
func serve(t *testing.T, h http.Handler) (host string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that a test ends
	server.Start()
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func plainly(h http.Handler) http.Handler { return h }

func TestPush(t *testing.T) {
	host, uploads := startRegistry(t, plainly)
	cfg := slaveConfig()
	cfg.StandIns = nil
	dir, digest := writeImage(t, writeLayers(t), cfg)
	var events event.Recorder
	ref, err := Push(t.Context(), dir, host+"/cluster/slave:1", PushOptions{Events: &events})
	must(t, err)
	if want := host + "/cluster/slave@" + digest; ref != want {
		t.Errorf("pushed %s, want %s", ref, want)
	}
	if n := uploads.Load(); n != 3 {
		t.Errorf("%d blobs were sent, want 3", n)
	}
	got, err := InspectRemote(t.Context(), host+"/cluster/slave:1", RemoteOptions{})
	must(t, err)
	want, err := InspectLayout(dir)
	must(t, err)
	want.Ref = host + "/cluster/slave:1"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("image in the registry (-want +got):\n%s", diff)
	}
	checkProgress(t, events.Events(), want.Size)
	// Everything is there already.
	var nothing event.Recorder
	_, err = Push(t.Context(), dir, host+"/cluster/slave:2", PushOptions{Events: &nothing})
	must(t, err)
	checkProgress(t, nothing.Events(), want.Size)
	if n := uploads.Load(); n != 3 {
		t.Errorf("%d blobs were sent after the second push, want 3", n)
	}
}

// checkProgress wants events that rise up to their total, which is more than
// the layers.
func checkProgress(t *testing.T, events []event.Event, layers int64) {
	t.Helper()
	done := int64(0)
	for _, e := range events {
		if e.Kind != event.Progress || e.Unit != "bytes" || e.Done <= done || e.Total <= layers {
			t.Errorf("event %+v after %d bytes", e, done)
		}
		done = e.Done
	}
	if len(events) == 0 || done != events[0].Total {
		t.Errorf("progress ends at %d of %+v", done, events)
	}
}

func TestPushRefusesStandIns(t *testing.T) {
	host, uploads := startRegistry(t, plainly)
	dir, _ := writeImage(t, writeLayers(t), slaveConfig())
	_, err := Push(t.Context(), dir, host+"/cluster/slave:1", PushOptions{})
	if !errors.Is(err, ErrStandIns) || !strings.Contains(err.Error(), "(azkaban, mesos)") || !strings.Contains(err.Error(), "--allow-standins") {
		t.Errorf("error is %v, want the stand-ins by name and the flag", err)
	}
	if n := uploads.Load(); n != 0 {
		t.Errorf("%d blobs were sent", n)
	}
	if _, err := Push(t.Context(), dir, host+"/cluster/slave:1", PushOptions{AllowStandins: true}); err != nil {
		t.Errorf("with AllowStandins: %v", err)
	}
}

func TestPushRetries(t *testing.T) {
	var failures atomic.Int64
	host, uploads := startRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch && failures.Add(1) == 1 {
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	dir, _ := writeImage(t, writeLayers(t), slaveConfig())
	_, err := Push(t.Context(), dir, host+"/cluster/slave:1", PushOptions{AllowStandins: true, RemoteOptions: RemoteOptions{Jobs: 1}})
	must(t, err)
	if failures.Load() < 2 || uploads.Load() != 3 {
		t.Errorf("%d requests to send a blob, %d blobs arrived", failures.Load(), uploads.Load())
	}
}

// TestPushMeeting has several push images that share their base at the same time.
func TestPushMeeting(t *testing.T) {
	host := registrytest.Registry{}.Start(t)
	layers := writeLayers(t)
	want := map[string]string{}
	var all errgroup.Group
	for _, role := range []string{"master", "slave", "client", "hdfs", "zookeeper", "all"} {
		cfg := slaveConfig()
		cfg.Role = role
		dir, digest := writeImage(t, layers, cfg)
		want[role] = digest
		all.Go(func() error {
			_, err := Push(t.Context(), dir, host+"/cluster/roles:"+role, PushOptions{AllowStandins: true, RemoteOptions: quick})
			return err
		})
	}
	must(t, all.Wait())
	for role, digest := range want {
		got, err := InspectRemote(t.Context(), host+"/cluster/roles:"+role, quick)
		must(t, err)
		if got.Digest != digest || got.Role != role {
			t.Errorf("%s is %s of %s, want %s", role, got.Digest, got.Role, digest)
		}
	}
}

func TestPushErrors(t *testing.T) {
	dir, _ := writeImage(t, writeLayers(t), slaveConfig())
	denied, _ := startRegistry(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
	})
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, test := range []struct{ name, ref, want string }{
		{"no access", denied + "/cluster/slave:1", `"docker login ` + denied + `"`},
		{"nobody there", strings.TrimPrefix(closed.URL, "http://") + "/cluster/slave:1", "no registry answers at"},
		{"no tag", denied + "/cluster/slave", "it should be like registry.example/cluster/slave:1"},
		{"no name", "", "image reference"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Push(t.Context(), dir, test.ref, PushOptions{AllowStandins: true})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to say %q", err, test.want)
			}
		})
	}
}
