package apt_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source/apt"
	"github.com/mesos-forge/forge/builder/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// missing says that a test can't run here: a failure in CI, a loud skip elsewhere.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// TestHostMirror solves and fetches from the mirror of the machine's own apt entries.
func TestHostMirror(t *testing.T) {
	ctx := context.Background()
	c := &apt.Client{Temp: t.TempDir()}
	m, err := c.HostMirror(ctx)
	if err != nil {
		missing(t, "no Debian mirror: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "snapshot")
	snap, err := c.Update(ctx, m.Archives("bookworm"), "amd64", dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := snap.Suites[0]; got.Codename != "bookworm" || got.Origin != "Debian" || got.Date.IsZero() {
		t.Fatalf("first suite: %+v", got)
	}
	files, err := filepath.Glob(filepath.Join(dir, "lists", "*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("lists: %v, %v", files, err)
	}
	for _, f := range files {
		if !strings.HasPrefix(filepath.Base(f), "archive.invalid_debian") {
			t.Errorf("list file %s names the mirror", f)
		}
	}

	// What follows works on the stored directory alone.
	snap, err = apt.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	base, err := c.Solve(ctx, snap, apt.Request{Name: "base", Essential: true, Install: []string{"systemd", "init"}})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]apt.Package{}
	for _, p := range base {
		byName[p.Name] = p
	}
	libc := byName["libc6"]
	if libc.Source != "glibc" || libc.Size == 0 || libc.MultiArch != "same" || !libc.Auto || !strings.HasPrefix(libc.Filename, "pool/") {
		t.Errorf("libc6: %+v", libc)
	}
	if p := byName["dpkg"]; !p.Essential || p.Auto {
		t.Errorf("dpkg: %+v", p)
	}
	if byName["systemd"].Auto || byName["systemd"].Name == "" {
		t.Errorf("systemd: %+v", byName["systemd"])
	}
	if _, ok := byName["apt"]; ok {
		t.Error("apt is in the base though nobody asked for it")
	}

	status := filepath.Join(t.TempDir(), "status")
	var text bytes.Buffer
	if err := c.WriteStatus(ctx, snap, base, &text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(status, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	role, err := c.Solve(ctx, snap, apt.Request{Name: "role", Install: []string{"hello", "systemd"}, Status: status})
	if err != nil {
		t.Fatal(err)
	}
	if len(role) != 1 || role[0].Name != "hello" {
		t.Fatalf("on top of the base: %v", role)
	}

	blobs, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer blobs.Close()
	pkgs := append(role, byName["libc6"], byName["base-files"])
	if err := c.Fetch(ctx, pkgs, blobs, apt.FetchOptions{Mirror: m, Temp: filepath.Join(blobs.Dir(), "tmp"), Jobs: 2}); err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		path, err := blobs.BlobPath(p.Digest)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("dpkg-deb", "-f", path, "Package", "Version").Output()
		if err != nil || string(out) != "Package: "+p.Name+"\nVersion: "+p.Version+"\n" {
			t.Errorf("%s: %q, %v", p, out, err)
		}
	}
}
