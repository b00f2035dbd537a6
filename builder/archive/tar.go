package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// paxXattr starts the PAX records that hold extended attributes, as star,
// GNU tar, BSD tar and the OCI image specification write them.
const paxXattr = "SCHILY.xattr."

// ExtractTar unpacks the uncompressed tar stream r below dst and returns what
// it made, in the archive's order. r is read up to the end of the archive, not
// further.
//
// Hard links, setuid bits, times (of symbolic links too) and, with
// Options.Xattrs, extended attributes are restored. Nothing is flushed to the
// disk: whoever needs that syncs the whole file system once.
//
// Several extractions may run into one destination at a time, provided that
// they agree on who makes which file. On an error, an *EntryError, what was
// unpacked so far stays: the caller removes the destination.
func ExtractTar(ctx context.Context, r io.Reader, dst *os.Root, o Options) ([]Entry, error) {
	selector, err := newSelector(o)
	if err != nil {
		return nil, err
	}
	if o.Owner == nil {
		o.Owner = HeaderOwner
	}
	t, err := newTree(dst, o.Merge)
	if err != nil {
		return nil, fmt.Errorf("%s: unpack into %s: %w", o.Name, dst.Name(), err)
	}
	x := &tarExtraction{
		Options: o, selector: selector, tree: t, budget: newBudget(o.Limits),
		tar: tar.NewReader(bufio.NewReaderSize(r, copySize)),
	}
	if err = x.run(ctx); err == nil {
		err = selector.missing(o)
	}
	return x.entries, t.conclude(o.Name, err)
}

type tarExtraction struct {
	Options
	*selector
	tree    *tree
	budget  *budget
	tar     *tar.Reader
	entries []Entry
}

func (x *tarExtraction) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return &EntryError{Err: err}
		}
		h, err := x.tar.Next()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, tar.ErrInsecurePath): // judged by cleanName
		case errors.Is(err, tar.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, tar.ErrFieldTooLong):
			return &EntryError{Err: fmt.Errorf("%w: %w", ErrMalformed, err)}
		case err != nil:
			return &EntryError{Err: err}
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			if err := x.budget.entry(0); err != nil {
				return &EntryError{Err: err}
			}
			continue
		}
		if err := x.entry(ctx, h); err != nil {
			return &EntryError{Entry: h.Name, Err: err}
		}
	}
}

func (x *tarExtraction) entry(ctx context.Context, h *tar.Header) error {
	if err := x.budget.entry(h.Size); err != nil {
		return err
	}
	name, err := cleanName(h.Name, h.Typeflag == tar.TypeDir, x.budget.limits.Depth)
	if err != nil {
		return err
	}
	name, keep, err := x.pick(name)
	if err != nil || !keep {
		return err
	}
	a, err := x.attrs(h)
	if err != nil {
		return err
	}
	e := Entry{
		Name: name, Type: h.Typeflag, Mode: a.mode, UID: a.uid, GID: a.gid,
		Size: h.Size, ModTime: a.mtime, Target: h.Linkname,
	}
	if name == "." && e.Type != tar.TypeDir {
		return refuse(ErrName, "only a directory can be the top")
	}
	if err := x.make(ctx, &e, h, a); err != nil {
		return err
	}
	x.entries = append(x.entries, e)
	return nil
}

func (x *tarExtraction) make(ctx context.Context, e *Entry, h *tar.Header, a attrs) error {
	switch e.Type {
	case tar.TypeDir:
		return x.tree.mkdir(e.Name, a)
	case tar.TypeReg, tar.TypeGNUSparse:
		e.Type = tar.TypeReg
		return x.tree.file(ctx, e.Name, a, x.tar, h.Size)
	case tar.TypeSymlink:
		if err := checkTarget(e.Name, h.Linkname, x.ConfineLinks); err != nil {
			return err
		}
		return x.tree.symlink(e.Name, h.Linkname, a)
	case tar.TypeLink:
		target, err := x.linkTarget(h.Linkname)
		if err != nil {
			return err
		}
		e.Target = target
		return x.tree.link(e.Name, target, a)
	case tar.TypeFifo:
		if !x.AllowFIFOs {
			return refuse(ErrType, "it is a FIFO")
		}
		return x.tree.node(e.Name, unix.S_IFIFO, 0, a)
	case tar.TypeChar, tar.TypeBlock:
		return x.device(e, h, a)
	}
	return refuse(ErrType, "its type flag is %q", e.Type)
}

func checkTarget(name, target string, confine bool) error {
	switch {
	case target == "":
		return refuse(ErrName, "a symbolic link without target")
	case len(target) > maxName || strings.IndexByte(target, 0) >= 0:
		return refuse(ErrName, "the target of the symbolic link is too long or has a NUL byte in it")
	case confine && !confined(name, target):
		return refuse(ErrEscape, "symbolic link to %q", target)
	}
	return nil
}

// linkTarget gives the target of a hard link the name it was unpacked under.
func (x *tarExtraction) linkTarget(linkname string) (string, error) {
	target, err := cleanName(linkname, false, x.budget.limits.Depth)
	if err != nil {
		return "", fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	target, keep, err := x.pick(target)
	if err == nil && !keep {
		err = errors.New("which was left out")
	}
	if err != nil {
		return "", fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	return target, nil
}

func (x *tarExtraction) device(e *Entry, h *tar.Header, a attrs) error {
	if !x.AllowDevices {
		return refuse(ErrType, "it is a device node")
	}
	if h.Devmajor < 0 || h.Devmajor > math.MaxUint32 || h.Devminor < 0 || h.Devminor > math.MaxUint32 {
		return refuse(ErrMalformed, "device number %d,%d", h.Devmajor, h.Devminor)
	}
	kind := uint32(unix.S_IFBLK)
	if h.Typeflag == tar.TypeChar {
		kind = unix.S_IFCHR
		if h.Devmajor == 0 && h.Devminor == 0 {
			return refuse(ErrType, "device 0,0 is overlayfs's mark for a removed file")
		}
	}
	return x.tree.node(e.Name, kind, unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)), a)
}

func (x *tarExtraction) attrs(h *tar.Header) (attrs, error) {
	uid, gid, err := x.Owner(h)
	if err != nil {
		return attrs{}, err
	}
	if uid < 0 || gid < 0 || int64(uid) >= math.MaxUint32 || int64(gid) >= math.MaxUint32 {
		return attrs{}, refuse(ErrMalformed, "owner %d:%d", uid, gid)
	}
	a := attrs{mode: uint32(h.Mode & 0o7777), uid: uid, gid: gid, mtime: h.ModTime}
	if x.PlainModes {
		a.mode = 0o644
		if h.Typeflag == tar.TypeDir || h.Mode&0o111 != 0 {
			a.mode = 0o755
		}
	}
	if !x.Xattrs {
		return a, nil
	}
	for record, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(record, paxXattr)
		if !ok || !keptXattr(name) {
			continue
		}
		if strings.HasPrefix(name, overlayPrefix) {
			return attrs{}, refuse(ErrType, "attribute %s would give orders to overlayfs", name)
		}
		a.xattrs = append(a.xattrs, xattr{name, value})
	}
	sort.Slice(a.xattrs, func(i, j int) bool { return a.xattrs[i].name < a.xattrs[j].name })
	return a, nil
}
