package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// copySize is how much of a file is read and written at a time.
const copySize = 128 << 10

// attrs are what an entry has besides its contents.
type attrs struct {
	mode     uint32 // permission bits
	uid, gid int
	mtime    time.Time
	xattrs   []xattr
}

func (a *attrs) times() []unix.Timespec {
	ts := unix.Timespec{Sec: a.mtime.Unix(), Nsec: int64(a.mtime.Nanosecond())}
	return []unix.Timespec{ts, ts}
}

// tree makes files below a destination. It refuses to make the same path
// twice, and links only to files that it made itself.
type tree struct {
	dirs     *dirs
	merge    bool
	made     map[string]bool // real path of all that is no directory; true: a regular file
	newDirs  map[string]int  // real path of directories that this tree made: position in pending, or -1
	pending  []pendingDir    // directories get their attributes at the end
	implied  []string
	buf      []byte
	uid, gid int // of new files as the kernel makes them
}

type pendingDir struct {
	real  string
	attrs attrs
}

func newTree(root *os.Root, merge bool) (*tree, error) {
	t := &tree{
		merge: merge, made: map[string]bool{}, newDirs: map[string]int{},
		buf: make([]byte, copySize), uid: os.Geteuid(), gid: os.Getegid(),
	}
	var err error
	t.dirs, err = openDirs(root, merge, func(real string) { t.implied = append(t.implied, real) })
	return t, err
}

// get opens the directory at name. Directories that had to be made for it get
// mode 0755 and the owner and time of the entry that needed them, unless they
// have an entry of their own.
func (t *tree) get(name string, a *attrs) (*dir, error) {
	d, err := t.dirs.get(name)
	for _, real := range t.implied {
		t.setDir(real, attrs{mode: 0o755, uid: a.uid, gid: a.gid, mtime: a.mtime}, true)
	}
	t.implied = t.implied[:0]
	return d, err
}

func (t *tree) setDir(real string, a attrs, made bool) {
	at, known := t.newDirs[real]
	switch {
	case known:
		t.pending[at].attrs = a
	case made || !t.merge:
		t.newDirs[real] = len(t.pending)
		t.pending = append(t.pending, pendingDir{real, a})
	}
}

// mkdir makes the directory at name, or takes the one that is there.
func (t *tree) mkdir(name string, a attrs) error {
	d, err := t.get(name, &a)
	if err != nil {
		return err
	}
	defer t.dirs.put(d)
	t.setDir(d.real, a, false)
	return nil
}

// spot is where an entry goes: a name in an open directory.
type spot struct {
	dir  *dir
	base string
	real string
}

func (t *tree) spot(name string, a *attrs) (spot, error) {
	parent, base := splitName(name)
	d, err := t.get(parent, a)
	if err != nil {
		return spot{}, err
	}
	s := spot{dir: d, base: base, real: base}
	if d.real != "." {
		s.real = d.real + "/" + base
	}
	if _, twice := t.made[s.real]; twice {
		t.dirs.put(d)
		return spot{}, refuse(ErrExists, "the archive has this name twice")
	}
	return s, nil
}

// create calls try, which must fail with EEXIST where something is. A tree
// that merges removes that and tries again, unless it is a directory.
func (t *tree) create(s spot, what string, try func() error) error {
	for range 8 {
		err := ignoringEINTR(try)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("%s: %w", what, err)
		}
		var st unix.Stat_t
		err = unix.Fstatat(s.dir.fd, s.base, &st, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case errors.Is(err, unix.ENOENT):
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		case st.Mode&unix.S_IFMT == unix.S_IFDIR:
			return refuse(ErrExists, "a directory is there")
		case !t.merge:
			return refuse(ErrExists, "the destination has this name already")
		}
		if err := unix.Unlinkat(s.dir.fd, s.base, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s: remove what is there: %w", what, err)
		}
	}
	return refuse(ErrExists, "somebody else keeps making it")
}

// file makes a regular file of exactly size bytes from r.
func (t *tree) file(ctx context.Context, name string, a attrs, r io.Reader, size int64) error {
	s, err := t.spot(name, &a)
	if err != nil {
		return err
	}
	defer t.dirs.put(s.dir)
	fd := -1
	err = t.create(s, "make file", func() (err error) {
		fd, err = unix.Openat(s.dir.fd, s.base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	err = t.fill(ctx, fd, r, size)
	if err == nil {
		err = t.finishFile(s, fd, &a)
	}
	if closeErr := unix.Close(fd); err == nil && closeErr != nil {
		err = fmt.Errorf("close file: %w", closeErr)
	}
	if err != nil {
		return err
	}
	t.made[s.real] = true
	return nil
}

func (t *tree) fill(ctx context.Context, fd int, r io.Reader, size int64) error {
	for size > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, t.buf[:min(size, int64(len(t.buf)))])
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return refuse(ErrMalformed, "the archive ends within the contents")
		}
		if err != nil {
			return err
		}
		size -= int64(n)
		for done := 0; done < n; {
			var wrote int
			err := ignoringEINTR(func() (err error) {
				wrote, err = unix.Write(fd, t.buf[done:n])
				return err
			})
			if err != nil {
				return fmt.Errorf("write file: %w", err)
			}
			done += wrote
		}
	}
	return nil
}

// finishFile sets owner, mode and attributes in this order: a change of owner
// clears the setuid bits and security.capability.
func (t *tree) finishFile(s spot, fd int, a *attrs) error {
	if a.uid != t.uid || a.gid != t.gid || s.dir.setgid {
		if err := unix.Fchown(fd, a.uid, a.gid); err != nil {
			return ownerError(a, err)
		}
	}
	if err := unix.Fchmod(fd, a.mode); err != nil {
		return fmt.Errorf("set mode %04o: %w", a.mode, err)
	}
	for _, x := range a.xattrs {
		if err := unix.Fsetxattr(fd, x.name, []byte(x.value), 0); err != nil {
			return fmt.Errorf("set attribute %s: %w", x.name, err)
		}
	}
	return setTime(s.dir.fd, s.base, a)
}

func ownerError(a *attrs, err error) error {
	return fmt.Errorf("set owner %d:%d: %w", a.uid, a.gid, err)
}

func setTime(dirfd int, base string, a *attrs) error {
	if err := unix.UtimesNanoAt(dirfd, base, a.times(), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set time: %w", err)
	}
	return nil
}

// conclude finishes the unpacking of an archive, and names the archive in a refusal.
func (t *tree) conclude(archive string, err error) error {
	err = t.finish(err)
	var refused *EntryError
	if errors.As(err, &refused) {
		refused.Archive = archive
	}
	return err
}

// finish must be called once, with the error that the work came to. If there is none, directories
// get their attributes, now that nothing is made in them any more. What is open is closed. It returns
// err, or what went wrong here.
func (t *tree) finish(err error) error {
	defer t.dirs.close()
	if err != nil {
		return err
	}
	for i := range t.pending {
		if err := t.finishDir(&t.pending[i]); err != nil {
			return &EntryError{Entry: t.pending[i].real, Err: err}
		}
	}
	return nil
}

func (t *tree) finishDir(p *pendingDir) error {
	d, err := t.dirs.get(p.real)
	if err != nil {
		return err
	}
	defer t.dirs.put(d)
	if err := unix.Fchown(d.fd, p.attrs.uid, p.attrs.gid); err != nil {
		return ownerError(&p.attrs, err)
	}
	if err := unix.Fchmod(d.fd, p.attrs.mode); err != nil {
		return fmt.Errorf("set mode %04o: %w", p.attrs.mode, err)
	}
	for _, x := range p.attrs.xattrs {
		if err := unix.Fsetxattr(d.fd, x.name, []byte(x.value), 0); err != nil {
			return fmt.Errorf("set attribute %s: %w", x.name, err)
		}
	}
	return setTime(d.fd, ".", &p.attrs)
}
