package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/step"
)

// TestGCKeepsWhatABuildNeeds: after a collection a build has nothing to do, and the downloads that its
// steps would need to run again are there.
func TestGCKeepsWhatABuildNeeds(t *testing.T) {
	f := forgeWithout(t)
	named := regexp.MustCompile(`sha256:([0-9a-f]{64})`)
	var needed []string
	for _, rec := range results(t, f.store) {
		for _, o := range rec.Outputs {
			if o.Type != step.Blob || rec.Kind != "apt-solve" && rec.Kind != "sources" {
				continue
			}
			b, err := os.ReadFile(blobPath(f.store, o.Digest.Hex()))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllSubmatch(b, -1) {
				if path := blobPath(f.store, string(m[1])); exists(path) { // else it is the digest of a package that forge made anew
					needed = append(needed, path)
				}
			}
		}
	}
	if len(needed) < 100 {
		t.Fatalf("the build's lists name %d downloads; want more", len(needed))
	}
	if out, errs, code := f.run("gc"); code != 0 || !strings.HasPrefix(out, "removed 0 results") {
		t.Errorf("forge gc: exit status %d\n%s%s", code, out, errs)
	}
	for _, path := range needed {
		if !exists(path) {
			t.Errorf("the download %s is gone", path)
		}
	}
	if again := f.build(); again.Ran != 0 {
		t.Errorf("after forge gc a build ran %d steps", again.Ran)
	}
	if out, errs, code := f.run("gc", "--older", "0d"); code != 0 || !strings.Contains(out, "kept 0 results") || len(results(t, f.store)) > 0 {
		t.Errorf("forge gc --older 0d: exit status %d\n%s%s", code, out, errs)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
