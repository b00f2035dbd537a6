package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// modeBits are the bits of a mode that are set and compared.
const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// steps is told of each change to the disk right before it is made; tests end
// the process there. Nil, as on every node, it does nothing.
type steps func(change string)

func (s steps) before(change string) {
	if s != nil {
		s(change)
	}
}

// changes tells of a change that this node's own code makes next.
func (n *Node) changes(what string) { n.steps.before(what) }

// ours is a file of the agent itself, which runs as root.
func (n *Node) ours(path string, content []byte, mode fs.FileMode) owned {
	return owned{path: n.path(path), content: content, mode: mode, uid: os.Getuid(), gid: os.Getgid(), steps: n.steps}
}

// owned is a file as it should be on disk.
type owned struct {
	path     string
	content  []byte
	mode     fs.FileMode
	uid, gid int
	steps    steps
}

// write makes a file as it should be and tells whether its content changed. One
// that is as it should be is not touched: no new inode, no new time. Otherwise
// it is replaced whole by a rename.
//
// The temporary name is fixed and begins with a dot, so that what a killed run
// left behind is overwritten by the next one and is never read as a flag file.
func write(f owned) (changed bool, err error) {
	if same, err := matches(f); err != nil || same {
		return false, err
	}
	f.steps.before("parents of " + f.path)
	if err := mkdirs(filepath.Dir(f.path)); err != nil {
		return false, err
	}
	f.steps.before("write " + f.path)
	tmp := filepath.Join(filepath.Dir(f.path), ".forge-new."+filepath.Base(f.path))
	if err := os.RemoveAll(tmp); err != nil {
		return false, err
	}
	if err := writeNew(tmp, f); err != nil {
		return false, errors.Join(err, os.RemoveAll(tmp))
	}
	f.steps.before("rename " + f.path)
	err = os.Rename(tmp, f.path)
	if errors.Is(err, syscall.EBUSY) { // a mount point: /etc/hosts in a container
		return true, errors.Join(writeInPlace(f), os.Remove(tmp))
	}
	if err != nil {
		return false, errors.Join(err, os.RemoveAll(tmp))
	}
	return true, syncDir(filepath.Dir(f.path))
}

// matches compares a file with what it should be. Where only mode or owner
// differ, it sets them and the file matches.
func matches(f owned) (bool, error) {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return false, fmt.Errorf("%s is a directory where a file should be", f.path)
	}
	if !info.Mode().IsRegular() || info.Size() != int64(len(f.content)) {
		return false, nil
	}
	now, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = now.Close() }()
	content, err := io.ReadAll(io.LimitReader(now, info.Size()+1))
	if err != nil || !bytes.Equal(content, f.content) {
		return false, err
	}
	return true, setOwnerMode(now, f)
}

// setOwnerMode changes only what differs. Chown comes first: it clears setuid. It works on what was
// opened: whoever owns the directory above may put something else under the name at any time.
func setOwnerMode(at *os.File, f owned) error {
	info, err := at.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != f.uid || int(st.Gid) != f.gid {
		f.steps.before("chown " + f.path)
		if err := at.Chown(f.uid, f.gid); err != nil {
			return err
		}
		return at.Chmod(f.mode)
	}
	if info.Mode()&modeBits == f.mode {
		return nil
	}
	f.steps.before("chmod " + f.path)
	return at.Chmod(f.mode)
}

func writeNew(tmp string, f owned) error {
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(f.content)
	if err == nil {
		err = out.Chown(f.uid, f.gid)
	}
	if err == nil {
		err = out.Chmod(f.mode)
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

func writeInPlace(f owned) error {
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = out.Write(f.content)
	return errors.Join(err, out.Close())
}

// mkdirs makes missing parents, 0755 whatever the umask, owned by root.
func mkdirs(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := mkdirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// ensureDir makes one directory with exactly this owner and mode, without content; what lies in
// it is left alone. Links on the way to it must be root's, see [trusted].
func ensureDir(d owned) error {
	path, err := trusted(d.path)
	if err != nil {
		return err
	}
	if err := mkdirs(filepath.Dir(path)); err != nil {
		return err
	}
	d.steps.before("mkdir " + d.path)
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	at, err := openDir(path)
	if errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%s should be a directory, and is none", d.path)
	}
	if err != nil {
		return err
	}
	return errors.Join(setOwnerMode(at, d), at.Close())
}

// openDir opens a directory, through no link.
func openDir(path string) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // Linux before 5.6, some containers
		fd, err = unix.Open(path, int(how.Flags)|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// maxLinks bounds the links on the way to a file, as the kernel does.
const maxLinks = 40

// trusted resolves the links on the way to a path, of which the end may be missing. A link that is
// neither root's nor this process's own is refused: in a directory of its own, a service could
// otherwise make root give it any directory of the machine.
func trusted(path string) (string, error) {
	todo, at := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/"), "/"
	for links := 0; len(todo) > 0; {
		next := filepath.Join(at, todo[0])
		todo = todo[1:]
		info, err := os.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(append([]string{next}, todo...)...), nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return "", fmt.Errorf("%s is a link that the user %d made, and forge-node follows only root's: if it is right, make it root's (chown -h root:root %s)", next, st.Uid, next)
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: too many links", path)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
