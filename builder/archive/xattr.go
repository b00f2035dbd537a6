package archive

import (
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// overlayPrefix starts the attributes that overlayfs keeps for itself on a
// mount with "userxattr".
const overlayPrefix = "user.overlay."

// overlayOpaque marks a directory that hides what lies below it ("y").
const overlayOpaque = overlayPrefix + "opaque"

// xattr is one extended attribute.
type xattr struct{ name, value string }

// keptXattr reports whether an attribute belongs to the tree. Labels of the
// host's security modules and attributes that only the initial user namespace
// can see would make the result depend on where it was built.
func keptXattr(name string) bool {
	switch {
	case name == "security.selinux", strings.HasPrefix(name, "security.apparmor"),
		strings.HasPrefix(name, "security.ima"), strings.HasPrefix(name, "security.evm"),
		strings.HasPrefix(name, "trusted."), strings.HasPrefix(name, "system.nfs4_acl"):
		return false
	}
	return true
}

// readXattrs returns the attributes of path, a symbolic link itself and not
// what it points to, sorted by name. A file system without attributes has none.
func readXattrs(path string) ([]xattr, error) {
	names, err := listXattrs(path)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	slices.Sort(names)
	attrs := make([]xattr, 0, len(names))
	for _, name := range names {
		if !keptXattr(name) {
			continue
		}
		value, err := sizedCall(func(buf []byte) (int, error) { return unix.Lgetxattr(path, name, buf) })
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
		attrs = append(attrs, xattr{name, string(value)})
	}
	return attrs, nil
}

func listXattrs(path string) ([]string, error) {
	list, err := sizedCall(func(buf []byte) (int, error) { return unix.Llistxattr(path, buf) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	if len(list) == 0 {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00"), nil
}

// sizedCall runs a system call that fills a buffer, with a larger one while
// it answers ERANGE. Linux bounds both lists and values at 64 KiB.
func sizedCall(call func([]byte) (int, error)) ([]byte, error) {
	var small [256]byte
	buf := small[:]
	for {
		n, err := call(buf)
		switch {
		case err == nil:
			return slices.Clone(buf[:n]), nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ERANGE) && len(buf) < 64<<10:
			buf = make([]byte, 64<<10)
		default:
			return nil, err
		}
	}
}

// overlayNote reports whether an attribute is a note of overlayfs to itself:
// all of them but the mark of an opaque directory, which is part of a delta.
func overlayNote(name string) bool {
	return name != overlayOpaque && strings.HasPrefix(name, overlayPrefix)
}
