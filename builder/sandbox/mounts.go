package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// placed is a detached mount and the place in the tree where it goes.
type placed struct {
	fd     int
	target string
	file   bool // the target is a file
}

// devices are shown in /dev of every tree, from the host.
var devices = [...]string{"null", "zero", "full", "random", "urandom", "tty"}

// enterRoot makes o.Root the root directory of this mount namespace. Everything that comes from
// the host is opened as a detached mount before the switch and put in place after it, so that
// no path of the tree is ever resolved against the host.
func enterRoot(o order) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if info, err := os.Stat(o.Root); err != nil {
		return fmt.Errorf("root: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("root %s is not a directory", o.Root)
	}
	mounts, err := hostMounts(o)
	if err != nil {
		return err
	}
	if err := pivot(o.Root); err != nil {
		return err
	}
	if err := attach(mounts[:fixedMounts]); err != nil {
		return err
	}
	if err := fillDev(); err != nil {
		return err
	}
	return attach(mounts[fixedMounts:])
}

// fixedMounts is the number of mounts that every tree gets before /dev is filled.
const fixedMounts = 5

func hostMounts(o order) ([]placed, error) {
	const safe = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	var out []placed
	for _, m := range []struct {
		fs, target string
		attr       int
		options    []string
	}{
		{"proc", "/proc", safe, nil},
		{"sysfs", "/sys", safe | unix.MOUNT_ATTR_RDONLY, nil},
		{"tmpfs", "/dev", unix.MOUNT_ATTR_NOSUID, []string{"mode=755"}},
		{"tmpfs", "/run", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, []string{"mode=755"}},
		{"tmpfs", "/tmp", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, []string{"mode=1777"}},
		{"devpts", "/dev/pts", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC, []string{"ptmxmode=0666", "mode=620", "gid=5"}},
		{"tmpfs", "/dev/shm", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, []string{"mode=1777"}},
	} {
		fd, err := newMount(m.fs, m.attr, m.options)
		if m.fs == "sysfs" && errors.Is(err, unix.EPERM) {
			// With the host's network namespace a user namespace may not mount its own.
			fd, err = cloneMount("/sys", true)
		}
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.target, err)
		}
		out = append(out, placed{fd: fd, target: m.target})
	}
	for _, d := range devices {
		fd, err := cloneMount("/dev/"+d, false)
		if err != nil {
			return nil, fmt.Errorf("/dev/%s of the host: %w", d, err)
		}
		out = append(out, placed{fd: fd, target: "/dev/" + d, file: true})
	}
	for _, b := range o.Binds {
		info, err := os.Stat(b.Source)
		if err != nil {
			return nil, fmt.Errorf("bind: %w", err)
		}
		fd, err := cloneMount(b.Source, b.ReadOnly)
		if err != nil {
			return nil, fmt.Errorf("bind %s: %w", b.Source, err)
		}
		out = append(out, placed{fd: fd, target: filepath.Clean("/" + b.Target), file: !info.IsDir()})
	}
	return out, nil
}

// newMount makes a detached mount of a new file system.
func newMount(fsType string, attr int, options []string) (int, error) {
	ctx, err := unix.Fsopen(fsType, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		if err := unix.FsconfigSetString(ctx, key, value); err != nil {
			return -1, fmt.Errorf("option %s: %w", o, err)
		}
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, err
	}
	return unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, attr)
}

// cloneMount makes a detached bind mount of a path of the host, with the mounts below it.
func cloneMount(path string, readOnly bool) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil || !readOnly {
		return fd, err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// pivot makes dir the root and lets go of the old one.
func pivot(dir string) error {
	if err := unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", dir, err)
	}
	if err := unix.Chdir(dir); err != nil {
		return fmt.Errorf("enter %s: %w", dir, err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root %s: %w", dir, err)
	}
	// The old root now lies over the new one, and "." is the old one.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	return nil
}

// attach puts detached mounts in place, in the new root.
func attach(mounts []placed) error {
	for _, m := range mounts {
		if err := mountPoint(m); err != nil {
			return fmt.Errorf("mount point %s in the tree: %w", m.target, err)
		}
		err := unix.MoveMount(m.fd, "", unix.AT_FDCWD, m.target, unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS)
		if err != nil {
			return fmt.Errorf("mount %s in the tree: %w", m.target, err)
		}
		unix.Close(m.fd)
	}
	return nil
}

// mountPoint makes sure that a mount's target exists. In the tree itself only the standard
// directories, which every system has, are made; elsewhere the tree must not be touched.
func mountPoint(m placed) error {
	if _, err := os.Stat(m.target); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	top := strings.SplitN(m.target, "/", 3)[1]
	switch top {
	case "dev", "run", "tmp", "proc", "sys":
	default:
		return errors.New("does not exist (only targets in /dev, /run and /tmp are made)")
	}
	if !m.file {
		return os.MkdirAll(m.target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(m.target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(m.target, nil, 0o644)
}

// fillDev makes the links of /dev.
func fillDev() error {
	for link, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
		"ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(target, "/dev/"+link); err != nil {
			return fmt.Errorf("fill /dev: %w", err)
		}
	}
	return nil
}
