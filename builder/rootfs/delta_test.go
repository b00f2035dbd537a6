package rootfs_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// TestDelta installs packages that use what dpkg has to offer, over the base.
func TestDelta(t *testing.T) {
	base := baseTree(t)
	first := deb{
		name: "forge-test-a", fields: "Section: misc\n",
		files: map[string]string{
			"/etc/forge-test/a.conf":            "setting\n",
			"/usr/share/forge-test/a":           "a\n",
			"/usr/bin/forge-test":               "of a\n",
			"/usr/share/debianutils/shells.d/a": "/bin/dash\n",
		},
		control: map[string]string{
			"conffiles": "/etc/forge-test/a.conf\n",
			"preinst":   "#!/bin/sh\nset -e\necho \"$1 $DPKG_MAINTSCRIPT_PACKAGE $DPKG_MAINTSCRIPT_NAME\" >/var/lib/forge-preinst\n",
			"postinst": "#!/bin/sh\nset -e\ntest -e /etc/forge-test/a.conf\ninvoke-rc.d nothing start || true\n" +
				"useradd --system --no-create-home forge-a\nchown forge-a /usr/share/forge-test/a\n",
			"triggers": "interest-noawait /usr/share/forge-test\n",
		},
	}
	second := deb{
		name: "forge-test-b", fields: "Depends: forge-test-a\nReplaces: forge-test-a\nMulti-Arch: foreign\n",
		files: map[string]string{"/usr/bin/forge-test": "of b\n"},
	}
	upper, err := delta(t, []string{base}, nil, second, first)
	if err != nil {
		t.Fatal(err)
	}
	merged := see(t, upper, base)
	for _, c := range []struct{ path, want string }{
		{"etc/forge-test/a.conf", "setting\n"},
		{"usr/bin/forge-test", "of b\n"},
		{"var/lib/forge-preinst", "install forge-test-a preinst\n"},
		{"var/lib/dpkg/info/forge-test-b.list", "/.\n/usr\n/usr/bin\n/usr/bin/forge-test\n"},
	} {
		if got := read(t, filepath.Join(merged, c.path)); got != c.want {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
	if list := read(t, filepath.Join(merged, "var/lib/dpkg/info/forge-test-a.list")); strings.Contains(list, "/usr/bin/forge-test") {
		t.Errorf("the list of a still has the file that b replaced:\n%s", list)
	}
	if out := in(t, merged, "dpkg", "--audit"); out != "" {
		t.Errorf("dpkg --audit:\n%s", out)
	}
	if out := in(t, merged, "dpkg", "--verify", "forge-test-a"); out != "" {
		t.Errorf("dpkg --verify:\n%s", out)
	}
	if out := in(t, merged, "dpkg-query", "-W", "-f", "${Status} ${Conffiles}", "forge-test-a"); !strings.Contains(out,
		fmt.Sprintf("install ok installed  /etc/forge-test/a.conf %x", md5.Sum([]byte("setting\n")))) {
		t.Errorf("status of a: %s", out)
	}
	if out := in(t, merged, "stat", "-c", "%U", "/usr/share/forge-test/a"); out != "forge-a\n" {
		t.Errorf("owner %q", out)
	}
	for _, gone := range []string{"usr/sbin/policy-rc.d", "etc/passwd-", "var/lib/dpkg/status-old"} {
		if _, err := os.Lstat(filepath.Join(upper, gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is in the upper layer", gone)
		}
	}
	if _, err := os.Lstat(filepath.Join(upper, "usr/lib")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the upper layer holds /usr/lib, where nothing was changed")
	}
}

// TestDeltaTriggersOfLowerPackages ships a file that a package of the base waits for.
func TestDeltaTriggersOfLowerPackages(t *testing.T) {
	base := baseTree(t)
	upper, err := delta(t, []string{base}, nil, deb{name: "forge-test-shell",
		files: map[string]string{"/usr/share/debianutils/shells.d/forge-test": "/usr/bin/forge-shell\n", "/usr/bin/forge-shell": ""}})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(upper, "etc/shells")); !strings.Contains(got, "/usr/bin/forge-shell\n") {
		t.Errorf("debianutils' trigger did not run: /etc/shells is\n%s", got)
	}
}

// TestDeltaUpgrade installs a newer version over a delta that has an older one: dpkg's own work.
func TestDeltaUpgrade(t *testing.T) {
	base := baseTree(t)
	one := deb{name: "forge-test-up", files: map[string]string{"/usr/share/up/old": "1", "/usr/share/up/both": "1"}}
	two := deb{name: "forge-test-up", version: "2", files: map[string]string{"/usr/share/up/new": "2", "/usr/share/up/both": "2"}}
	lower, err := delta(t, []string{base}, nil, one)
	if err != nil {
		t.Fatal(err)
	}
	upper, err := delta(t, []string{lower, base}, nil, two)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(upper, "usr/share/up/old"))
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || info.Sys().(*syscall.Stat_t).Rdev != 0 {
		t.Errorf("the removed file is no whiteout: %v %v", info, err)
	}
	merged := see(t, upper, lower, base)
	if got := read(t, filepath.Join(merged, "usr/share/up/both")); got != "2" {
		t.Errorf("both: %q", got)
	}
	if out := in(t, merged, "dpkg-query", "-W", "-f", "${Version} ${Status}", "forge-test-up"); out != "2 install ok installed" {
		t.Errorf("status %q", out)
	}
}

// TestDeltaDiversions installs a package that diverts a file of the base, then one with a diverted file.
func TestDeltaDiversions(t *testing.T) {
	base := baseTree(t)
	diverts := deb{name: "forge-test-divert", files: map[string]string{"/usr/bin/yes": "ours\n"}, control: map[string]string{
		"preinst": "#!/bin/sh\nset -e\ndpkg-divert --package forge-test-divert --add --rename --divert /usr/bin/yes.real /usr/bin/yes\n" +
			"dpkg-divert --package forge-test-divert --add --no-rename --divert /usr/share/x.real /usr/share/x\n"}}
	lower, err := delta(t, []string{base}, nil, diverts)
	if err != nil {
		t.Fatal(err)
	}
	upper, err := delta(t, []string{lower, base}, nil, deb{name: "forge-test-diverted", files: map[string]string{"/usr/share/x": "x\n"}})
	if err != nil {
		t.Fatal(err)
	}
	merged := see(t, upper, lower, base)
	if got := read(t, filepath.Join(merged, "usr/bin/yes")); got != "ours\n" {
		t.Errorf("/usr/bin/yes: %q", got)
	}
	if info, err := os.Stat(filepath.Join(merged, "usr/bin/yes.real")); err != nil || info.Size() < 1000 {
		t.Errorf("the diverted program: %v %v", info, err)
	}
	if got := read(t, filepath.Join(merged, "usr/share/x.real")); got != "x\n" {
		t.Errorf("/usr/share/x.real: %q", got)
	}
	if list := read(t, filepath.Join(merged, "var/lib/dpkg/info/forge-test-diverted.list")); !strings.HasSuffix(list, "/usr/share/x\n") {
		t.Errorf("list of the diverted package:\n%s", list)
	}
}

func TestDeltaErrors(t *testing.T) {
	base := baseTree(t)
	file := map[string]string{"/usr/share/forge-test/same": "x"}
	for _, c := range []struct {
		name string
		debs []deb
		want []string
	}{
		{"two packages with one file", []deb{{name: "forge-test-a", files: file}, {name: "forge-test-b", files: file}},
			[]string{"package forge-test-b wants to install /usr/share/forge-test/same, which is in package forge-test-a, too"}},
		{"a file of the base", []deb{{name: "forge-test-a", files: map[string]string{"/bin/cat": ""}}},
			[]string{"/bin/cat, which is in package coreutils of a lower tree"}},
		{"postinst fails", []deb{{name: "forge-test-a", control: map[string]string{"postinst": "#!/bin/sh\necho broken by design >&2\nexit 4\n"}}},
			[]string{"the postinst script of forge-test-a failed", "broken by design", "exit status 4"}},
		{"preinst fails", []deb{{name: "forge-test-a", control: map[string]string{"preinst": "#!/bin/sh\necho no >&2\nexit 1\n"}}},
			[]string{"the preinst script of forge-test-a failed", "no\n"}},
		{"missing dependency", []deb{{name: "forge-test-a", fields: "Depends: forge-test-missing\n"}},
			[]string{"forge-test-a", "depends on forge-test-missing"}},
		{"given twice", []deb{{name: "forge-test-a"}, {name: "forge-test-a", version: "2"}}, []string{"package forge-test-a is given twice"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := delta(t, []string{base}, nil, c.debs...)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
	_, err := delta(t, []string{base}, func(s *rootfs.DeltaSpec) { s.Packages[0].Version = "7" }, deb{name: "forge-test-a"})
	if err == nil || !strings.Contains(err.Error(), `its Version is "1", expected "7"`) {
		t.Errorf("a .deb that is not what the caller says: %v", err)
	}
}

// TestDeltaOverlayAndRun lays a folder down and runs a program after it.
func TestDeltaOverlayAndRun(t *testing.T) {
	base := baseTree(t)
	file := func(name string, mode uint32, owner, group string) recipe.OverlayEntry {
		return recipe.OverlayEntry{Path: "/" + name, Kind: recipe.EntryFile, Source: name, Mode: mode, Owner: owner, Group: group}
	}
	files := fstest.MapFS{}
	for _, name := range []string{"etc/forge-test/plain", "bin/forge-tool", "etc/forge-test/secret"} {
		files[name] = &fstest.MapFile{Data: []byte(name)}
	}
	upper, err := delta(t, []string{base}, func(s *rootfs.DeltaSpec) {
		s.Overlays = []rootfs.Overlay{{Name: "test", FS: files, Entries: []recipe.OverlayEntry{
			{Path: "/etc/forge-dir", Kind: recipe.EntryDir, Mode: 0o2750, Owner: "mail", Group: "adm"},
			{Path: "/tmp", Kind: recipe.EntryDir, Mode: 0o1777},
			file("etc/forge-test/plain", 0o644, "", ""), file("bin/forge-tool", 0o755, "root", "root"),
			file("etc/forge-test/secret", 0o4640, "lp", "mail"),
			{Path: "/etc/forge-test/link", Kind: recipe.EntryLink, Target: "/usr/bin/true", Owner: "root", Group: "root"},
		}}}
		s.Run = []sandbox.Spec{{Args: []string{"sh", "-c", "cat /etc/forge-test/plain >/etc/made; echo $SOURCE_DATE_EPOCH >>/etc/made"}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, filepath.Join(upper, "etc/made")), fmt.Sprintf("etc/forge-test/plain%d\n", epoch.Unix()); got != want {
		t.Errorf("made by Run: %q, want %q", got, want)
	}
	for name, want := range map[string]string{
		"etc/forge-test": "0:0 drwxr-xr-x", "etc/forge-test/plain": "0:0 -rw-r--r--", "usr/bin/forge-tool": "0:0 -rwxr-xr-x",
		"etc/forge-dir": "8:4 dgrwxr-x---", "etc/forge-test/secret": "7:8 urw-r-----", "etc/forge-test/link": "0:0 Lrwxrwxrwx",
	} {
		info, err := os.Lstat(filepath.Join(upper, name))
		if err != nil {
			t.Error(err)
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		if got := fmt.Sprintf("%d:%d %v", st.Uid, st.Gid, info.Mode()); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if !info.ModTime().Equal(epoch) {
			t.Errorf("%s: time %v", name, info.ModTime())
		}
	}
	_, err = delta(t, []string{base}, func(s *rootfs.DeltaSpec) {
		s.Overlays = []rootfs.Overlay{{Name: "test", FS: files, Entries: []recipe.OverlayEntry{file("bin/forge-tool", 0o755, "nosuchuser", "")}}}
	})
	if err == nil || !strings.Contains(err.Error(), `overlay test: /bin/forge-tool: the tree has no user "nosuchuser"`) {
		t.Errorf("an owner that the tree lacks: %v", err)
	}
}
