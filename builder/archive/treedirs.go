package archive

import (
	"archive/tar"
	"fmt"
	"os"
)

// SetDirs gives directories below dst the owner, mode and time of their
// entries; of several entries for one directory the first counts, as with
// dpkg. Extractions that merge side by side leave a directory to whoever came
// first, and each file that is made changes its directory's time: SetDirs
// with the entries of all archives, in a fixed order, makes the tree the same
// every time. Entries that are no directories are skipped.
func SetDirs(dst *os.Root, entries []Entry) error {
	t, err := newTree(dst, true)
	if err != nil {
		return fmt.Errorf("set directories of %s: %w", dst.Name(), err)
	}
	for i := range entries {
		e := &entries[i]
		if e.Type != tar.TypeDir {
			continue
		}
		if err = t.claim(e.Name, attrs{mode: e.Mode, uid: e.UID, gid: e.GID, mtime: e.ModTime}); err != nil {
			err = &EntryError{Entry: e.Name, Err: err}
			break
		}
	}
	if err = t.finish(err); err != nil {
		return fmt.Errorf("set directories of %s: %w", dst.Name(), err)
	}
	return nil
}

// claim sets a directory's attributes unless somebody has before.
func (t *tree) claim(name string, a attrs) error {
	d, err := t.get(name, &a)
	if err != nil {
		return err
	}
	defer t.dirs.put(d)
	if _, known := t.newDirs[d.real]; !known {
		t.setDir(d.real, a, true)
	}
	return nil
}
