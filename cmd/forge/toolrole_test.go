package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// checkBuilderRole looks at the results of the role builder, and has forge in its image make the package of itself
// again: without sources, Go or a network it has the same bytes.
func checkBuilderRole(t *testing.T, e *engine, f *forge) {
	t.Helper()
	out, errs, code := f.run("build", "--role", "builder", "--output", "json")
	if code != 0 {
		t.Fatalf("forge build: exit status %d\n%s", code, errs)
	}
	role := f.result(out).Roles[0]
	if len(role.Disks) > 0 || len(role.Debs) != 2 {
		t.Errorf("results: disks %q, packages %q", role.Disks, role.Debs)
	}
	checkBuilderImage(t, filepath.Join(f.out, role.Image))
	if sbom := contentOf(t, filepath.Join(f.out, role.SBOM)); !strings.Contains(sbom, `"builder container image"`) || strings.Contains(sbom, `"builder disk"`) {
		t.Error("the SBOM does not describe the image alone")
	}
	text, err := os.ReadFile(filepath.Join(f.out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}

	image := e.load(f, "builder", "forge-test/builder:1")
	b := e.create(container.Config{Image: image, Entrypoint: []string{"sleep", "infinity"}}, // with what docs/releases.md says that builds need
		container.HostConfig{Init: new(bool), CapAdd: []string{"SYS_ADMIN"}, SecurityOpt: []string{"seccomp=unconfined", "apparmor=unconfined"}})
	b.start()
	if stacks, _, _ := b.run("forge", "__complete", "build", "--stack", ""); !strings.Contains(stacks, "bookworm-ha") {
		t.Errorf("forge in its image knows the stacks %q", stacks)
	}
	b.must("sh", "-ec", "! command -v go; cd /tmp; forge init; forge lint; forge render --node slave1 >/dev/null; forge doctor")
	b.must("sh", "-ec", "cd /tmp; forge build --role builder --only packages --quiet; cd out; sha256sum -c SHA256SUMS")
	for _, deb := range role.Debs {
		sum, _, _ := b.run("sha256sum", filepath.Join("/tmp/out", deb))
		if digest, _, _ := strings.Cut(sum, " "); digest == "" || !strings.Contains(string(text), digest+"  "+deb) {
			t.Errorf("%s that forge makes in its image: %s; outside:\n%s", deb, sum, text)
		}
	}
}

// checkBuilderImage wants an image that runs forge, of the base and one layer.
func checkBuilderImage(t *testing.T, dir string) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(cfg.Config.Entrypoint, []string{"/usr/bin/forge"}) || !slices.Contains(cfg.Config.Env, "FORGE_CHECKOUT=/usr/share/forge") {
		t.Errorf("the image runs %q with %q", cfg.Config.Entrypoint, cfg.Config.Env)
	}
	if n := len(cfg.RootFS.DiffIDs); n != 2 {
		t.Errorf("the image has %d layers, want the base and forge", n)
	}
}
