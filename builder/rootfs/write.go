package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// put writes a file of the tree with exactly this mode, whatever the umask. One that is there
// keeps its owner.
func put(root *os.Root, name string, content []byte, mode os.FileMode) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	return nil
}

// makeDirs makes a directory of the tree, and those above it, with mode 0755, whatever the umask.
func makeDirs(root *os.Root, name string) error {
	if info, err := root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if parent := path.Dir(name); parent != "." {
		if err := makeDirs(root, parent); err != nil {
			return err
		}
	}
	err := root.Mkdir(name, 0o755)
	if err == nil {
		err = root.Chmod(name, 0o755)
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	return nil
}
