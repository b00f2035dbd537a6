package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mainEnv makes the test binary act as a program that uses Enter.
const mainEnv = "SANDBOX_TEST_MAIN"

func TestMain(m *testing.M) {
	Init()
	if mode := os.Getenv(mainEnv); mode != "" {
		os.Exit(enterMain(mode))
	}
	os.Exit(m.Run())
}

// enterMain is the program under test in the tests of Enter.
func enterMain(mode string) int {
	code, done, err := Enter(Entry{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if done {
		return code
	}
	switch mode {
	case "facts":
		uids, _ := os.ReadFile("/proc/self/uid_map")
		fmt.Printf("inside=%v uid=%d umask=%04o map=%v\n", Inside(), os.Geteuid(), unix.Umask(0), strings.Fields(string(uids)))
		return 7
	case "rootless":
		return rootlessMain()
	case "signals":
		c := make(chan os.Signal, 10)
		signal.Notify(c, os.Interrupt)
		fmt.Println("ready")
		<-c
		time.Sleep(300 * time.Millisecond) // a second one would be here by now
		fmt.Println("interrupts", 1+len(c))
		return 130
	case "stubborn":
		signal.Ignore(os.Interrupt)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "linger":
		dir := os.Args[1]
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			fmt.Println(err)
			return 1
		}
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		ns, _ := os.Readlink("/proc/self/ns/mnt")
		fmt.Println(ns)
		_ = cmd.Wait()
	}
	return 1
}

// testUser returns an ordinary user with subordinate ids, making one when there is none.
func testUser(t *testing.T) (uid, gid uint32) {
	t.Helper()
	const name = "forge-test"
	if exec.Command("id", name).Run() != nil {
		out, err := exec.Command("useradd", "--create-home", name).CombinedOutput()
		if err != nil {
			t.Fatalf("useradd: %v: %s", err, out)
		}
	}
	for _, f := range []string{"/etc/subuid", "/etc/subgid"} {
		b, err := os.ReadFile(f)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), name+":") {
			if err := os.WriteFile(f, append(b, []byte(name+":1000000:65536\n")...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return atoi(t, "id", "-u", name), atoi(t, "id", "-g", name)
}

func atoi(t *testing.T, args ...string) uint32 {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// program returns a command that runs this test binary as enterMain(mode), as uid and gid.
func program(t *testing.T, uid, gid uint32, mode string, args ...string) *exec.Cmd {
	t.Helper()
	dir := openDir(t)
	self := filepath.Join(dir, "program")
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = []string{mainEnv + "=" + mode, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	return cmd
}

// openDir is a temporary directory that every user may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sandbox-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}
