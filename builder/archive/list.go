package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// Item is one entry of a tar stream that is read and not unpacked.
type Item struct {
	Entry
	Header  *tar.Header
	Content io.Reader // of a file; it ends when the next entry is asked for
}

// Xattrs returns the extended attributes of the entry by name, those that would give orders to overlayfs and
// those of the host left out; nil if it has none.
func (i Item) Xattrs() map[string]string {
	var all map[string]string
	for record, value := range i.Header.PAXRecords {
		name, ok := strings.CutPrefix(record, paxXattr)
		if !ok || !keptXattr(name) || strings.HasPrefix(name, overlayPrefix) {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = value
	}
	return all
}

// ReadTar reads the uncompressed tar stream r entry by entry, in the archive's order, without unpacking anything.
// Of o it heeds Name, Limits, ConfineLinks, AllowDevices and AllowFIFOs; names are judged as [ExtractTar] does,
// and so are types. Owners and modification times are as the archive has them. An error, an *EntryError, is the last
// that is yielded.
func ReadTar(ctx context.Context, r io.Reader, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		fail := func(entry string, err error) {
			yield(Item{}, &EntryError{Archive: o.Name, Entry: entry, Err: err})
		}
		b, t := newBudget(o.Limits), tar.NewReader(bufio.NewReaderSize(r, copySize))
		for {
			if err := ctx.Err(); err != nil {
				fail("", err)
				return
			}
			h, err := t.Next()
			switch {
			case err == io.EOF:
				return
			case errors.Is(err, tar.ErrInsecurePath): // judged by cleanName
			case err != nil:
				fail("", fmt.Errorf("%w: %w", ErrMalformed, err))
				return
			}
			if err := b.entry(h.Size); err != nil {
				fail(h.Name, err)
				return
			}
			if h.Typeflag == tar.TypeXGlobalHeader {
				continue
			}
			e, err := o.listed(h, b.limits.Depth)
			if err != nil {
				fail(h.Name, err)
				return
			}
			if !yield(Item{Entry: e, Header: h, Content: t}, nil) {
				return
			}
		}
	}
}

// ListTar hands the entries of a tar stream to visit, as [ReadTar] reads them: for who must know what an archive
// holds before anything is made of it. Errors are *EntryError; one of visit ends the reading.
func ListTar(ctx context.Context, r io.Reader, o Options, visit func(Entry) error) error {
	for item, err := range ReadTar(ctx, r, o) {
		if err != nil {
			return err
		}
		if err := visit(item.Entry); err != nil {
			return &EntryError{Archive: o.Name, Entry: item.Header.Name, Err: err}
		}
	}
	return nil
}

// listed judges one entry.
func (o Options) listed(h *tar.Header, depth int) (Entry, error) {
	name, err := cleanName(h.Name, h.Typeflag == tar.TypeDir, depth)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Name: name, Type: h.Typeflag, Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid, Size: h.Size, ModTime: h.ModTime, Target: h.Linkname}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeGNUSparse:
		e.Type = tar.TypeReg
	case tar.TypeLink:
		e.Target, err = cleanName(h.Linkname, false, depth)
	case tar.TypeSymlink:
		err = checkTarget(name, h.Linkname, o.ConfineLinks)
	case tar.TypeChar, tar.TypeBlock:
		if !o.AllowDevices {
			err = refuse(ErrType, "it is a device node")
		}
	case tar.TypeFifo:
		if !o.AllowFIFOs {
			err = refuse(ErrType, "it is a FIFO")
		}
	default:
		err = refuse(ErrType, "its type flag is %q", h.Typeflag)
	}
	return e, err
}
