package deb

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"time"

	"github.com/mesos-forge/forge/builder/recipe"
)

// written is what the control archive must say about the data.
type written struct {
	md5sums bytes.Buffer // the md5sums file: "HEX  usr/bin/x", conffiles left out as dpkg-dev does
	kib     int64        // Installed-Size (policy 5.6.20)
	elf     bool         // some file is an ELF file
}

// writeData writes data.tar, uncompressed. Every entry belongs to root and has the epoch as its
// time: owners come from the postinst.
func (p *plan) writeData(ctx context.Context, w io.Writer, epoch time.Time) (*written, error) {
	tw := tar.NewWriter(w)
	out := &written{}
	root := &tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755}
	if err := writeHeader(tw, root, epoch); err != nil {
		return nil, err
	}
	for _, e := range p.entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := out.entry(tw, e, epoch); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, fmt.Errorf("end data.tar: %w", err)
	}
	return out, nil
}

func writeHeader(tw *tar.Writer, h *tar.Header, epoch time.Time) error {
	h.Uname, h.Gname, h.ModTime, h.Format = "root", "root", epoch, tar.FormatGNU
	if err := tw.WriteHeader(h); err != nil {
		return fmt.Errorf("write the tar header of %s: %w", h.Name, err)
	}
	return nil
}

func (out *written) entry(tw *tar.Writer, e *Entry, epoch time.Time) error {
	h := &tar.Header{Name: tarName(e), Mode: int64(e.Mode)}
	switch e.Kind {
	case recipe.EntryDir:
		h.Typeflag = tar.TypeDir
	case recipe.EntryLink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Target
	default:
		return out.file(tw, e, h, epoch)
	}
	out.kib++
	return writeHeader(tw, h, epoch)
}

func (out *written) file(tw *tar.Writer, e *Entry, h *tar.Header, epoch time.Time) error {
	content, size, err := e.open()
	if err != nil {
		return err
	}
	defer content.Close()
	h.Typeflag, h.Size = tar.TypeReg, size
	if err := writeHeader(tw, h, epoch); err != nil {
		return err
	}
	sum := md5.New()
	magic := &head{}
	// A file that grows or shrinks meanwhile fails here: the header's size holds.
	n, err := io.Copy(io.MultiWriter(tw, sum, magic), content)
	if err != nil || n != size {
		return fmt.Errorf("copy %s: %d of %d bytes: %w", e.Path, n, size, orShort(err))
	}
	if magic.is("\x7fELF") {
		out.elf = true
	}
	out.kib += (size + 1023) / 1024
	if !e.Conffile {
		fmt.Fprintf(&out.md5sums, "%x  %s\n", sum.Sum(nil), e.Path[1:])
	}
	return nil
}

func orShort(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// head keeps the first bytes that are written to it.
type head struct{ b []byte }

func (h *head) Write(p []byte) (int, error) {
	if n := 4 - len(h.b); n > 0 {
		h.b = append(h.b, p[:min(n, len(p))]...)
	}
	return len(p), nil
}

func (h *head) is(magic string) bool { return string(h.b) == magic }
