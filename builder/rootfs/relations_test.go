package rootfs

import (
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

func FuzzParseRelations(f *testing.F) {
	f.Add("libc6 (>= 2.34), perl:any | perl5(<<5), ,x [amd64]")
	f.Fuzz(func(t *testing.T, field string) {
		for _, group := range parseRelations(field) {
			if len(group) == 0 {
				t.Errorf("%q: a group without alternatives", field)
			}
		}
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
