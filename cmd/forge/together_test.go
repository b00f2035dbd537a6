package main_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/event"
)

// TestTogether builds the same role twice at once in one store that lacks some results.
func TestTogether(t *testing.T) {
	missing := []string{"deb/forge-hdfs", "layer/role/slave", "rootfs/container/slave", "layer/container/slave", "image/slave"}
	a := forgeWithout(t, missing...)
	b := newForge(t)
	b.store, b.flags = a.store, a.flags
	b.checkout = a.checkout // what one reads the other may read
	b.out = filepath.Join(b.dir, "out")
	builds := []*running{a.start("build", "--role", "slave", "--output", "json"), b.start("build", "--role", "slave", "--output", "json")}
	ran := map[string]int{}
	for i, f := range []*forge{a, b} {
		out, code := builds[i].wait()
		if code != 0 {
			t.Fatalf("exit status %d\n%s", code, builds[i].messages())
		}
		if diff := cmp.Diff(shared.digests, f.digests(f.result(out))); diff != "" {
			t.Errorf("build %d: the digests differ from those of an undisturbed build (-want +got):\n%s", i+1, diff)
		}
		for name, n := range builds[i].count(event.StepDone) {
			ran[name] += n
		}
	}
	want := map[string]int{}
	for _, name := range missing {
		want[name] = 1
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("how often steps ran (-want +got):\n%s", diff)
	}
	a.expectTidy()
}
