package archive

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxOpenDirs  = 128 // directory descriptors one extraction keeps
	maxLinkHops  = 40  // as many symbolic links as Linux follows in one name
	dirOpenFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
)

// dir is an open directory below the destination. Everything is made relative
// to one, by a single name that is never followed.
type dir struct {
	fd     int
	real   string // its path below the destination, free of symbolic links
	setgid bool   // new files take their group from it
	refs   int
}

// dirs opens directories below a destination and keeps the last ones open.
//
// Each component is opened by itself, relative to the directory before it and
// with O_NOFOLLOW; symbolic links, where they are allowed, are read and walked
// here, with the destination as "/" (as in a chroot). So no name and no other
// process that changes the tree can make it leave the destination. os.Root
// gives the same promise, but neither follows "/var/run -> /run" nor lets the
// directory be kept open, which is most of the speed.
type dirs struct {
	root   *dir
	follow bool // follow symbolic links to directories
	made   func(real string)
	open   map[string]*dir
}

func openDirs(root *os.Root, follow bool, made func(real string)) (*dirs, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root.Name(), err)
	}
	top, err := newDir(fd, ".")
	if err != nil {
		return nil, err
	}
	return &dirs{root: top, follow: follow, made: made, open: map[string]*dir{}}, nil
}

func newDir(fd int, real string) (*dir, error) {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Fstat(fd, &st) }); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("stat directory %q: %w", real, err)
	}
	return &dir{fd: fd, real: real, setgid: st.Mode&unix.S_ISGID != 0}, nil
}

func (d *dirs) close() {
	for _, kept := range d.open {
		unix.Close(kept.fd)
	}
	unix.Close(d.root.fd)
}

// get opens the directory at name ("." or "a/b"), which must be clean, and
// makes it and its parents where they are missing. The caller puts it back.
func (d *dirs) get(name string) (*dir, error) { return d.walk(name, 0) }

// put gives a directory back.
func (d *dirs) put(kept *dir) { kept.refs-- }

func (d *dirs) walk(name string, hops int) (*dir, error) {
	if name == "." || name == "" {
		d.root.refs++
		return d.root, nil
	}
	if kept, ok := d.open[name]; ok {
		kept.refs++
		return kept, nil
	}
	parentName, base := splitName(name)
	parent, err := d.walk(parentName, hops)
	if err != nil {
		return nil, err
	}
	defer d.put(parent)
	child, err := d.child(parent, base, hops)
	if err != nil {
		return nil, err
	}
	d.trim()
	d.open[name] = child
	child.refs++
	return child, nil
}

// child opens base in parent. A directory reached through a symbolic link
// comes as a descriptor of its own.
func (d *dirs) child(parent *dir, base string, hops int) (*dir, error) {
	real := path.Join(parent.real, base)
	for range 4 {
		fd, err := openat(parent.fd, base, dirOpenFlags, 0)
		switch {
		case err == nil:
			return newDir(fd, real)
		case errors.Is(err, unix.ENOENT):
			if err := d.make(parent, base, real); err != nil {
				return nil, err
			}
		case errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
			return d.followed(parent, base, real, hops)
		default:
			return nil, fmt.Errorf("open directory %q: %w", real, err)
		}
	}
	return nil, fmt.Errorf("directory %q keeps vanishing", real)
}

// make makes a directory that others may be making at the same time.
func (d *dirs) make(parent *dir, base, real string) error {
	err := unix.Mkdirat(parent.fd, base, 0o755)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make directory %q: %w", real, err)
	}
	d.made(real)
	return nil
}

// followed opens the directory that the symbolic link real points to.
func (d *dirs) followed(parent *dir, base, real string, hops int) (*dir, error) {
	target, err := readlinkat(parent.fd, base)
	switch {
	case errors.Is(err, unix.EINVAL):
		return nil, refuse(ErrExists, "%q is needed as a directory but is something else", real)
	case err != nil:
		return nil, fmt.Errorf("read symbolic link %q: %w", real, err)
	case !d.follow:
		return nil, refuse(ErrEscape, "%q is a symbolic link (to %q), not a directory", real, target)
	case hops >= maxLinkHops:
		return nil, refuse(ErrEscape, "%q: too many symbolic links", real)
	}
	at := parent.real
	if path.IsAbs(target) {
		at = "."
	}
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next, err := d.walk(path.Join(at, part), hops+1)
		if err != nil {
			return nil, fmt.Errorf("symbolic link %q: %w", real, err)
		}
		at = next.real
		d.put(next)
	}
	last, err := d.walk(at, hops+1)
	if err != nil {
		return nil, err
	}
	defer d.put(last)
	fd, err := unix.FcntlInt(uintptr(last.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open directory %q: %w", last.real, err)
	}
	return &dir{fd: fd, real: last.real, setgid: last.setgid}, nil
}

// trim closes the directories that nobody uses when too many are open.
func (d *dirs) trim() {
	if len(d.open) < maxOpenDirs {
		return
	}
	for name, kept := range d.open {
		if kept.refs == 0 {
			unix.Close(kept.fd)
			delete(d.open, name)
		}
	}
}

func splitName(name string) (parent, base string) {
	if at := strings.LastIndexByte(name, '/'); at >= 0 {
		return name[:at], name[at+1:]
	}
	return ".", name
}

func openat(dirfd int, name string, flags int, mode uint32) (fd int, err error) {
	err = ignoringEINTR(func() error {
		fd, err = unix.Openat(dirfd, name, flags, mode)
		return err
	})
	return fd, err
}

func readlinkat(dirfd int, name string) (string, error) {
	var buf [maxName + 1]byte
	n, err := unix.Readlinkat(dirfd, name, buf[:])
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
