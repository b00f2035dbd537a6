package deb

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/recipe"
)

// minbase is a tar of a minimal Debian 12 with systemd, made once; $FORGE_TEST_CACHE keeps it for
// the next run. The packages come through the host's own apt settings.
var minbase = sync.OnceValues(func() (string, error) {
	dir := os.Getenv("FORGE_TEST_CACHE")
	path := filepath.Join(dir, "minbase-systemd-bookworm.tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	temp := fmt.Sprintf("%s.%d.tar", path, os.Getpid())
	defer os.Remove(temp)
	args := []string{"--variant=minbase", "--mode=root", "--quiet", "--include=systemd", "bookworm", temp}
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		args = append(args, files...)
	}
	if out, err := exec.Command("mmdebstrap", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mmdebstrap: %w\n%s", err, out)
	}
	return path, os.Rename(temp, path)
})

func TestMain(m *testing.M) {
	if os.Getenv("FORGE_TEST_CACHE") != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "forge-deb-test")
	if err == nil {
		err = os.Setenv("FORGE_TEST_CACHE", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// system is a Debian 12 in a directory.
type system struct {
	t   *testing.T
	dir string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	need(t, "mmdebstrap", "dpkg-deb")
	tar, err := minbase()
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t, t.TempDir()}
	output(t, "tar", "-C", s.dir, "--numeric-owner", "-xpf", tar)
	if err := os.WriteFile(filepath.Join(s.dir, "etc/dpkg/dpkg.cfg.d/fast"), []byte("force-unsafe-io\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// try runs a command in the system; it has no /proc, no network and no init, like an image's build.
func (s *system) try(args ...string) (string, error) {
	cmd := exec.Cmd{Path: "/usr/bin/env", Args: append([]string{"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}, args...)}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.dir, Cloneflags: syscall.CLONE_NEWNET,
		Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// withProc is for programs of a running system.
func (s *system) withProc(args ...string) (string, error) {
	return s.try(append([]string{"sh", "-c", `mount -t proc proc /proc && exec "$@"`, "sh"}, args...)...)
}

func (s *system) run(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

func (s *system) put(raw []byte, name string) string {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "tmp", name), raw, 0o644); err != nil {
		s.t.Fatal(err)
	}
	return "/tmp/" + name
}

func (s *system) stat(path string) string {
	s.t.Helper()
	return strings.TrimSpace(s.run("stat", "-c", "%A %u:%g %n", path))
}

func (s *system) has(path string) bool {
	_, err := os.Lstat(filepath.Join(s.dir, path))
	return err == nil
}

func (s *system) read(path string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, path))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// files lists everything but what dpkg itself keeps.
func (s *system) files() []string {
	s.t.Helper()
	var out []string
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(name, s.dir)
		if err == nil && d.IsDir() && (rel == "/var/lib/dpkg" || rel == "/tmp") {
			return fs.SkipDir
		}
		out = append(out, rel)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	sort.Strings(out)
	return out
}

// added are the elements of after that are not in before.
func added(before, after []string) []string {
	seen := map[string]bool{}
	for _, name := range before {
		seen[name] = true
	}
	var out []string
	for _, name := range after {
		if !seen[name] {
			out = append(out, name)
		}
	}
	return out
}

// TestInstallAndPurge takes the package through its life, with systemd's sysusers and without.
func TestInstallAndPurge(t *testing.T) {
	t.Parallel()
	_, first := build(t, demo(t))
	next := demo(t)
	next.Info.Version, next.Changelog[0].Revision = "1.2.1-2", 2
	next.Entries[3].Text = []byte("password=new\n")
	_, second := build(t, next)
	for _, sysusers := range []bool{true, false} {
		t.Run(fmt.Sprintf("sysusers=%v", sysusers), func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			if !sysusers {
				if err := os.Remove(filepath.Join(s.dir, "usr/bin/systemd-sysusers")); err != nil {
					t.Fatal(err)
				}
			}
			before := s.files()
			s.run("dpkg", "-i", s.put(first, "first.deb"))
			checkInstalled(t, s)
			checkUpgrade(t, s, second)

			s.run("sh", "-c", "echo data >/var/lib/demo/block; echo x >/etc/demo/rendered.xml")
			s.run("dpkg", "-r", "forge-demo")
			for path, want := range map[string]bool{"/usr/bin/demo": false, "/etc/demo/secret.conf": true, "/etc/demo/rendered.xml": true,
				"/var/lib/demo/block": true, "/var/log/demo/install.log": true} {
				if s.has(path) != want {
					t.Errorf("after removal %s is there: %v, want %v", path, !want, want)
				}
			}
			s.run("dpkg", "-P", "forge-demo")
			left := added(before, s.files())
			// The users stay, hence the files of the tools that made them.
			left = added([]string{"/etc/.pwd.lock", "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/var/log/dpkg.log"}, left)
			if diff := cmp.Diff([]string{"/var/lib/demo", "/var/lib/demo/block"}, left); diff != "" {
				t.Errorf("left after purge (-want +got):\n%s", diff)
			}
			if got := s.run("getent", "passwd", "demo"); got != "demo:x:731:731:Demo daemon:/var/lib/demo:/usr/sbin/nologin\n" {
				t.Errorf("user after purge: %q", got)
			}
			s.run("dpkg", "-i", "/tmp/first.deb") // the ids are taken by their own names
		})
	}
}

func checkInstalled(t *testing.T, s *system) {
	t.Helper()
	if got := s.run("getent", "passwd", "demo"); got != "demo:x:731:731:Demo daemon:/var/lib/demo:/usr/sbin/nologin\n" {
		t.Errorf("user: %q", got)
	}
	if got := s.run("getent", "group", "demo", "demoextra"); got != "demo:x:731:\ndemoextra:x:732:demo\n" {
		t.Errorf("groups: %q", got)
	}
	for path, want := range map[string]string{
		"/etc/demo/secret.conf": "-rw-r----- 0:731", "/var/lib/demo": "drwxr-x--- 731:731", "/usr/bin/demo": "-rwxr-xr-x 0:0",
		"/etc/demo/log4j.properties": "-rw-r--r-- 0:0", "/usr/share/demo/lib/a.jar": "-rw-r--r-- 0:0",
	} {
		if got := s.stat(path); got != want+" "+path {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := s.run("stat", "-c", "%Y", "/usr/bin/demo"); got != fmt.Sprintf("%d\n", epoch.Unix()) {
		t.Errorf("mtime %s, want the epoch", got)
	}
	if got := s.read("/var/log/demo/install.log"); got != "configured\n" {
		t.Errorf("the package's own postinst wrote %q", got)
	}
	links := s.run("find", "/etc/systemd/system", "-name", "demo*")
	if want := "/etc/systemd/system/multi-user.target.wants/demo-agent.service\n"; links != want {
		t.Errorf("enabled units %q, want %q", links, want)
	}
	if got := s.run("dpkg", "--verify", "forge-demo"); got != "" {
		t.Errorf("dpkg --verify: %s", got)
	}
}

// checkUpgrade upgrades after an operator changed a conffile, an owner and which units run.
func checkUpgrade(t *testing.T, s *system, second []byte) {
	t.Helper()
	s.run("sh", "-c", "echo password=mine >/etc/demo/secret.conf")
	s.run("dpkg-statoverride", "--add", "--update", "root", "root", "0700", "/var/lib/demo")
	s.run("systemctl", "disable", "demo-agent.service")
	s.run("dpkg", "--force-confold", "-i", s.put(second, "second.deb"))
	if got := s.read("/etc/demo/secret.conf"); got != "password=mine\n" {
		t.Errorf("conffile after upgrade: %q", got)
	}
	if got := s.stat("/etc/demo/secret.conf"); !strings.HasPrefix(got, "-rw-r----- 0:731") {
		t.Errorf("conffile after upgrade: %s", got)
	}
	if got := s.stat("/var/lib/demo"); !strings.HasPrefix(got, "drwx------ 0:0") {
		t.Errorf("overridden directory after upgrade: %s", got)
	}
	if got := s.run("find", "/etc/systemd/system", "-name", "demo*"); got != "" {
		t.Errorf("a disabled unit was enabled again: %q", got)
	}
	s.run("dpkg-statoverride", "--remove", "/var/lib/demo")
}

// TestIDClash installs on systems where an id or a name is taken by another.
func TestIDClash(t *testing.T) {
	t.Parallel()
	_, raw := build(t, demo(t))
	s := newSystem(t)
	path := s.put(raw, "demo.deb")
	for _, tt := range []struct{ make, undo, want string }{
		{"useradd -u 731 other", "userdel other", "demo (passwd) must have the id 731, which belongs to other"},
		{"groupadd -g 732 other", "groupdel other", "demoextra (group) must have the id 732, which belongs to other"},
		{"groupadd -g 740 demo", "groupdel demo", "demo (group) must have the id 731, but has 740"},
	} {
		s.run("sh", "-c", tt.make)
		out, err := s.try("dpkg", "-i", path)
		if err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v, want %q in\n%s", tt.make, err, tt.want, out)
		}
		s.run("sh", "-c", tt.undo)
	}
	s.run("dpkg", "--configure", "forge-demo")
	checkInstalled(t, s)
}

// TestPurgeLeavesOthersFiles has a second package with a file that the first one would purge.
func TestPurgeLeavesOthersFiles(t *testing.T) {
	t.Parallel()
	_, raw := build(t, demo(t))
	other := demo(t)
	other.Info = demo(t).Info
	other.Info.Name, other.Info.Contents, other.Info.Scripts.PostInstall, other.Info.Conflicts = "forge-neighbour", nil, "", nil
	other.Trees, other.Users, other.Groups, other.Enable, other.Purge = nil, nil, nil, nil, nil
	other.LintianOverrides = nil
	other.Entries = []Entry{{Path: "/etc/demo/rendered.xml", Kind: recipe.EntryFile, Text: []byte("theirs\n")}}
	_, rawOther := build(t, other)
	s := newSystem(t)
	s.run("dpkg", "-i", s.put(raw, "a.deb"), s.put(rawOther, "b.deb"))
	s.run("dpkg", "-P", "forge-demo")
	if got := s.read("/etc/demo/rendered.xml"); got != "theirs\n" {
		t.Errorf("the neighbour's file is %q", got)
	}
	if s.has("/var/log/demo") {
		t.Error("/var/log/demo is still there")
	}
}
