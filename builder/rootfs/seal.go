package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SealSpec says what is sealed.
type SealSpec struct {
	Dir   string    // a tree, or the upper layer of a delta whose lower trees are sealed
	Epoch time.Time // no time stamp stays above it
	Delta bool      // Dir is an upper layer: nothing is added that the lower trees have
}

// removed are paths (with *, not across /) that no image may carry, and why.
var removed = []struct{ pattern, why string }{
	{"etc/ssh/ssh_host_*", "host keys: each node makes its own"},
	{"var/lib/cloud/*", "cloud-init's state: each node is new"},
	{"var/lib/systemd/random-seed", "secret of one machine"},
	{"var/lib/systemd/credential.secret", "secret of one machine"},
	{"var/lib/urandom/random-seed", "secret of one machine"},
	{"var/lib/dbus/machine-id", "a copy; dbus links to /etc/machine-id at boot"},
	{"var/lib/apt/lists/*", "indexes: old by the time anybody reads them"},
	{"var/cache/apt/*.bin", "cache"},
	{"var/cache/apt/archives/*.deb", "cache"},
	{"var/cache/apt/archives/lock", "lock of a program that has ended"},
	{"var/cache/ldconfig/aux-cache", "holds inode numbers"},
	{"var/cache/fontconfig/*", "cache; holds times"},
	{"var/cache/man/*", "cache; holds times"},
	{"var/cache/debconf/*-old", "backup"},
	{"var/lib/dpkg/*-old", "backup"},
	{"var/lib/dpkg/updates/*", "journal of a program that has ended"},
	{"etc/passwd-", "backup"}, {"etc/group-", "backup"}, {"etc/shadow-", "backup"}, {"etc/gshadow-", "backup"},
	{"etc/subuid-", "backup"}, {"etc/subgid-", "backup"},
	{"var/log/journal/*", "logs"},
	{"var/log/apt/*", "logs"},
	{"var/log/*.log", "logs"},
	{"tmp/*", "left over"}, {"tmp/.[!.]*", "left over"},
	{"var/tmp/*", "left over"}, {"var/tmp/.[!.]*", "left over"},
	{"run/*", "a node starts with an empty /run"},
	{"root/.bash_history", "history"}, {"root/.wget-hsts", "history"}, {"root/.lesshst", "history"},
}

// kept are directories of packages that match a pattern above.
var kept = map[string]bool{"var/lib/apt/lists/partial": true, "var/lib/apt/lists/auxfiles": true}

// Seal takes out of a tree what must not be in an image, because it would be the same on every
// node or differs between builds:
//
//   - what the table removed lists; other files in /var/log are emptied, /etc/resolv.conf goes
//     unless it is a link, /etc/machine-id becomes an empty file (absent or "uninitialized"
//     would make systemd run preset-all at first boot and undo the enablement);
//   - root has no password, nobody's password was changed after the epoch;
//   - the dates in Java's key store become the epoch;
//   - no path's time stamp lies after the epoch.
//
// /run/lock, which base-files makes when it is configured and which went with the sandbox's /run,
// is made again.
func Seal(ctx context.Context, s SealSpec) error {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return fmt.Errorf("rootfs: seal: %w", err)
	}
	defer root.Close()
	for _, part := range []func(*os.Root, SealSpec) error{
		sealRemove, sealLogs, sealNames, sealPasswords, sealKeystore, sealRun,
	} {
		if err := part(root, s); err != nil {
			return fmt.Errorf("rootfs: seal %s: %w", s.Dir, err)
		}
	}
	if err := clampTimes(ctx, s.Dir, s.Epoch); err != nil {
		return fmt.Errorf("rootfs: seal %s: %w", s.Dir, err)
	}
	return nil
}

func sealRemove(root *os.Root, _ SealSpec) error {
	for _, r := range removed {
		found, err := fs.Glob(root.FS(), r.pattern)
		if err != nil {
			return fmt.Errorf("%s: %w", r.pattern, err)
		}
		for _, name := range found {
			if kept[name] || isWhiteout(root, name) {
				continue
			}
			if err := root.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// isWhiteout reports whether name is overlayfs's mark for a file removed from a lower tree.
func isWhiteout(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	var st unix.Stat_t
	return unix.Lstat(filepath.Join(root.Name(), name), &st) == nil && st.Rdev == 0
}

// sealLogs empties what is left in /var/log: files that packages expect to be there, such as wtmp.
func sealLogs(root *os.Root, _ SealSpec) error {
	err := fs.WalkDir(root.FS(), "var/log", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() == 0 {
			return err
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
	return ignoreMissing(err)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}

// sealNames settles the files that say which machine this is.
func sealNames(root *os.Root, s SealSpec) error {
	info, err := root.Lstat("etc/resolv.conf")
	if err == nil && info.Mode().IsRegular() {
		err = root.Remove("etc/resolv.conf")
	}
	if err := ignoreMissing(err); err != nil {
		return err
	}
	const id = "etc/machine-id"
	_, err = root.Lstat(id)
	if errors.Is(err, fs.ErrNotExist) && s.Delta {
		return nil
	}
	if err := ignoreMissing(root.Remove(id)); err != nil {
		return err
	}
	if err := makeDirs(root, "etc"); err != nil {
		return err
	}
	return put(root, id, nil, 0o644)
}

// sealPasswords locks root and clamps the dates of /etc/shadow (shadow(5): days since 1970).
func sealPasswords(root *os.Root, s SealSpec) error {
	for _, name := range []string{"etc/shadow", "etc/passwd"} {
		content, err := readOptional(root, name)
		if err != nil {
			return err
		}
		if len(content) == 0 {
			continue
		}
		sealed := sealAccounts(string(content), s.Epoch)
		if sealed == string(content) {
			continue
		}
		if err := root.WriteFile(name, []byte(sealed), 0o640); err != nil { // keeps owner and mode
			return err
		}
	}
	return nil
}

// sealAccounts treats passwd(5), with a password field of "x" or "*", and shadow(5).
func sealAccounts(content string, epoch time.Time) string {
	today := epoch.Unix() / (24 * 60 * 60)
	var out strings.Builder
	for line := range strings.Lines(content) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) > 2 && f[0] == "root" && f[1] != "x" && !strings.HasPrefix(f[1], "*") && !strings.HasPrefix(f[1], "!") {
			f[1] = "*"
		}
		if len(f) == 9 {
			var day int64
			if _, err := fmt.Sscanf(f[2], "%d", &day); err == nil && day > today {
				f[2] = fmt.Sprint(today)
			}
		}
		out.WriteString(strings.Join(f, ":") + "\n")
	}
	return out.String()
}

// sealRun makes /run/lock as base-files does.
func sealRun(root *os.Root, s SealSpec) error {
	if s.Delta {
		return nil
	}
	if err := makeDirs(root, "run/lock"); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(root.Name(), "run/lock"), 0o777|os.ModeSticky)
}

// clampTimes lowers every time stamp that lies after the epoch.
func clampTimes(ctx context.Context, dir string, epoch time.Time) error {
	ts := unix.NsecToTimespec(epoch.UnixNano())
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return &os.PathError{Op: "lstat", Path: name, Err: err}
		}
		if st.Mtim.Nano() <= epoch.UnixNano() {
			return nil
		}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &os.PathError{Op: "set time of", Path: name, Err: err}
		}
		return nil
	})
}
