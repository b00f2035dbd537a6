package rootfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/rootfs/rootfstest"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// TestBaseIsWhole asks the tree's own dpkg.
func TestBaseIsWhole(t *testing.T) {
	dir := baseTree(t)
	if out := in(t, dir, "dpkg", "--audit"); out != "" {
		t.Errorf("dpkg --audit:\n%s", out)
	}
	if out := in(t, dir, "dpkg", "--verify"); out != "" {
		t.Errorf("dpkg --verify:\n%s", out)
	}
	out := in(t, dir, "dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n")
	if n := strings.Count(out, "ii  "); n != len(base.packages) || n < 50 {
		t.Errorf("%d packages installed, want %d:\n%s", n, len(base.packages), out)
	}
	for _, gone := range []string{"usr/sbin/policy-rc.d", "var/lib/dpkg/tmp.ci", "var/lib/dpkg/forge.ci", "var/lib/dpkg/status-old",
		"etc/resolv.conf", "var/log/dpkg.log", "var/cache/ldconfig/aux-cache", "etc/passwd-"} {
		if _, err := os.Lstat(filepath.Join(dir, gone)); !os.IsNotExist(err) {
			t.Errorf("%s is there (%v)", gone, err)
		}
	}
	if got := read(t, filepath.Join(dir, "etc/machine-id")); got != "" {
		t.Errorf("machine-id %q, want an empty file", got)
	}
	if !strings.Contains(read(t, filepath.Join(dir, "etc/shadow")), fmt.Sprintf("root:*:%d:", epoch.Unix()/86400)) {
		t.Errorf("root is not locked, or its date is not the epoch:\n%s", read(t, filepath.Join(dir, "etc/shadow")))
	}
}

// TestBaseIsReproducible builds again with the packages in another order, other parallelism,
// umask, time zone and locale.
func TestBaseIsReproducible(t *testing.T) {
	first := baseTree(t)
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	t.Setenv("TZ", "Asia/Tokyo")
	t.Setenv("LC_ALL", "C")
	packages := slices.Clone(base.packages)
	slices.Reverse(packages)
	second := filepath.Join(workDir(t), "a", "second")
	if err := build(t.Context(), second, packages, 1); err != nil {
		t.Fatal(err)
	}
	diff, err := rootfs.Compare(t.Context(), first, second)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

// TestBaseEqualsMmdebstrap has mmdebstrap make a tree of the same packages.
func TestBaseEqualsMmdebstrap(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		missing(t, "%v", err)
	}
	ours := baseTree(t)
	theirs := filepath.Join(workDir(t), "theirs")
	cmd := exec.Command("mmdebstrap", "--mode=root", "--variant=apt", "--include=usr-is-merged", "--format=directory",
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "bookworm", theirs)
	if _, err := os.Stat("/etc/apt/sources.list.d/debian.sources"); err == nil {
		cmd.Args = append(cmd.Args, "/etc/apt/sources.list.d/debian.sources")
	}
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix()))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mmdebstrap: %v\n%s", err, out)
	}
	if err := rootfs.Seal(t.Context(), rootfs.SealSpec{Dir: theirs, Epoch: epoch}); err != nil {
		t.Fatal(err)
	}
	diff, err := rootfs.Compare(t.Context(), theirs, ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		if rootfstest.Explain(d) == "" {
			t.Errorf("not explained: %v", d)
		}
	}
}

// rootlessMain builds a base tree from the .debs in a directory and prints its digest.
func rootlessMain(debs, dir string) int {
	code, done, err := sandbox.Enter(sandbox.Entry{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if done {
		return code
	}
	ctx, stop := signalContext()
	defer stop()
	paths, err := filepath.Glob(debs + "/*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var packages []rootfs.Package
	for _, p := range paths {
		packages = append(packages, rootfs.Package{Path: p, Auto: strings.HasSuffix(p, ".auto")})
	}
	if err := build(ctx, dir, packages, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	digest, err := archive.ManifestDigest(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.RemoveAll(dir); err != nil { // only from inside: the files belong to subordinate ids
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(digest)
	return 0
}

// TestRootless builds the same tree as an ordinary user with subordinate ids.
func TestRootless(t *testing.T) {
	want, err := archive.ManifestDigest(t.Context(), baseTree(t))
	if err != nil {
		t.Fatal(err)
	}
	user := testUser(t)
	dir, err := os.MkdirTemp("/var/tmp", "rootfs-test-rootless-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	debs := filepath.Join(dir, "debs")
	for _, d := range []string{dir, debs} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, p := range base.packages {
		name := filepath.Join(debs, p.Name)
		if p.Auto {
			name += ".auto"
		}
		copyFile(t, p.Path, name, 0o644)
	}
	self := filepath.Join(dir, "program")
	copyFile(t, "/proc/self/exe", self, 0o755)
	cmd := exec.Command(self, debs, filepath.Join(dir, "tree"))
	cmd.Env = []string{mainEnv + "=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: user}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("digest of the rootless tree %s, of root's %s", got, want)
	}
}
