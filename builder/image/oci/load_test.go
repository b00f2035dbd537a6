package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/mesos-forge/forge/builder/event"
)

// oldEngine answers like docker 20.10 on a socket: it reads docker-archives
// only, and checks every digest.
type oldEngine struct {
	images map[string]string // id or tag -> id
	loads  int
	refuse string // an answer to a load
}

func (e *oldEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	path := r.URL.EscapedPath()
	if _, rest, ok := strings.Cut(path, "/v1.41/"); ok {
		path = "/" + rest
	}
	switch {
	case path == "/_ping":
	case path == "/images/load":
		e.loads++
		if e.refuse != "" {
			json.NewEncoder(w).Encode(map[string]string{"error": e.refuse})
			return
		}
		answer, err := e.load(r.Body)
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		json.NewEncoder(w).Encode(map[string]string{"status": "Loading layer"})
		json.NewEncoder(w).Encode(answer)
	case strings.HasSuffix(path, "/json"):
		id, ok := e.images[strings.TrimSuffix(strings.TrimPrefix(path, "/images/"), "/json")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"Id": id})
	case strings.HasSuffix(path, "/tag"):
		id := e.images[strings.TrimSuffix(strings.TrimPrefix(path, "/images/"), "/tag")]
		e.images[r.URL.Query().Get("repo")+":"+r.URL.Query().Get("tag")] = id
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func (e *oldEngine) load(body io.Reader) (map[string]string, error) {
	entries := map[string][]byte{}
	for r := tar.NewReader(body); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if entries[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(entries["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		return nil, fmt.Errorf("manifest.json: %d images, %v", len(manifest), err)
	}
	m := manifest[0]
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(entries[m.Config], &config); err != nil || len(config.RootFS.DiffIDs) != len(m.Layers) {
		return nil, fmt.Errorf("config %s: %d layers, %v", m.Config, len(m.Layers), err)
	}
	for i, name := range m.Layers {
		gz, err := gzip.NewReader(bytes.NewReader(entries[name]))
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, gz); err != nil {
			return nil, err
		}
		if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); got != config.RootFS.DiffIDs[i] {
			return nil, fmt.Errorf("invalid diffID for layer %d: expected %q, got %q", i, config.RootFS.DiffIDs[i], got)
		}
	}
	id := fmt.Sprintf("sha256:%x", sha256.Sum256(entries[m.Config]))
	e.images[id] = id
	for _, tag := range m.RepoTags {
		e.images[tag] = id
	}
	return map[string]string{"stream": "Loaded image: " + m.RepoTags[0]}, nil
}

// startEngine serves e on a socket and connects to it as forge does.
func startEngine(t *testing.T, e *oldEngine) *client.Client {
	t.Helper()
	e.images = map[string]string{}
	socket := filepath.Join(t.TempDir(), "engine.sock")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	server := &http.Server{Handler: e}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	engine, err := NewEngine("unix://" + socket)
	must(t, err)
	t.Cleanup(func() { engine.Close() })
	return engine
}

func TestLoad(t *testing.T) {
	fake := &oldEngine{}
	engine := startEngine(t, fake)
	dir, _ := writeImage(t, writeLayers(t), slaveConfig())
	info, err := InspectLayout(dir)
	must(t, err)
	var events event.Recorder
	got, err := Load(t.Context(), dir, "cluster/slave:1", engine, &events)
	must(t, err)
	if want := (Loaded{ID: info.ConfigDigest, Tag: "cluster/slave:1"}); got != want {
		t.Errorf("loaded %+v, want %+v", got, want)
	}
	checkProgress(t, events.Events(), info.Size)
	again, err := Load(t.Context(), dir, "cluster/slave:2", engine, nil)
	must(t, err)
	if want := (Loaded{ID: info.ConfigDigest, Tag: "cluster/slave:2", Existed: true}); again != want {
		t.Errorf("loaded %+v, want %+v", again, want)
	}
	if fake.loads != 1 || fake.images["docker.io/cluster/slave:2"] != info.ConfigDigest {
		t.Errorf("%d loads; images are %v", fake.loads, fake.images)
	}
}

func TestLoadErrors(t *testing.T) {
	dir, _ := writeImage(t, writeLayers(t), slaveConfig())
	engine := startEngine(t, &oldEngine{refuse: "no space left on device"})
	if _, err := Load(t.Context(), dir, "slave:1", engine, nil); err == nil || !strings.Contains(err.Error(), "load "+dir+": the engine says: no space left on device") {
		t.Errorf("a failing engine: %v", err)
	}
	if _, err := Load(t.Context(), dir, "Slave:1", engine, nil); err == nil || !strings.Contains(err.Error(), "it should be like cluster/slave:1") {
		t.Errorf("a bad tag: %v", err)
	}
	nobody, err := NewEngine("unix://" + filepath.Join(t.TempDir(), "none.sock"))
	must(t, err)
	if _, err := Load(t.Context(), dir, "slave:1", nobody, nil); err == nil || !strings.Contains(err.Error(), "apt-get install docker.io") {
		t.Errorf("no engine: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, dir, "slave:1", engine, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	layer := filepath.Join(dir, "index.json")
	must(t, os.Remove(layer))
	if _, err := Load(t.Context(), dir, "slave:1", engine, nil); err == nil || !strings.Contains(err.Error(), "index.json") {
		t.Errorf("a damaged layout: %v", err)
	}
}

// TestLoadIntoDocker needs a real engine: FORGE_TEST_DOCKER=unix:///var/run/docker.sock.
func TestLoadIntoDocker(t *testing.T) {
	host := os.Getenv("FORGE_TEST_DOCKER")
	if host == "" {
		missing(t, "FORGE_TEST_DOCKER does not name an engine; hack/test starts one")
	}
	engine, err := NewEngine(host)
	must(t, err)
	defer engine.Close()
	cfg := slaveConfig()
	cfg.Entrypoint = []string{"/usr/lib/lib0.so"}
	dir, _ := writeImage(t, writeLayers(t), cfg)
	loaded, err := Load(t.Context(), dir, "forge-test/load:1", engine, nil)
	must(t, err)
	t.Cleanup(func() { removeImage(t, engine, loaded.ID) })
	again, err := Load(t.Context(), dir, "forge-test/load:2", engine, nil)
	must(t, err)
	if !again.Existed || again.ID != loaded.ID {
		t.Errorf("the second load gave %+v after %+v", again, loaded)
	}
	created, err := engine.ContainerCreate(t.Context(), &container.Config{Image: loaded.Tag}, nil, nil, nil, "")
	must(t, err)
	defer engine.ContainerRemove(context.WithoutCancel(t.Context()), created.ID, container.RemoveOptions{Force: true})
	names := exported(t, engine, created.ID)
	for name, want := range map[string]bool{"etc/hadoop/core-site.xml": true, "usr/lib/lib24.so": true, "etc/.wh.hostname": false, "etc/hadoop/.wh..wh..opq": false} {
		if names[name] != want {
			t.Errorf("the container has %s: %v, want %v", name, names[name], want)
		}
	}
}

func exported(t *testing.T, engine *client.Client, id string) map[string]bool {
	t.Helper()
	content, err := engine.ContainerExport(t.Context(), id)
	must(t, err)
	defer content.Close()
	names := map[string]bool{}
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			return names
		}
		must(t, err)
		names[strings.TrimPrefix(h.Name, "./")] = true
	}
}

func removeImage(t *testing.T, engine *client.Client, id string) {
	t.Helper()
	if _, err := engine.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true}); err != nil {
		t.Errorf("remove %s: %v", id, err)
	}
}
