package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mesos-forge/forge/builder"
)

// builtRole returns a forge that has built the role slave into its own output folder, and what it
// made.
func builtRole(t *testing.T) (*forge, builder.Result) {
	t.Helper()
	f := sharedForge(t)
	return f, f.build()
}

// sharedForge returns a forge with an output folder of its own and a store that it shares with all
// others and that outlives them: the first test of a machine builds, the others place the results.
func sharedForge(t *testing.T) *forge {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a whole role")
	}
	f := newForge(t)
	shared := filepath.Join(testCache(t), "store")
	if err := os.MkdirAll(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(shared, filepath.Join(f.dir, "store")); err != nil {
		t.Fatal(err)
	}
	return f
}

// testCache is the folder for what tests keep for the next run.
func testCache(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("FORGE_TEST_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(user, "forge-test")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	return cache
}

// missing ends a test that needs something that this machine has not.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
