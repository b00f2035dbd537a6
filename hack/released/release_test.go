// Package released_test looks at what hack/release and the settings of goreleaser make.
package released_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// released is what a snapshot run of goreleaser made.
type released struct {
	t       *testing.T
	dist    string // its folder of results
	trees   map[string]string
	version string
}

// TestRelease runs goreleaser on a clean clone, as a release does, and looks at everything that comes out.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles goreleaser and all programs for each architecture")
	}
	needs(t, "git", "dpkg", "lintian", "man", "bash")
	r := &released{t: t, dist: filepath.Join(snapshot(t, clone(t)), "dist"), version: "0.9.1-next", trees: map[string]string{}}
	t.Run("checksums", r.checksums)
	t.Run("archives", r.archives)
	t.Run("packages", r.packages)
	t.Run("programs", r.programs)
	t.Run("manuals", r.manuals)
	t.Run("completions", r.completions)
	t.Run("SBOMs", r.sboms)
	t.Run("builds", r.builds)
}

// clone makes a clean clone of the working tree as it is, committed and not: what .gitignore names is left out.
// It has a tag, as releases do.
func clone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	repository, checkout := filepath.Join(dir, "repository"), filepath.Join(dir, "checkout")
	run(t, "../..", "git", "init", "--quiet", "--bare", repository)
	in := func(args ...string) {
		t.Helper()
		run(t, "../..", "git", append([]string{"--git-dir", repository, "--work-tree", ".", "-c", "user.name=forge", "-c", "user.email=forge@mesos-forge.invalid",
			"-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false", "-c", "core.bare=false"}, args...)...)
	}
	in("add", "--all")
	in("commit", "--quiet", "--no-verify", "--message", "The checkout as it is", "--date", "2026-01-02T03:04:05Z")
	in("tag", "v0.9.0")
	run(t, dir, "git", "clone", "--quiet", repository, checkout)
	return checkout
}

// snapshot runs goreleaser as a release does, without sending anything anywhere.
func snapshot(t *testing.T, checkout string) string {
	t.Helper()
	run(t, "../..", "./hack/tool", "goreleaser", "check")
	tool, err := filepath.Abs("../tool")
	if err != nil {
		t.Fatal(err)
	}
	run(t, checkout, tool, "goreleaser", "release", "--snapshot", "--clean", "--skip", "publish", "--parallelism", "2")
	return checkout
}

// run runs a program in a folder, and returns what it printed.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, messages bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &messages
	// Commits are the same whenever they are made; no setting of this machine's user counts.
	cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C.UTF-8")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out.String(), messages.String())
	}
	return out.String()
}

// needs ends a test for which this machine lacks a program.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		} else if os.Getenv("CI") == "true" {
			t.Fatal("missing: " + err.Error())
		} else {
			t.Skip("missing: " + err.Error())
		}
	}
}
