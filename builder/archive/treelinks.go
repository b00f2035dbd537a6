package archive

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// symlink makes a symbolic link. Where a directory is, a tree that merges
// leaves it alone (Debian policy 6.6: the existing state stays).
func (t *tree) symlink(name, target string, a attrs) error {
	s, err := t.spot(name, &a)
	if err != nil {
		return err
	}
	defer t.dirs.put(s.dir)
	err = t.create(s, "make symbolic link", func() error { return unix.Symlinkat(target, s.dir.fd, s.base) })
	if errors.Is(err, ErrExists) && t.merge && t.isDir(s) {
		return nil
	}
	if err != nil {
		return err
	}
	t.made[s.real] = false
	return t.finishOther(s, &a)
}

func (t *tree) isDir(s spot) bool {
	var st unix.Stat_t
	err := unix.Fstatat(s.dir.fd, s.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// link makes a further name of a file that this tree has made.
func (t *tree) link(name, target string, a attrs) error {
	from, err := t.linkSource(target)
	if err != nil {
		return err
	}
	defer t.dirs.put(from.dir)
	to, err := t.spot(name, &a)
	if err != nil {
		return err
	}
	defer t.dirs.put(to.dir)
	err = t.create(to, "make hard link", func() error {
		return unix.Linkat(from.dir.fd, from.base, to.dir.fd, to.base, 0)
	})
	if err != nil {
		return err
	}
	t.made[to.real] = true
	return nil
}

// linkSource finds a file that this tree made, without making directories.
func (t *tree) linkSource(target string) (spot, error) {
	parent, base := splitName(target)
	missing := refuse(ErrEscape, "hard link to %q, which is not a file that the archive has before it", target)
	d, err := t.dirs.get(parent)
	if len(t.implied) > 0 { // the parent was not there: nor is the file
		t.implied = t.implied[:0]
		if err == nil {
			t.dirs.put(d)
		}
		return spot{}, missing
	}
	if err != nil {
		return spot{}, fmt.Errorf("hard link to %q: %w", target, err)
	}
	s := spot{dir: d, base: base, real: base}
	if d.real != "." {
		s.real = d.real + "/" + base
	}
	if !t.made[s.real] {
		t.dirs.put(d)
		return spot{}, missing
	}
	return s, nil
}

// node makes a device or a FIFO; kind is S_IFCHR, S_IFBLK or S_IFIFO.
func (t *tree) node(name string, kind uint32, rdev uint64, a attrs) error {
	s, err := t.spot(name, &a)
	if err != nil {
		return err
	}
	defer t.dirs.put(s.dir)
	err = t.create(s, "make device node", func() error {
		return unix.Mknodat(s.dir.fd, s.base, kind|0o600, int(rdev))
	})
	if err != nil {
		return err
	}
	t.made[s.real] = false
	return t.finishOther(s, &a)
}

// finishOther sets the attributes of what can't be opened.
func (t *tree) finishOther(s spot, a *attrs) error {
	if a.uid != t.uid || a.gid != t.gid || s.dir.setgid {
		if err := unix.Fchownat(s.dir.fd, s.base, a.uid, a.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return ownerError(a, err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstatat(s.dir.fd, s.base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(s.dir.fd, s.base, a.mode, 0); err != nil {
			return fmt.Errorf("set mode %04o: %w", a.mode, err)
		}
	}
	for _, x := range a.xattrs {
		path := fmt.Sprintf("/proc/self/fd/%d/%s", s.dir.fd, s.base)
		if err := unix.Lsetxattr(path, x.name, []byte(x.value), 0); err != nil {
			return fmt.Errorf("set attribute %s: %w", x.name, err)
		}
	}
	return setTime(s.dir.fd, s.base, a)
}
