package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// rootlessMain is the part of the rootless tests that runs inside: overlay and Run together.
func rootlessMain() int {
	if err := overlayRoundTrip(os.Args[1]); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ok")
	return 0
}

func TestOverlayRootless(t *testing.T) {
	uid, gid := testUser(t)
	out, err := program(t, uid, gid, "rootless", openDir(t)).CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestOverlay(t *testing.T) {
	if err := overlayRoundTrip(openDir(t)); err != nil {
		t.Error(err)
	}
}

// overlayRoundTrip changes a tree through an overlay, in a sandbox, and checks the upper layer.
func overlayRoundTrip(dir string) error {
	at := func(p ...string) string { return filepath.Join(append([]string{dir}, p...)...) }
	for _, d := range []string{"low,er/usr", "low,er/dir", "low,er/gone", "low,er/redone", "base:1/proc", "base:1/sys", "base:1/dev",
		"base:1/run", "base:1/tmp", "upper", "work", "target"} {
		if err := os.MkdirAll(at(d), 0o755); err != nil {
			return err
		}
	}
	for link, to := range map[string]string{"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"} {
		if err := os.Symlink(to, at("base:1", link)); err != nil {
			return err
		}
	}
	for _, f := range []string{"low,er/dir/file", "low,er/gone/file", "low,er/redone/file"} {
		if err := os.WriteFile(at(f), []byte("old"), 0o644); err != nil {
			return err
		}
	}
	unmount, err := Overlay([]string{at("low,er"), at("base:1")}, at("upper"), at("work"), at("target"))
	if err != nil {
		return err
	}
	script := `set -e; rm -r /gone /redone; mkdir /redone; chmod 700 /dir/file; chown 12:34 /dir/file
		perl -e 'exit(rename("/dir", "/other") || $! != 18)'`
	err = Run(context.Background(), Spec{Root: at("target"), Args: []string{"sh", "-c", script}, Binds: []Bind{{Source: "/usr", Target: "/usr", ReadOnly: true}}})
	if err := errors.Join(err, unmount()); err != nil {
		return err
	}
	if err := whiteout(at("upper/gone")); err != nil {
		return err
	}
	value := make([]byte, 8)
	n, err := unix.Getxattr(at("upper/redone"), "user.overlay.opaque", value)
	if err != nil || string(value[:n]) != "y" {
		return fmt.Errorf("opaque mark of upper/redone: %q, %w", value[:max(n, 0)], err)
	}
	info, err := os.Stat(at("upper/dir/file"))
	if err != nil {
		return err
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 12 || st.Gid != 34 || info.Mode() != 0o700 {
		return fmt.Errorf("upper/dir/file: mode %v, owner %d:%d", info.Mode(), st.Uid, st.Gid)
	}
	list, err := exec.Command("getfattr", "-R", "-h", "-m", "-", "-d", at("upper")).Output()
	if err == nil && (strings.Contains(string(list), "redirect") || strings.Contains(string(list), "metacopy")) {
		return fmt.Errorf("the upper layer is no plain difference:\n%s", list)
	}
	return nil
}

// whiteout checks that path is a character device 0:0.
func whiteout(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if st := info.Sys().(*syscall.Stat_t); info.Mode()&os.ModeCharDevice == 0 || st.Rdev != 0 {
		return fmt.Errorf("%s: mode %v, device %d: not a whiteout", path, info.Mode(), st.Rdev)
	}
	return nil
}
