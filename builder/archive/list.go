package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// ListTar reads the uncompressed tar stream r and hands its entries to visit, in the archive's order, without
// unpacking them: for who must know what an archive holds before anything is made of it. Of o it heeds Name,
// Limits, ConfineLinks, AllowDevices and AllowFIFOs; names are judged as [ExtractTar] does, and so are types.
// Owners and modification times are as the archive has them. Errors are *EntryError; one of visit ends the reading.
func ListTar(ctx context.Context, r io.Reader, o Options, visit func(Entry) error) error {
	b, t := newBudget(o.Limits), tar.NewReader(bufio.NewReaderSize(r, copySize))
	for {
		if err := ctx.Err(); err != nil {
			return &EntryError{Archive: o.Name, Err: err}
		}
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, tar.ErrInsecurePath): // judged by cleanName
		case err != nil:
			return &EntryError{Archive: o.Name, Err: fmt.Errorf("%w: %w", ErrMalformed, err)}
		}
		if err := b.entry(h.Size); err != nil {
			return &EntryError{Archive: o.Name, Entry: h.Name, Err: err}
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		e, err := o.listed(h, b.limits.Depth)
		if err == nil {
			err = visit(e)
		}
		if err != nil {
			return &EntryError{Archive: o.Name, Entry: h.Name, Err: err}
		}
	}
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
