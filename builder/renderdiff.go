package builder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/mesos-forge/forge/builder/node"
)

const (
	maxCompared = 4 << 20 // bytes of a file
	maxLinks    = 40      // on the way to a file, as the kernel's limit
)

// Diff compares a rendering with a folder, a node's root or an earlier rendering, and returns a unified
// difference from the folder's files to the rendering's; "": there is none. Content alone counts:
// copies seldom keep owners. What the folder has beyond the rendering counts where the node's services
// would read it: in directories of flag files.
func Diff(r *node.Rendering, dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("compare with a folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	var b strings.Builder
	wanted, flagDirs := map[string]bool{}, map[string]bool{}
	for _, f := range r.AllFiles() {
		wanted[f.Path] = true
		if f.Flag {
			flagDirs[path.Dir(f.Path)] = true
		}
		have, found, err := readInside(root, f.Path)
		if err != nil {
			return "", fmt.Errorf("compare with %s: %s: %w", dir, f.Path, err)
		}
		want := f.Shown()
		if f.Path == "/etc/hosts" {
			want = []byte(node.Hosts(string(have), r.Data.Cluster.Nodes))
		}
		b.Write(difference(path.Join(dir, f.Path), have, found, r.Data.Node.Name+":"+f.Path, want, f))
	}
	for _, d := range sortedNames(flagDirs) {
		more, err := filesIn(root, d)
		if err != nil {
			return "", fmt.Errorf("compare with %s: %s: %w", dir, d, err)
		}
		for _, name := range more {
			file := path.Join(d, name)
			if wanted[file] {
				continue
			}
			have, _, err := readInside(root, file)
			if err != nil {
				return "", fmt.Errorf("compare with %s: %s: %w", dir, file, err)
			}
			b.Write(diff.Diff(path.Join(dir, file), have, os.DevNull, nil))
		}
	}
	return b.String(), nil
}

// difference of one file. The lines of one that holds secrets are not shown: those of a node have
// the secrets themselves.
func difference(oldName string, old []byte, found bool, newName string, want []byte, f node.RenderedFile) []byte {
	if !found {
		if len(want) == 0 {
			return fmt.Appendf(nil, "diff %s %s\nOnly in the rendering: an empty file\n", os.DevNull, newName)
		}
		return diff.Diff(os.DevNull, nil, newName, want)
	}
	if !f.Secret() {
		return diff.Diff(oldName, old, newName, want)
	}
	if f.Same(old) {
		return nil
	}
	return fmt.Appendf(nil, "diff %s %s\nThey differ; their lines are not shown, since they hold secrets\n", oldName, newName)
}

// readInside reads a file of a node's root; one that is not there is no error.
func readInside(root *os.Root, name string) ([]byte, bool, error) {
	name, err := follow(root, name)
	if err != nil {
		return nil, false, err
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, errors.New("is not a plain file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCompared+1))
	if err == nil && len(data) > maxCompared {
		err = fmt.Errorf("is larger than %d bytes", maxCompared)
	}
	return data, err == nil, err
}

// follow resolves the links on the way to a file as the node would: an absolute one, such as those of
// alternatives, starts at the node's root, and no path leads out of it.
func follow(root *os.Root, name string) (string, error) {
	todo, at := strings.Split(strings.Trim(name, "/"), "/"), "."
	for links := 0; len(todo) > 0; {
		next := path.Join(at, todo[0])
		if todo[0] == ".." {
			next = path.Dir(at)
		}
		todo = todo[1:]
		info, err := root.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return path.Join(append([]string{next}, todo...)...), nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", errors.New("too many links")
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			at = "."
		}
		todo = append(strings.Split(strings.Trim(path.Clean(target), "/"), "/"), todo...)
	}
	return at, nil
}

// filesIn lists the plain files of a directory, sorted; one that is not there has none.
func filesIn(root *os.Root, dir string) ([]string, error) {
	dir, err := follow(root, dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}
