package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/recipe"
)

// Overlay is files, directories and links that are laid over a rootfs.
type Overlay struct {
	Name    string                // for messages
	FS      fs.FS                 // where the sources of its files open
	Entries []recipe.OverlayEntry // parents first
}

// ids finds the accounts of a tree by name.
type ids struct{ users, groups map[string]int }

// layOver lays the overlays down. Directories that exist keep their attributes unless an overlay gives
// others, as links to directories do; all else is replaced.
func (t *tree) layOver(ctx context.Context) error {
	if len(t.overlays) == 0 {
		return nil
	}
	var acc ids
	var err error
	if acc.users, err = readIDs(t.root, "etc/passwd"); err != nil {
		return err
	}
	if acc.groups, err = readIDs(t.root, "etc/group"); err != nil {
		return err
	}
	for _, o := range t.overlays {
		for _, e := range o.Entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.layEntry(o, e, acc); err != nil {
				return fmt.Errorf("rootfs: overlay %s: %s: %w", o.Name, e.Path, err)
			}
		}
	}
	return nil
}

func (t *tree) layEntry(o Overlay, e recipe.OverlayEntry, acc ids) error {
	at := canonical(strings.TrimPrefix(e.Path, "/")) // os.Root does not follow absolute links; those of merged /usr need none
	uid, gid, err := acc.of(e)
	if err != nil {
		return err
	}
	switch e.Kind {
	case recipe.EntryDir:
		return t.layDir(at, e.Mode, uid, gid)
	case recipe.EntryLink:
		if err := t.clear(at); err != nil {
			return err
		}
		err = t.root.Symlink(e.Target, at)
	default:
		err = t.layFile(o.FS, e, at)
	}
	if err != nil {
		return err
	}
	if err := t.root.Lchown(at, uid, gid); err != nil {
		return err
	}
	if e.Kind == recipe.EntryFile { // after the owner, which takes setuid away
		if err := t.chmod(at, e.Mode); err != nil {
			return err
		}
	}
	return t.setTime(at)
}

// of looks up an entry's owner and group; "" is root.
func (acc ids) of(e recipe.OverlayEntry) (uid, gid int, err error) {
	for _, a := range []struct {
		kind, name string
		ids        map[string]int
		to         *int
	}{{"user", e.Owner, acc.users, &uid}, {"group", e.Group, acc.groups, &gid}} {
		if a.name == "" || a.name == "root" {
			continue
		}
		id, ok := a.ids[a.name]
		if !ok {
			return 0, 0, fmt.Errorf("the tree has no %s %q: name the package that makes it in the layer's packages", a.kind, a.name)
		}
		*a.to = id
	}
	return uid, gid, nil
}

func (t *tree) layDir(at string, mode uint32, uid, gid int) error {
	info, err := t.root.Stat(at)
	switch {
	case err == nil && !info.IsDir():
		return errors.New("a directory of the overlay, but none in the tree")
	case errors.Is(err, fs.ErrNotExist):
		err = makeDirs(t.root, at)
	}
	if err == nil {
		err = t.root.Chown(at, uid, gid)
	}
	if err == nil {
		err = t.chmod(at, mode)
	}
	return err
}

func (t *tree) layFile(from fs.FS, e recipe.OverlayEntry, at string) error {
	in, err := from.Open(e.Source)
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
