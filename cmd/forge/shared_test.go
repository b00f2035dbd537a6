package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mesos-forge/forge/builder"
)

// builtRole returns a forge that has built the role slave into its own output folder, and what it
// made. All tests share one store, which outlives them: the first one of a machine builds, the
// others only place the results.
func builtRole(t *testing.T) (*forge, builder.Result) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a whole role")
	}
	f := newForge(t)
	cache := os.Getenv("FORGE_TEST_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(user, "forge-test")
	}
	shared := filepath.Join(cache, "store")
	if err := os.MkdirAll(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(shared, filepath.Join(f.dir, "store")); err != nil {
		t.Fatal(err)
	}
	return f, f.build()
}

// missing ends a test that needs something that this machine has not.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
