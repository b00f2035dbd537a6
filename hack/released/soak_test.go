//go:build soak

package released_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReleaseTwice makes two releases of one commit in folders of other names, in other time zones: what they offer is the same.
func TestReleaseTwice(t *testing.T) {
	needs(t, "git")
	first := clone(t)
	second := filepath.Join(t.TempDir(), "in", "another", "place")
	if err := os.MkdirAll(filepath.Dir(second), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, first, "git", "clone", "--quiet", filepath.Join(filepath.Dir(first), "repository"), second)
	var sums []string
	for checkout, zone := range map[string]string{first: "Asia/Tokyo", second: "America/St_Johns"} {
		t.Setenv("TZ", zone)
		text, err := os.ReadFile(filepath.Join(snapshot(t, checkout), "dist", "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(text))
	}
	if sums[0] != sums[1] {
		t.Errorf("two releases of one commit:\n%s\n%s", sums[0], sums[1])
	}
}
