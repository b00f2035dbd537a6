package rootfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	files := map[string]string{"same": "x", "content": "a", "mode": "x", "gone": "x"}
	a := lay(t, files)
	delete(files, "gone")
	files["content"], files["new"] = "b", "x"
	b := lay(t, files)
	if err := os.Chmod(filepath.Join(b, "mode"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{a, b} {
		if err := clampTimes(t.Context(), dir, sealEpoch); err != nil {
			t.Fatal(err)
		}
	}
	diff, err := Compare(t.Context(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range diff {
		got = append(got, d.String())
	}
	want := []string{
		"./content: sha256 ca978112ca1b... != 3e23e8160039...",
		"./gone: only in A",
		"./mode: mode 0644 != 0600",
		"./new: only in B",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
