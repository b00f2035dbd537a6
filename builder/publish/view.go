package publish

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// maxHops is how many symbolic links one name may lead through, as in Linux.
const maxHops = 40

// errLinks is the reason for giving up on a chain of links.
var errLinks = errors.New("too many symbolic links")

// view reads files of trees that lie over each other, the topmost first. It follows symbolic
// links itself, each from the top of all trees and with "/" being their root, so that no link leads
// to a file of the host. os.Root alone can't do that: it refuses absolute links, and a delta's
// links lead into the trees below it.
type view []*os.Root

// openView opens directories as a view, the topmost first.
func openView(dirs ...string) (view, error) {
	var v view
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, errors.Join(err, v.close())
		}
		v = append(v, root)
	}
	return v, nil
}

func (v view) close() error {
	var errs []error
	for _, root := range v {
		errs = append(errs, root.Close())
	}
	return errors.Join(errs...)
}

// read returns the content of a regular file of at most max bytes.
func (v view) read(name string, max int64) ([]byte, error) {
	root, real, err := v.resolve(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f, err := root.Open(real)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("%s: more than %d bytes", name, max)
	}
	return b, nil
}

// resolve finds the regular file that name leads to: the tree it is in, and its path there without
// links.
func (v view) resolve(name string) (*os.Root, string, error) {
	todo, at, hops := strings.Split(name, "/"), ".", 0
	var root *os.Root
	var fi fs.FileInfo
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at, fi = path.Dir(at), nil
			continue
		}
		var err error
		if root, fi, err = v.lstat(path.Join(at, part)); err != nil {
			return nil, "", err
		}
		if fi.Mode()&fs.ModeSymlink == 0 {
			at = path.Join(at, part)
			continue
		}
		if hops++; hops > maxHops {
			return nil, "", errLinks
		}
		target, err := root.Readlink(path.Join(at, part))
		if err != nil {
			return nil, "", err
		}
		if path.IsAbs(target) {
			at = "."
		}
		todo = slices.Concat(strings.Split(target, "/"), todo)
	}
	if fi == nil || !fi.Mode().IsRegular() {
		return nil, "", fmt.Errorf("%s is no regular file", at)
	}
	return root, at, nil
}

// lstat looks a path without links up in the topmost tree that has it.
func (v view) lstat(name string) (*os.Root, fs.FileInfo, error) {
	for _, root := range v {
		fi, err := root.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			continue
		case err != nil:
			return nil, nil, err
		case isWhiteout(fi):
			return nil, nil, fs.ErrNotExist
		}
		return root, fi, nil
	}
	return nil, nil, fs.ErrNotExist
}

// isWhiteout tells whether fi is how overlayfs says that a file of a lower tree is gone: a character
// device 0, 0 (kernel documentation, overlayfs.rst, "whiteouts and opaque directories").
func isWhiteout(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && fi.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0
}
