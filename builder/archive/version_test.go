package archive

import (
	"os/exec"
	"strings"
	"testing"
)

var versionPairs = [][2]string{
	{"1.0", "1.0"}, {"1.0", "1.0-0"}, {"1.0~rc1", "1.0"}, {"1.0", "1.0+b1"}, {"2:1.0", "3.0"}, {"1.9", "1.10"},
	{"1.0a", "1.0+"}, {"1.0-1", "1.0-1.1"}, {"1.0~~", "1.0~"}, {"0001", "1"}, {"1a", "1b"}, {"1.2.3-4+deb12u1", "1.2.3-4"},
	{"12.2.0-14+deb12u1", "12.2.0-14"}, {"2.36-9+deb12u14", "2.36-9+deb12u9"}, {"a", ""}, {"1:", "1"}, {"5.36.0-7", "5.36.0-7+b1"},
}

// TestCompareVersions asks dpkg.
func TestCompareVersions(t *testing.T) {
	for _, p := range versionPairs {
		for _, v := range [][2]string{p, {p[1], p[0]}} {
			for op, holds := range map[string]func(int) bool{
				"lt": func(c int) bool { return c < 0 }, "eq": func(c int) bool { return c == 0 }, "gt": func(c int) bool { return c > 0 },
			} {
				if v[0] == "" || v[1] == "" || strings.HasSuffix(v[0], ":") || strings.HasSuffix(v[1], ":") {
					CompareVersions(v[0], v[1]) // not valid: must not panic
					continue
				}
				want := exec.Command("dpkg", "--compare-versions", v[0], op, v[1]).Run() == nil
				if got := holds(CompareVersions(v[0], v[1])); got != want {
					t.Errorf("%q %s %q: %v, dpkg says %v", v[0], op, v[1], got, want)
				}
			}
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	for _, p := range versionPairs {
		f.Add(p[0], p[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := CompareVersions(a, b), CompareVersions(b, a)
		if (x < 0) != (y > 0) || (x == 0) != (y == 0) {
			t.Errorf("%q against %q: %d and %d", a, b, x, y)
		}
	})
}
