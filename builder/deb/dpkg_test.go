package deb

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	nfpmdeb "github.com/goreleaser/nfpm/v2/deb"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// need fails in CI, and skips elsewhere, when a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: install it (apt-get install dpkg lintian mmdebstrap)", err)
			}
			t.Skipf("%v: install it (apt-get install dpkg lintian mmdebstrap)", err)
		}
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func save(t *testing.T, raw []byte, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents is dpkg-deb -c without times and padding.
func contents(t *testing.T, raw []byte) string {
	t.Helper()
	need(t, "dpkg-deb")
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(output(t, "dpkg-deb", "-c", save(t, raw, "x.deb"))), "\n") {
		f := strings.Fields(line)
		out.WriteString(strings.Join(append(f[:3:3], f[5:]...), " ") + "\n")
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// TestGolden reads the package back with dpkg-deb and compares every file that forge writes.
func TestGolden(t *testing.T) {
	need(t, "dpkg-deb")
	_, raw := build(t, demo(t))
	path := save(t, raw, "demo.deb")
	dir := t.TempDir()
	output(t, "dpkg-deb", "-R", path, dir)
	names, err := filepath.Glob(filepath.Join(dir, "DEBIAN/*"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, filepath.Base(name))
		golden(t, filepath.Base(name)+".golden", string(text))
	}
	if got := strings.Join(list, " "); got != "conffiles control md5sums postinst postrm prerm" {
		t.Errorf("control files %q", got)
	}
	golden(t, "contents.golden", contents(t, raw))
	golden(t, "changelog.golden", output(t, "zcat", filepath.Join(dir, "usr/share/doc/forge-demo/changelog.Debian.gz")))
	for name, file := range map[string]string{"copyright": "usr/share/doc/forge-demo/copyright",
		"overrides": "usr/share/lintian/overrides/forge-demo", "sysusers": "usr/lib/sysusers.d/forge-demo.conf"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".golden", string(text))
	}
	output(t, "sh", "-c", `cd "$1" && md5sum -c --quiet DEBIAN/md5sums`, "sh", dir)
	for _, script := range []string{"postinst", "postrm", "prerm"} {
		output(t, "dash", "-n", filepath.Join(dir, "DEBIAN", script))
	}
}

// TestLikeNFPM compares with what nfpm's own packager makes of the nfpm block.
func TestLikeNFPM(t *testing.T) {
	need(t, "dpkg-deb")
	s := demo(t)
	s.Entries, s.Trees, s.Users, s.Groups, s.Enable, s.Purge = nil, nil, nil, nil, nil, nil
	s.Info.Scripts.PostInstall = ""
	s.Info.Deb.Fields = map[string]string{"Bugs": "https://example.org/bugs", "X-Stack": "bookworm"}
	s.Info.Deb.Breaks, s.Info.Deb.Predepends = []string{"forge-old (<< 1)"}, []string{"dpkg (>= 1.17)"}
	s.Info.Deb.Triggers.ActivateNoAwait = []string{"ldconfig"}
	_, ours := build(t, s)

	info := s.Info
	info.Arch, info.Platform, info.VersionSchema, info.MTime = "all", "linux", "none", epoch
	info.Contents = nil
	for _, c := range s.Info.Contents {
		own := *c
		if c.Type != "symlink" {
			own.Source = filepath.Join(s.Dir, c.Source)
		}
		info.Contents = append(info.Contents, &own)
	}
	var theirs bytes.Buffer
	if err := nfpmdeb.Default.Package(&info, &theirs); err != nil {
		t.Fatal(err)
	}
	if got := output(t, "dpkg-deb", "-I", save(t, ours, "x.deb"), "triggers"); got != "activate-noawait ldconfig\n" {
		t.Errorf("triggers %q", got)
	}
	control := func(raw []byte) string {
		var keep []string
		for _, line := range strings.Split(output(t, "dpkg-deb", "-f", save(t, raw, "x.deb")), "\n") {
			if !strings.HasPrefix(line, "Installed-Size:") {
				keep = append(keep, line)
			}
		}
		return strings.Join(keep, "\n")
	}
	if diff := cmp.Diff(control(theirs.Bytes()), control(ours)); diff != "" {
		t.Errorf("control differs from nfpm's (-nfpm +ours):\n%s", diff)
	}
	paths := func(raw []byte) []string {
		var out []string
		for _, line := range strings.Split(contents(t, raw), "\n") {
			if f := strings.Fields(line); len(f) > 3 && f[3] != "./" && !strings.Contains(f[3], "usr/share/doc") && !strings.Contains(f[3], "lintian") {
				out = append(out, strings.Join(f[3:], " "))
			}
		}
		sort.Strings(out)
		return out
	}
	if diff := cmp.Diff(paths(theirs.Bytes()), paths(ours)); diff != "" {
		t.Errorf("contents differ from nfpm's (-nfpm +ours):\n%s", diff)
	}
}

// TestLintian holds the list of tags: no errors, and each override used.
func TestLintian(t *testing.T) {
	t.Parallel()
	need(t, "lintian")
	r, raw := build(t, demo(t))
	path := save(t, raw, r.Filename)
	// lintian exits with 2 when there are errors, 1 when it failed itself.
	out := output(t, "lintian", "--no-cfg", "--allow-root", "--fail-on", "none", "--show-overrides", "--tag-display-limit", "0", path)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	sort.Strings(lines)
	golden(t, "lintian.golden", strings.Join(lines, "\n")+"\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "E:") {
			t.Error(line)
		}
	}
}
