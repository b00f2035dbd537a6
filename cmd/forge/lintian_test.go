package main_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLintian holds what lintian says of the packages as they are built: no errors but those that
// an override in the package takes back, with its reason above it, and no override without its use.
func TestLintian(t *testing.T) {
	if _, err := exec.LookPath("lintian"); err != nil {
		missing(t, err.Error())
	}
	f, res := builtRole(t)
	args := []string{"--no-cfg", "--allow-root", "--fail-on", "none", "--show-overrides", "--tag-display-limit", "0"}
	for _, d := range res.Roles[0].Debs {
		args = append(args, filepath.Join(f.out, d))
	}
	out, err := exec.Command("lintian", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("lintian: %v\n%s", err, out)
	}
	var overridden, reasons []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "E:"), strings.Contains(line, "unused-override"):
			t.Error(line)
		case strings.HasPrefix(line, "O:"):
			overridden = append(overridden, line)
		case strings.HasPrefix(line, "N: "):
			reasons = append(reasons, line)
		}
	}
	slices.Sort(overridden)
	want := []string{
		"O: forge-node: statically-linked-binary [usr/bin/forge-node]",
		"O: mesos: statically-linked-binary [usr/lib/mesos-standin/forge-standin]",
	}
	if diff := cmp.Diff(want, overridden); diff != "" {
		t.Errorf("overrides (-want +got):\n%s", diff)
	}
	if len(reasons) < len(want) {
		t.Errorf("reasons of the overrides: %q", reasons)
	}
}
