package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestInPlaceOnAMountPoint(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, name := range []string{"hosts", "source"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(dir, "hosts")
	if err := syscall.Mount(filepath.Join(dir, "source"), target, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("can't mount here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(target, 0) })
	changed, err := write(owned{path: target, content: []byte("new\n"), mode: 0o644})
	if err != nil || !changed {
		t.Fatalf("changed %v, error %v", changed, err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "source"))
	if err != nil || string(got) != "new\n" {
		t.Errorf("the file behind the mount holds %q, error %v", got, err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestWriteTouchesNoMoreThanItMust(t *testing.T) {
	needRoot(t)
	path := filepath.Join(t.TempDir(), "a", "f")
	f := owned{path: path, content: []byte("1"), mode: 0o640, uid: 781, gid: 782}
	inode := func() (uint64, string) {
		st := &syscall.Stat_t{}
		if err := syscall.Stat(path, st); err != nil {
			t.Fatal(err)
		}
		return st.Ino, fmt.Sprintf("%o %d:%d", st.Mode&0o7777, st.Uid, st.Gid)
	}
	if changed, err := write(f); err != nil || !changed {
		t.Fatal(changed, err)
	}
	first, how := inode()
	if how != "640 781:782" {
		t.Errorf("made as %s", how)
	}
	f.mode, f.uid = fs.ModeSetuid|0o750, 0
	if changed, err := write(f); err != nil || changed {
		t.Fatal(changed, err)
	}
	if now, how := inode(); now != first || how != "4750 0:782" {
		t.Errorf("inode %d, then %d; %s", first, now, how)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".forge-new.f"), []byte("left behind"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.content = []byte("2")
	if changed, err := write(f); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("entries: %v", entries)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	if _, err := write(f); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("a link was followed: %v %v", info.Mode(), err)
	}
}

// TestDirectoriesBehindLinks: a service can't make root give it a directory, by a link in one of its own.
func TestDirectoriesBehindLinks(t *testing.T) {
	needRoot(t)
	const hdfs = 781
	for _, c := range []struct {
		name, link, path string // the link, below the service's directory, leads to root's
		owner            int    // of the link
		err              string
	}{
		{"the directory itself", "dfs", "dfs", hdfs, "dfs is a link that the user 781 made, and forge-node follows only root's"},
		{"one on the way", "dfs", "dfs/new", hdfs, "dfs is a link that the user 781 made"},
		{"root's own", "dfs", "dfs", 0, ""},
		{"root's own, on the way", "dfs", "dfs/new", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			service, roots := filepath.Join(dir, "service"), filepath.Join(dir, "roots")
			for _, d := range []owned{{path: service, mode: 0o755, uid: hdfs, gid: hdfs}, {path: roots, mode: 0o700}} {
				if err := ensureDir(d); err != nil {
					t.Fatal(err)
				}
			}
			link := filepath.Join(service, c.link)
			if err := errors.Join(os.Symlink("../roots", link), os.Lchown(link, c.owner, c.owner)); err != nil {
				t.Fatal(err)
			}
			err := ensureDir(owned{path: filepath.Join(service, c.path), mode: 0o750, uid: hdfs, gid: hdfs})
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error %v; want %q", err, c.err)
			}
			made := filepath.Join(roots, strings.TrimPrefix(c.path, c.link))
			st := &syscall.Stat_t{}
			switch err := syscall.Stat(made, st); {
			case c.err == "" && (err != nil || st.Uid != hdfs || st.Mode&0o7777 != 0o750):
				t.Errorf("%s: %v, owner %d, mode %o", made, err, st.Uid, st.Mode)
			case c.err != "" && err == nil && st.Uid != 0:
				t.Errorf("%s was given to %d", made, st.Uid)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ensureDir(owned{path: file, mode: 0o750}); err == nil || !strings.Contains(err.Error(), "should be a directory, and is none") {
		t.Errorf("a file: %v", err)
	}
}
