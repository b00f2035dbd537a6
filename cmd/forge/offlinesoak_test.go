//go:build soak

package main_test

import (
	"path/filepath"
	"testing"
)

// TestOfflineBundle builds a whole role, image and disk, on a machine without a network and without a JDK, whose Go
// has compiled nothing yet, and gets what the build that the bundle was made of got.
func TestOfflineBundle(t *testing.T) {
	f, res := builtRole(t)
	path := filepath.Join(f.dir, "slave.tar")
	f.flags = nil // the shared build took the host's JDK
	f.vendored(path, res.Roles[0].Lock, "--with-jdk")
	g := newForge(t)
	g.withoutNetwork()
	g.wrap = append([]string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /usr/lib/jvm && exec "$0" "$@"`}, g.wrap...)
	if out, errs, code := g.run("build", "--bundle", path); code != 0 {
		t.Fatalf("without a network: exit status %d\n%s%s", code, errs, out)
	}
	if g.sums() != f.sums() {
		t.Errorf("without a network the results are\n%swant\n%s", g.sums(), f.sums())
	}
}
