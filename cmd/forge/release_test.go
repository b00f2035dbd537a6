package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/image/oci/registrytest"
)

// TestReleaseOfRoles runs what the release workflow runs, with Debian's registry in place of the project's, for a role
// of a cluster and for the builder. How goreleaser makes the programs, the tests in hack/released show.
func TestReleaseOfRoles(t *testing.T) {
	e := newEngine(t)
	kept := t.TempDir()
	registry := registrytest.Registry{Data: kept}.Start(t)
	f := forgeWithout(t)
	f.flags, f.out = nil, filepath.Join(f.checkout, "out")
	private, public := opensslKey(t, f.dir)
	programs, dist := filepath.Join(f.dir, "programs"), filepath.Join(f.checkout, "dist")
	if err := os.MkdirAll(filepath.Join(programs, "forge_linux_amd64_v1", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	copyAll(t, f.program, filepath.Join(programs, "forge_linux_amd64_v1", "bin", "forge"))
	if err := os.WriteFile(filepath.Join(programs, "metadata.json"), []byte(`{"version":"0.9.1-next"}`), 0o644); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(filepath.Join(f.checkout, "hack", "release"), "--programs", programs, "--store", f.store, "--role", "slave", "--role", "builder",
		"--registry", registry+"/forge-lab", "--allow-standins", "--apt", filepath.Join(f.dir, "apt"))
	cmd.Env = append(os.Environ(), "FORGE_SIGN_KEY="+contentOf(t, private), "FORGE_SIGN_PASSPHRASE="+planted, "FORGE_SIGNING_KEY="+signingKey(t, planted),
		"FORGE_SIGNING_PASSPHRASE="+planted, "GITHUB_TOKEN="+planted)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("hack/release: %v\n%s", err, said)
	}
	keepDownloads(t, f.store)
	checkReleased(t, filepath.Join(dist, "roles"))
	for _, ref := range strings.Fields(contentOf(t, filepath.Join(dist, "roles", "images.txt"))) {
		if strings.Contains(ref, "-disk@") {
			continue
		}
		if out, errs, code := f.run("verify", ref, "--key", public); code != 0 {
			t.Errorf("forge verify %s: exit status %d\n%s%s", ref, code, out, errs)
		}
	}
	if strings.Contains(string(said), planted) {
		t.Errorf("hack/release says the passphrase:\n%s", said)
	}
	grepNone(t, []string{planted, strings.Split(contentOf(t, private), "\n")[1]}, dist, f.out, f.store, kept, filepath.Join(f.dir, "apt"))
	checkBuilderRole(t, e, f)
}

// checkReleased wants all files of a release of the roles slave and builder.
func checkReleased(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS.roles")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("SHA256SUMS.roles: %v\n%s", err, out)
	}
	sums := contentOf(t, filepath.Join(dir, "SHA256SUMS.roles"))
	for _, want := range []string{"slave-disk.qcow2", "slave-packages.json", "slave-sbom.spdx.json", "slave-provenance.json", "slave-provenance.sigstore.json", "slave-forge.lock",
		"builder-packages.json", "builder-sbom.spdx.json", "builder-provenance.json", "builder-provenance.sigstore.json", "builder-forge.lock",
		"forge-role-slave_1-1_all.deb", "forge-role-slave_1-1_all.deb.spdx.json", "forge-builder_0.1.0-1_amd64.deb", "images.txt", "apt-repository.tar"} {
		if !strings.Contains(sums, "  "+want+"\n") {
			t.Errorf("the release lacks %s", want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != strings.Count(sums, "\n")+1 {
		t.Errorf("%d files (%v), of which SHA256SUMS.roles names %d", len(entries), err, strings.Count(sums, "\n"))
	}
	digest := regexp.MustCompile(`^127\.0\.0\.1:[0-9]+/forge-lab/([a-z-]+)(?::[^@]*)?@sha256:[0-9a-f]{64}$`)
	var names []string
	for _, ref := range strings.Fields(contentOf(t, filepath.Join(dir, "images.txt"))) {
		if m := digest.FindStringSubmatch(ref); m != nil {
			names = append(names, m[1])
		} else {
			t.Errorf("%q names no digest", ref)
		}
	}
	if want := []string{"slave", "slave-disk", "builder"}; !slices.Equal(names, want) {
		t.Errorf("images of %q, want %q", names, want)
	}
	listed, err := exec.Command("tar", "-tf", filepath.Join(dir, "apt-repository.tar")).Output()
	if err != nil || !strings.Contains(string(listed), "./publications/bookworm/1/InRelease\n") {
		t.Errorf("the apt repository: %v\n%s", err, listed)
	}
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
