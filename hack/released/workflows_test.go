package released_test

import "testing"

// TestWorkflows has actionlint look at the workflows, and shellcheck at their scripts and at those that they run.
func TestWorkflows(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles actionlint")
	}
	needs(t, "shellcheck")
	if out := run(t, "../..", "./hack/tool", "actionlint", "-shellcheck", "shellcheck", "-pyflakes", ""); out != "" {
		t.Error(out)
	}
	run(t, "../..", "shellcheck", "hack/release", "hack/tool", "hack/packaging/generate")
}
