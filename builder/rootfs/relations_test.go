package rootfs

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRelations(t *testing.T) {
	got := parseRelations("libc6 (>= 2.34), perl:any | perl5(<<5), ,x [amd64]")
	want := [][]relation{
		{{name: "libc6", op: ">=", version: "2.34"}},
		{{name: "perl"}, {name: "perl5", op: "<<", version: "5"}},
		{{name: "x [amd64]"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(relation{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

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
					compareVersions(v[0], v[1]) // not valid: must not panic
					continue
				}
				want := exec.Command("dpkg", "--compare-versions", v[0], op, v[1]).Run() == nil
				if got := holds(compareVersions(v[0], v[1])); got != want {
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
		x, y := compareVersions(a, b), compareVersions(b, a)
		if (x < 0) != (y > 0) || (x == 0) != (y == 0) {
			t.Errorf("%q against %q: %d and %d", a, b, x, y)
		}
		parseRelations(a)
	})
}

func TestReplaces(t *testing.T) {
	for _, c := range []struct {
		field, name, version string
		want                 bool
	}{
		{"a, b (<< 2)", "a", "1", true},
		{"a, b (<< 2)", "b", "1", true},
		{"a, b (<< 2)", "b", "2", false},
		{"b (<= 2~)", "b", "2", false},
		{"b (= 2)", "b", "2-0", true},
		{"b (>= 2)", "b", "3", true},
		{"b (>> 2)", "b", "2", false},
		{"", "b", "2", false},
	} {
		if got := replaces(c.field, c.name, c.version); got != c.want {
			t.Errorf("replaces(%q, %s, %s) = %v", c.field, c.name, c.version, got)
		}
	}
}
