package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	now, err := os.ReadFile(f.path)
	if err != nil || !bytes.Equal(now, f.content) {
		return false, err
	}
	return true, setOwnerMode(f.path, info, f)
}

// setOwnerMode changes only what differs. Chown comes first: it clears setuid.
func setOwnerMode(path string, info fs.FileInfo, f owned) error {
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != f.uid || int(st.Gid) != f.gid {
		f.steps.before("chown " + path)
		if err := os.Chown(path, f.uid, f.gid); err != nil {
			return err
		}
		return os.Chmod(path, f.mode)
	}
	if info.Mode()&modeBits == f.mode {
		return nil
	}
	f.steps.before("chmod " + path)
	return os.Chmod(path, f.mode)
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
// it is left alone.
func ensureDir(d owned) error {
	if err := mkdirs(filepath.Dir(d.path)); err != nil {
		return err
	}
	d.steps.before("mkdir " + d.path)
	if err := os.Mkdir(d.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s should be a directory and is a %s", d.path, info.Mode().Type())
	}
	return setOwnerMode(d.path, info, d)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
