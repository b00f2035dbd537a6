package oci

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writeLayers makes a base and a role layer.
func writeLayers(t testing.TB) []LayerFile {
	t.Helper()
	dir := t.TempDir()
	var layers []LayerFile
	for i, write := range []func(testing.TB, string){writeBase, writeDelta} {
		tree := filepath.Join(dir, fmt.Sprintf("tree%d", i))
		must(t, os.Mkdir(tree, 0o755))
		write(t, tree)
		path := tree + ".tar.gz"
		f, err := os.Create(path)
		must(t, err)
		info, err := WriteLayer(t.Context(), tree, i > 0, epoch, f)
		must(t, err)
		must(t, f.Close())
		layers = append(layers, info.File(path, fmt.Sprintf("forge layer %d", i)))
	}
	return layers
}

func slaveConfig() Config {
	return Config{
		Role: "slave", Created: epoch, StandIns: []string{"mesos", "azkaban"},
		Labels:      map[string]string{"org.opencontainers.image.version": "1", StandInsLabel: "none, honestly"},
		Annotations: map[string]string{"org.opencontainers.image.description": "a slave"},
		Env:         []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC"}, Entrypoint: []string{"/usr/lib/forge/init"},
		ExposedPorts: []string{"50075/tcp", "5051/tcp"}, Volumes: []string{"/data"}, StopSignal: "SIGTERM",
	}
}

func writeImage(t testing.TB, layers []LayerFile, cfg Config) (dir, digest string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "image")
	digest, err := WriteLayout(dir, layers, cfg)
	must(t, err)
	return dir, digest
}

// files reads a whole directory.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(content)
		return err
	}))
	return all
}

func TestWriteLayoutIsTheSameEveryTime(t *testing.T) {
	one, first := writeImage(t, writeLayers(t), slaveConfig())
	two, second := writeImage(t, writeLayers(t), slaveConfig())
	if first != second {
		t.Errorf("digests %s and %s", first, second)
	}
	if diff := cmp.Diff(files(t, one), files(t, two)); diff != "" {
		t.Errorf("layouts differ:\n%s", diff)
	}
	if n := len(files(t, one)); n != 6 {
		t.Errorf("the layout has %d files, want oci-layout, index.json, manifest, config and two layers", n)
	}
	got, err := Validate(one)
	if got != first || err != nil {
		t.Errorf("Validate says %s, %v; want %s", got, err, first)
	}
}

func TestWriteLayoutTakesTheSameLayerTwice(t *testing.T) {
	layers := writeLayers(t)
	dir, digest := writeImage(t, []LayerFile{layers[0], layers[0]}, slaveConfig())
	if got, err := Validate(dir); got != digest || err != nil {
		t.Errorf("Validate says %s, %v; want %s", got, err, digest)
	}
}

func TestInspectLayout(t *testing.T) {
	layers := writeLayers(t)
	dir, digest := writeImage(t, layers, slaveConfig())
	got, err := InspectLayout(dir)
	must(t, err)
	want := Info{
		Ref: "latest", Digest: digest, ConfigDigest: got.ConfigDigest, Created: epoch.UTC(), OS: "linux", Arch: "amd64", Role: "slave",
		StandIns: []string{"azkaban", "mesos"},
		Labels: map[string]string{
			"org.opencontainers.image.created": "2023-11-14T22:13:20Z", "org.opencontainers.image.title": "slave",
			"org.opencontainers.image.version": "1", RoleLabel: "slave", StandInsLabel: "azkaban,mesos",
		},
		Annotations: map[string]string{
			"org.opencontainers.image.created": "2023-11-14T22:13:20Z", "org.opencontainers.image.title": "slave",
			"org.opencontainers.image.description": "a slave", RoleLabel: "slave", StandInsLabel: "azkaban,mesos",
		},
		Layers: []LayerSummary{
			{layers[0].Digest, layers[0].DiffID, layers[0].Size, "forge layer 0"},
			{layers[1].Digest, layers[1].DiffID, layers[1].Size, "forge layer 1"},
		},
		Size: layers[0].Size + layers[1].Size,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
}

func TestWriteLayoutRefuses(t *testing.T) {
	layers := writeLayers(t)
	changed := func(change func(*LayerFile)) []LayerFile {
		l := layers[0]
		change(&l)
		return []LayerFile{l}
	}
	config := func(change func(*Config)) Config {
		c := slaveConfig()
		change(&c)
		return c
	}
	tests := []struct {
		name   string
		layers []LayerFile
		cfg    Config
		want   string
	}{
		{"no layers", nil, slaveConfig(), "at least one layer"},
		{"no file", changed(func(l *LayerFile) { l.Path += "x" }), slaveConfig(), "no such file"},
		{"wrong size", changed(func(l *LayerFile) { l.Size++ }), slaveConfig(), "bytes, expected"},
		{"bad digest", changed(func(l *LayerFile) { l.Digest = "sha256:../../etc/passwd" }), slaveConfig(), "is no sha256 digest"},
		{"bad diff id", changed(func(l *LayerFile) { l.DiffID = "" }), slaveConfig(), "diff id"},
		{"no role", layers, config(func(c *Config) { c.Role = "" }), "Role is empty"},
		{"no time", layers, config(func(c *Config) { c.Created = time.Time{} }), "Created is not set"},
		{"bad port", layers, config(func(c *Config) { c.ExposedPorts = []string{"50075"} }), `port "50075" is not like 50075/tcp`},
		{"bad environment", layers, config(func(c *Config) { c.Env = []string{"PATH"} }), `environment "PATH"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := WriteLayout(filepath.Join(t.TempDir(), "image"), test.layers, test.cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to say %q", err, test.want)
			}
		})
	}
	dir, _ := writeImage(t, layers, slaveConfig())
	if _, err := WriteLayout(dir, layers, slaveConfig()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another image: %v, want fs.ErrExist", err)
	}
}

// TestLayoutIsACopy: what is done to a layout doesn't reach the store that its layers come from.
func TestLayoutIsACopy(t *testing.T) {
	layers := writeLayers(t)
	dir, _ := writeImage(t, layers, slaveConfig())
	for _, layer := range layers {
		before, err := os.ReadFile(layer.Path)
		must(t, err)
		// In place: a hard link would carry it over.
		must(t, os.WriteFile(filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(layer.Digest, "sha256:")), []byte("changed"), 0o644))
		after, err := os.ReadFile(layer.Path)
		must(t, err)
		if !bytes.Equal(before, after) {
			t.Errorf("%s changed together with its copy in the layout", layer.Path)
		}
	}
}

func TestValidateFindsDamage(t *testing.T) {
	layers := writeLayers(t)
	// blob finds a blob by something that it holds.
	blob := func(t *testing.T, dir, holds string) string {
		paths, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
		must(t, err)
		at := slices.IndexFunc(paths, func(path string) bool {
			content, err := os.ReadFile(path)
			return err == nil && bytes.Contains(content, []byte(holds))
		})
		if at < 0 {
			t.Fatalf("no blob holds %q", holds)
		}
		return paths[at]
	}
	rewrite := func(t *testing.T, path string, edit func([]byte) []byte) {
		content, err := os.ReadFile(path)
		must(t, err)
		must(t, os.Remove(path))
		must(t, os.WriteFile(path, edit(content), 0o644))
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"layer", func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(layers[0].Digest, "sha256:")), flip)
		}, "layer"},
		{"layer cut off", func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(layers[1].Digest, "sha256:")), func(b []byte) []byte { return b[:len(b)-9] })
		}, "layer"},
		{"layer missing", func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "blobs/sha256", strings.TrimPrefix(layers[1].Digest, "sha256:"))))
		}, "no such file"},
		{"manifest", func(t *testing.T, dir string) {
			rewrite(t, blob(t, dir, `"mediaType":"application/vnd.oci.image.manifest`), func(b []byte) []byte { return bytes.Replace(b, []byte("a slave"), []byte("a Slave"), 1) })
		}, "the manifest's digest is"},
		{"config", func(t *testing.T, dir string) {
			rewrite(t, blob(t, dir, `"StopSignal"`), func(b []byte) []byte { return bytes.Replace(b, []byte("azkaban,mesos"), []byte("azkaban,meSos"), 1) })
		}, "the config's digest is"},
		{"extra blob", func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "blobs/sha256/stray"), nil, 0o644))
		}, "blob stray belongs to no image"},
		{"index", func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, "index.json"), func([]byte) []byte { return []byte("{") })
		}, "index.json"},
		{"version", func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, "oci-layout"), func([]byte) []byte { return []byte(`{"imageLayoutVersion":"9"}`) })
		}, `layout version "9"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, _ := writeImage(t, layers, slaveConfig())
			test.damage(t, dir)
			_, err := Validate(dir)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error is %v, want ErrDamaged, the layout and %q", err, test.want)
			}
		})
	}
	if _, err := Validate(t.TempDir()); err == nil || !strings.Contains(err.Error(), `"forge build" makes one`) {
		t.Errorf("no layout at all: %v", err)
	}
}

// TestSkopeoReadsTheLayout has another implementation read it, layers too.
func TestSkopeoReadsTheLayout(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		missing(t, "skopeo is needed: %v", err)
	}
	layers := writeLayers(t)
	dir, digest := writeImage(t, layers, slaveConfig())
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "skopeo", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	got := run("inspect", "--format", "{{.Digest}} {{.Created.Unix}} {{.Architecture}} {{.Layers}} {{index .Labels \""+RoleLabel+"\"}}", "oci:"+dir+":latest")
	want := fmt.Sprintf("%s %d amd64 [%s %s] slave\n", digest, epoch.Unix(), layers[0].Digest, layers[1].Digest)
	if got != want {
		t.Errorf("skopeo says %q, want %q", got, want)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	run("--insecure-policy", "copy", "--quiet", "oci:"+dir+":latest", "oci:"+copied+":latest")
	if copiedDigest, err := Validate(copied); copiedDigest != digest || err != nil {
		t.Errorf("skopeo's copy is %s, %v; want %s", copiedDigest, err, digest)
	}
}

// missing ends a test that needs something that this machine has not.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
