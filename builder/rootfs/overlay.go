package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// layOver copies the overlays' files into the tree. Directories that exist stay as they are, as
// do links to directories; all else is replaced.
func (t *tree) layOver(ctx context.Context) error {
	for _, o := range t.overlays {
		from, err := os.OpenRoot(o.Dir)
		if err != nil {
			return fmt.Errorf("rootfs: overlay: %w", err)
		}
		err = fs.WalkDir(from.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || name == "." {
				return err
			}
			return t.layPath(from, o, name, d)
		})
		if err := errors.Join(err, from.Close()); err != nil {
			return fmt.Errorf("rootfs: overlay %s: %w", o.Dir, err)
		}
	}
	return nil
}

func (t *tree) layPath(from *os.Root, o Overlay, name string, d fs.DirEntry) error {
	a, err := overlayAttributes(o, name, d)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if a.Skip {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	at := canonical(name) // os.Root does not follow absolute links; those of merged /usr need none
	switch d.Type() {
	case fs.ModeDir:
		return t.layDir(at, a)
	case fs.ModeSymlink:
		target, err := from.Readlink(name)
		if err != nil {
			return err
		}
		if err := t.clear(at); err != nil {
			return err
		}
		if err := t.root.Symlink(target, at); err != nil {
			return err
		}
		if err := t.root.Lchown(at, a.UID, a.GID); err != nil {
			return err
		}
	case 0:
		if err := t.layFile(from, name, at, a); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: an overlay holds files, directories and links only", name)
	}
	return t.setTime(at)
}

func overlayAttributes(o Overlay, name string, d fs.DirEntry) (Attributes, error) {
	mode := uint32(0o644)
	switch {
	case d.IsDir():
		mode = 0o755
	case d.Type() == fs.ModeSymlink:
		mode = 0o777
	default:
		info, err := d.Info()
		if err != nil {
			return Attributes{}, err
		}
		if info.Mode()&0o100 != 0 { // git keeps no more than this bit
			mode = 0o755
		}
	}
	if o.Attributes == nil {
		return Attributes{Mode: mode}, nil
	}
	return o.Attributes(name, mode)
}

func (t *tree) layDir(at string, a Attributes) error {
	info, err := t.root.Stat(at)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s: a directory of the overlay, but none in the tree", at)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := t.root.Mkdir(at, 0o755); err != nil {
		return err
	}
	if err := t.root.Lchown(at, a.UID, a.GID); err != nil {
		return err
	}
	return t.chmod(at, a.Mode)
}

func (t *tree) layFile(from *os.Root, name, at string, a Attributes) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := t.clear(at); err != nil {
		return err
	}
	out, err := t.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Chown(a.UID, a.GID)
	}
	if err == nil {
		err = unix.Fchmod(int(out.Fd()), a.Mode)
	}
	return errors.Join(err, out.Close())
}

// clear removes what is at a path, and makes its directory.
func (t *tree) clear(at string) error {
	if err := t.root.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return makeDirs(t.root, filepath.Dir(at))
}

// setTime gives a path, link or not, the time of the epoch.
func (t *tree) setTime(at string) error {
	ts := unix.NsecToTimespec(t.Epoch.UnixNano())
	dir, err := t.root.Open(filepath.Dir(at))
	if err != nil {
		return err
	}
	err = unix.UtimesNanoAt(int(dir.Fd()), filepath.Base(at), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	return errors.Join(err, dir.Close())
}
