package rootfs

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/event"
)

// newConffile is how dpkg names a conffile until the package is configured.
const newConffile = ".dpkg-new"

// unpack unpacks the packages side by side, the largest first, and then settles what depends on
// their order.
func (t *tree) unpack(ctx context.Context, units []*unit) error {
	sizes := make(map[*unit]int64, len(units))
	var total, done atomic.Int64
	for _, u := range units {
		info, err := u.file.Stat()
		if err != nil {
			return fmt.Errorf("rootfs: %w", err)
		}
		sizes[u] = info.Size()
		total.Add(info.Size())
	}
	bySize := slices.Clone(units)
	slices.SortStableFunc(bySize, func(a, b *unit) int { return cmp.Compare(sizes[b], sizes[a]) })
	var collided collisions
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(t.Jobs)
	for _, u := range bySize {
		group.Go(func() error {
			err := t.extract(groupCtx, u, nil)
			if errors.Is(err, fs.ErrNotExist) {
				collided.add(u)
				return nil
			}
			if err != nil {
				return err
			}
			t.Sink.Emit(event.Event{Kind: event.Progress, Done: done.Add(sizes[u]), Total: total.Load(), Unit: "bytes"})
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, u := range collided.units {
		if err := t.extract(ctx, u, nil); err != nil {
			return err
		}
	}
	if err := t.settleFiles(ctx, units); err != nil {
		return err
	}
	if err := t.settleDirs(units); err != nil {
		return err
	}
	return t.applyOverrides(units)
}

// collisions are packages that could not be unpacked because another one, with the same file, took
// that away at the same time. They are unpacked again, alone; settleFiles judges the file.
type collisions struct {
	mu    sync.Mutex
	units []*unit
}

func (c *collisions) add(u *unit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.units = append(c.units, u)
}

// extract unpacks a package, and records its paths in u; with without, it leaves these paths (as
// named in the tree) out, and the record stays.
func (t *tree) extract(ctx context.Context, u *unit, without map[string]bool) error {
	data, err := u.deb.Data(ctx)
	if err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	defer data.Close()
	renamed := map[string]string{}
	entries, err := archive.ExtractTar(ctx, data, t.root, archive.Options{
		Name: u.deb.DataName(), Owner: t.owner, Xattrs: true, AllowDevices: true, AllowFIFOs: true, Merge: true,
		Rename: func(name string) (string, bool) {
			to := t.nameFor(u, name)
			if to != name {
				renamed[to] = name
			}
			return to, !without[to]
		},
	})
	if err != nil {
		return fmt.Errorf("rootfs: unpack %s: %w", u.Name, err)
	}
	if without != nil {
		return nil
	}
	u.paths = make([]unpacked, 0, len(entries)+1)
	for _, e := range entries {
		p := unpacked{Entry: e, listed: e.Name}
		if from, ok := renamed[e.Name]; ok {
			p.listed = from
		}
		if e.Name == "." {
			p.listed = "."
		}
		if e.ModTime.After(u.newest) {
			u.newest = e.ModTime
		}
		u.paths = append(u.paths, p)
	}
	u.renamed = renamed
	return nil
}

// nameFor is the name under which a package's file goes into the tree.
func (t *tree) nameFor(u *unit, name string) string {
	if d, ok := t.db.diversions[name]; ok && d.by != u.Name {
		name = d.to
	}
	if u.conffiles[name] {
		name += newConffile
	}
	return name
}

// owner is who owns a file: by name where the tree knows the name, as dpkg does, else by number.
func (t *tree) owner(h *tar.Header) (uid, gid int, err error) {
	uid, gid = h.Uid, h.Gid
	if id, ok := t.db.users[h.Uname]; ok {
		uid = id
	}
	if id, ok := t.db.groups[h.Gname]; ok {
		gid = id
	}
	return uid, gid, nil
}

func isDir(p unpacked) bool { return p.Type == tar.TypeDir }

// settleFiles finds files that several packages have, or that a package of a lower tree has. Where
// Replaces allows it the right one wins, whatever was unpacked last; else it is an error.
func (t *tree) settleFiles(ctx context.Context, units []*unit) error {
	type claim struct {
		u *unit
		p *unpacked
	}
	claims := map[string]claim{}
	again := map[*unit]bool{}
	for _, u := range units {
		for i := range u.paths {
			p := &u.paths[i]
			key := canonical(p.Name)
			if p.Type == tar.TypeSymlink && p.Target == key {
				continue // a link of merged /usr itself, in trixie's base-files: the tree has it already
			}
			if err := t.claimLower(u, p, key); err != nil {
				return err
			}
			before, taken := claims[key]
			switch {
			case !taken:
				claims[key] = claim{u, p}
				continue
			case isDir(*p) && isDir(*before.p):
				continue
			case isDir(*p) != isDir(*before.p):
				return fmt.Errorf("rootfs: /%s is a directory in one of the packages %s and %s, and none in the other", key, before.u.Name, u.Name)
			case replaces(before.u.control("Replaces"), u.Name, u.Version):
				p.lost = true
			case replaces(u.control("Replaces"), before.u.Name, before.u.Version):
				before.p.lost = true
				claims[key] = claim{u, p}
			default:
				return fmt.Errorf("rootfs: package %s wants to install /%s, which is in package %s, too (and does not say that it replaces it)",
					u.Name, p.listed, before.u.Name)
			}
			again[before.u], again[u] = true, true
		}
	}
	return t.extractAgain(ctx, units, again)
}

// extractAgain unpacks packages that share files once more, one at a time and without the files
// that they lost.
func (t *tree) extractAgain(ctx context.Context, units []*unit, again map[*unit]bool) error {
	for _, u := range units {
		if !again[u] {
			continue
		}
		lost := map[string]bool{}
		for _, p := range u.paths {
			if p.lost {
				lost[p.Name] = true
			}
		}
		if err := t.extract(ctx, u, lost); err != nil {
			return err
		}
	}
	return nil
}

// claimLower checks a path against the packages of lower trees.
func (t *tree) claimLower(u *unit, p *unpacked, key string) error {
	owner, ok := t.db.owners[key]
	if !ok || isDir(*p) {
		return nil
	}
	old := t.db.packages[owner]
	if !replaces(u.control("Replaces"), owner, old.Get("Version")) {
		return fmt.Errorf("rootfs: package %s wants to install /%s, which is in package %s of a lower tree, too (and does not say that it replaces it)",
			u.Name, p.listed, owner)
	}
	return nil
}

// settleDirs gives directories the owner and mode that the first of their packages says, as if
// that one had made them, and those with something in them the time of the epoch: dpkg leaves
// there the time when it last put something in.
func (t *tree) settleDirs(units []*unit) error {
	seen := map[string]bool{}
	filled := map[string]bool{}
	for _, u := range units {
		for _, p := range u.paths {
			if i := strings.LastIndexByte(p.Name, '/'); i >= 0 {
				filled[canonical(p.Name[:i])] = true
			}
		}
	}
	for _, u := range units {
		for _, p := range u.paths {
			key := canonical(p.Name)
			if !isDir(p) || seen[key] {
				continue
			}
			seen[key] = true
			if _, lower := t.db.owners[key]; lower {
				continue // it was there before
			}
			if err := t.settleDir(key, p, filled[key] || key == "."); err != nil {
				return fmt.Errorf("rootfs: directory /%s: %w", key, err)
			}
		}
	}
	return nil
}

func (t *tree) settleDir(name string, p unpacked, filled bool) error {
	info, err := t.root.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil // the package has a directory where a link to one was
	}
	st := info.Sys().(*syscall.Stat_t)
	if int(st.Uid) != p.UID || int(st.Gid) != p.GID {
		if err := t.root.Lchown(name, p.UID, p.GID); err != nil {
			return err
		}
	}
	if st.Mode&0o7777 != p.Mode {
		if err := t.chmod(name, p.Mode); err != nil {
			return err
		}
	}
	if filled {
		return t.root.Chtimes(name, t.Epoch, t.Epoch)
	}
	return t.root.Chtimes(name, p.ModTime, p.ModTime)
}

// chmod sets mode bits of a file or directory, setuid, setgid and sticky ones too.
func (t *tree) chmod(name string, mode uint32) error {
	f, err := t.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fchmod(int(f.Fd()), mode), f.Close())
}
