package main_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// namespace makes forge run in a private mount namespace in which the shell script has been
// executed with args.
func (f *forge) namespace(script string, args ...string) {
	f.t.Helper()
	holder := exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c",
		"set -e\n" + script + "\necho ready\nread _", "sh"}, args...)...)
	in, errIn := holder.StdinPipe()
	out, errOut := holder.StdoutPipe()
	if errIn != nil || errOut != nil {
		f.t.Fatal(errIn, errOut)
	}
	holder.Stderr = os.Stderr
	if err := holder.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		in.Close()
		_ = holder.Wait() // read fails at the end of its input
	})
	ready := make([]byte, len("ready\n"))
	if n, err := out.Read(ready); string(ready[:n]) != "ready\n" {
		f.t.Fatalf("the mount namespace is not ready: %q, %v", ready[:n], err)
	}
	f.wrap = append(f.wrap, "nsenter", "--target", strconv.Itoa(holder.Process.Pid), "--mount", "--")
}

// as makes forge run as a user, with nothing of the environment but what a login gives.
func (f *forge) as(u *user.User, env ...string) {
	f.wrap = append(f.wrap, "setpriv", "--reuid", u.Uid, "--regid", u.Gid, "--init-groups", "--inh-caps=-all", "--",
		"env", "-i", "HOME="+u.HomeDir, "USER="+u.Username, "LOGNAME="+u.Username, "PATH="+os.Getenv("PATH"))
	f.wrap = append(f.wrap, env...)
}

// testUser returns the ordinary user of that name, making one with the options of useradd when there
// is none.
func testUser(t *testing.T, name string, options ...string) *user.User {
	t.Helper()
	if _, err := user.Lookup(name); err != nil {
		if out, err := exec.Command("useradd", append(options, name)...).CombinedOutput(); err != nil {
			t.Fatalf("useradd: %v: %s", err, out)
		}
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// giveIDs gives a user subordinate ids, unless useradd has done so.
func giveIDs(t *testing.T, u *user.User) {
	t.Helper()
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		b, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if !strings.Contains("\n"+string(b), "\n"+u.Username+":") {
			if err := os.WriteFile(file, append(b, u.Username+":1000000:65536\n"...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRootlessFromLock builds the whole role again, from an empty store and the lock of the first build, as
// a user without root who has subordinate ids, in another folder, with another umask, time zone and locale,
// and with nothing compiled yet. Everything has to be the same to the bit.
func TestRootlessFromLock(t *testing.T) {
	sharedBuild(t)
	f := newForge(t)
	u := testUser(t, "forge-test", "--create-home")
	giveIDs(t, u)
	modules, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	warmDownloads(t, f.store)
	home := filepath.Join(f.dir, "home")
	lock := filepath.Join(f.dir, "first.lock")
	copyAll(t, shared.lock, lock)
	for _, dir := range []string{f.out, home, filepath.Join(f.dir, "modules")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	u.HomeDir = home
	if out, err := exec.Command("chown", "-R", u.Uid+":"+u.Gid, f.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f.flags = []string{"--offline", "--lock", lock}
	// The modules lie in root's home, where the user can't go.
	f.namespace(`mount --bind "$1" "$2" && mount -o remount,bind,ro "$2"`, strings.TrimSpace(string(modules)), filepath.Join(f.dir, "modules"))
	f.as(u, "GOMODCACHE="+filepath.Join(f.dir, "modules"), "GOPROXY=off", "TZ=Asia/Tokyo", "LANG=tr_TR.UTF-8")
	f.wrap = append(f.wrap, "sh", "-c", `umask 077; exec "$@"`, "sh")

	res := f.build()
	if diff := cmp.Diff(shared.digests, f.digests(res)); diff != "" {
		t.Errorf("the digests differ from those that root gets (-root +user):\n%s", diff)
	}
	f.expectTidy()
	if again := f.build(); again.Ran != 0 {
		t.Errorf("the second build ran %d steps, want none", again.Ran)
	}
}

func TestWithoutSubordinateIDs(t *testing.T) {
	f := newForge(t)
	u := testUser(t, "forge-test-noids", "--system") // useradd gives these none
	f.as(u)
	out, errs, code := f.run("build", "--role", "slave")
	const want = "forge: sandbox: not root, and /etc/subuid gives forge-test-noids 0 subordinate ids in one range, 65535 are needed: " +
		"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 forge-test-noids (or run forge as root)\n"
	if code != 1 || out != "" || errs != want {
		t.Errorf("exit status %d, output %q, message %q; want 1 and %q", code, out, errs, want)
	}
	for _, dir := range []string{f.store, f.out} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("there is %s: %v", dir, err)
		}
	}
}
