//go:build soak

package main_test

import (
	"path/filepath"
	"testing"
)

// TestOfflineBundle builds a whole role, image and disk, on a machine without a network, whose Go has compiled
// nothing yet, and gets what the build that the bundle was made of got.
func TestOfflineBundle(t *testing.T) {
	f, res := builtRole(t)
	path := filepath.Join(f.dir, "slave.tar")
	f.vendored(path, res.Roles[0].Lock)
	g := newForge(t)
	g.withoutNetwork()
	if out, errs, code := g.run("build", "--bundle", path); code != 0 {
		t.Fatalf("without a network: exit status %d\n%s%s", code, errs, out)
	}
	if g.sums() != f.sums() {
		t.Errorf("without a network the results are\n%swant\n%s", g.sums(), f.sums())
	}
}
