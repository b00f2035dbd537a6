package oci

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
)

// registries are those that list referrers and those that don't.
func registries(t *testing.T) map[string]string {
	t.Helper()
	with := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(with.Close)
	without, _ := startRegistry(t, plainly)
	return map[string]string{"with the referrers API": strings.TrimPrefix(with.URL, "http://"), "without": without,
		"docker-registry": registrytest.Registry{}.Start(t)}
}

// pushSmall pushes an image and returns its reference with the digest.
func pushSmall(t *testing.T, repo string, o RemoteOptions) string {
	t.Helper()
	cfg := slaveConfig()
	cfg.StandIns = nil
	dir, _ := writeImage(t, writeLayers(t), cfg)
	ref, err := Push(t.Context(), dir, repo+":1", PushOptions{RemoteOptions: o})
	must(t, err)
	return ref
}

func TestAttach(t *testing.T) {
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			ref := pushSmall(t, host+"/cluster/slave", RemoteOptions{})
			if got, err := Referrers(t.Context(), ref, "", RemoteOptions{}); err != nil || len(got) != 0 {
				t.Errorf("before: %+v, %v", got, err)
			}
			bill := Artifact{Type: "application/spdx+json", Content: []byte(`{"spdxVersion":"SPDX-2.3"}`),
				Annotations: map[string]string{"org.opencontainers.image.title": "sbom.spdx.json"}}
			seal := Artifact{Type: "application/vnd.example.signature", MediaType: "text/plain", Content: []byte("signed")}
			billDigest, err := Attach(t.Context(), host+"/cluster/slave:1", bill, RemoteOptions{})
			must(t, err)
			sealDigest, err := Attach(t.Context(), ref, seal, RemoteOptions{})
			must(t, err)
			again, err := Attach(t.Context(), ref, bill, RemoteOptions{})
			must(t, err)
			if again != billDigest {
				t.Errorf("the same artifact has the digests %s and %s", billDigest, again)
			}
			got, err := Referrers(t.Context(), host+"/cluster/slave:1", "", RemoteOptions{})
			must(t, err)
			if len(got) != 2 || got[0].Digest != billDigest || got[1].Digest != sealDigest || got[0].Type != bill.Type || got[1].Type != seal.Type {
				t.Fatalf("the artifacts are %+v, want %s and %s", got, billDigest, sealDigest)
			}
			for i, want := range []Artifact{bill, seal} {
				one, err := Referrers(t.Context(), ref, want.Type, RemoteOptions{})
				must(t, err)
				if len(one) != 1 || one[0].Digest != got[i].Digest {
					t.Errorf("of type %s: %+v", want.Type, one)
				}
				if want.MediaType == "" {
					want.MediaType = want.Type
				}
				read, err := ReadArtifact(t.Context(), got[i].Ref, RemoteOptions{})
				must(t, err)
				if diff := cmp.Diff(want, read); diff != "" {
					t.Errorf("artifact %s (-want +got):\n%s", want.Type, diff)
				}
			}
		})
	}
}

// TestAttachMeeting has many attach to one image at the same time, among them some that start when
// others are through.
func TestAttachMeeting(t *testing.T) {
	const pushers = 12
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			ref := pushSmall(t, host+"/cluster/slave", RemoteOptions{})
			var all errgroup.Group
			var mu sync.Mutex
			want := map[string]bool{}
			for i := range pushers {
				all.Go(func() error {
					time.Sleep(time.Duration(i%4) * 15 * time.Millisecond)
					digest, err := Attach(t.Context(), ref, Artifact{Type: "text/plain", Content: fmt.Appendf(nil, "artifact %d", i)}, RemoteOptions{})
					mu.Lock()
					defer mu.Unlock()
					want[digest] = true
					return err
				})
			}
			must(t, all.Wait())
			got, err := Referrers(t.Context(), ref, "text/plain", RemoteOptions{})
			must(t, err)
			for _, r := range got {
				delete(want, r.Digest)
			}
			if len(got) != pushers || len(want) != 0 {
				t.Errorf("%d artifacts of %d are listed, lost are %v", len(got), pushers, want)
			}
		})
	}
}

// TestAttachLateWriter has a second writer write what it knew before the first was through, and looked: the
// last moment at which an entry could get lost.
func TestAttachLateWriter(t *testing.T) {
	held, free := make(chan struct{}), make(chan struct{})
	var holds atomic.Bool
	host, _ := startRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256-") && !strings.Contains(r.URL.Path, ".") {
				if holds.CompareAndSwap(false, true) {
					close(held)
					<-free
				}
			}
			h.ServeHTTP(w, r)
		})
	})
	ref := pushSmall(t, host+"/cluster/slave", RemoteOptions{})
	ended := make(chan error, 1)
	go func() {
		_, err := Attach(t.Context(), ref, Artifact{Type: "text/plain", Content: []byte("late")}, RemoteOptions{})
		ended <- err
	}()
	<-held
	_, err := Attach(t.Context(), ref, Artifact{Type: "text/plain", Content: []byte("early")}, RemoteOptions{})
	close(free)
	must(t, errors.Join(err, <-ended))
	if got, err := Referrers(t.Context(), ref, "", RemoteOptions{}); err != nil || len(got) != 2 {
		t.Errorf("listed are %+v, %v; want both", got, err)
	}
}

func TestAttachErrors(t *testing.T) {
	host, _ := startRegistry(t, plainly)
	for _, test := range []struct {
		name, subject string
		artifact      Artifact
		want          string
	}{
		{"no image", host + "/cluster/slave:1", Artifact{Type: "text/plain", Content: []byte("x")}, "check the name"},
		{"no reference", "", Artifact{Type: "text/plain", Content: []byte("x")}, "image reference"},
		{"no type", host + "/cluster/slave:1", Artifact{Content: []byte("x")}, "is no media type"},
		{"nothing in it", host + "/cluster/slave:1", Artifact{Type: "text/plain"}, "has 1 to"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Attach(t.Context(), test.subject, test.artifact, RemoteOptions{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to say %q", err, test.want)
			}
		})
	}
}
