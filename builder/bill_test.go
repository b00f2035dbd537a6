package builder

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/mesos-forge/forge/builder/recipe"
)

// TestBillOfArchives: a package that holds an archive tells what lies in that, however it was made.
func TestBillOfArchives(t *testing.T) {
	for _, c := range []struct {
		stack string
		want  []string // parts of forge-hadoop-archive; nil: those of forge-hadoop
	}{
		{"cdh5", []string{"hadoop-archive/hadoop-mesos", "hadoop-archive/tarball"}},
		{"bookworm", nil},
	} {
		stack, err := recipe.Load(os.DirFS(".."), c.stack)
		if err != nil {
			t.Fatal(err)
		}
		stack = stack.Without(stack.OptionalComponents()...)
		b := &Builder{opt: Options{Vendor: t.TempDir()}, stack: stack, operator: map[string]*operatorDeb{}, files: map[string]operatorFiles{}}
		r := stack.Roles["master"]
		if err := b.findOperatorFiles(r); err != nil {
			t.Fatal(err)
		}
		packages := b.billPackages(r)
		got := packages["forge-hadoop-archive"].Parts
		if c.want == nil {
			c.want = slices.Sorted(maps.Keys(packages["forge-hadoop"].Parts))
			if core := got["hadoop/hadoop-core"]; core.Name != "org.apache.hadoop:hadoop-core" || core.Purl != "pkg:maven/org.apache.hadoop/hadoop-core@1.2.1" {
				t.Errorf("%s: hadoop-core is %+v", c.stack, core)
			}
		}
		if names := slices.Sorted(maps.Keys(got)); len(c.want) < 2 || !slices.Equal(names, c.want) {
			t.Errorf("%s: forge-hadoop-archive holds %v, want %v", c.stack, names, c.want)
		}
	}
}
