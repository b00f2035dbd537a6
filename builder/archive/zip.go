package archive

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// ExtractZip unpacks the zip file r (a jar, a wheel) of size bytes below dst
// and returns what it made, in the order of the zip's directory.
//
// Everything belongs to 0:0 unless Options.Owner says otherwise (its header
// has only a name). Files are 0644, or 0755 where the zip says that somebody
// may execute them; directories are 0755. Times are the zip's, taken as UTC
// where it does not say. Encrypted entries, and anything but files, directories
// and symbolic links, are refused. Checksums are verified.
func ExtractZip(ctx context.Context, r io.ReaderAt, size int64, dst *os.Root, o Options) ([]Entry, error) {
	selector, err := newSelector(o)
	if err != nil {
		return nil, err
	}
	if o.Owner == nil {
		o.Owner = FixedOwner(0, 0)
	}
	reader, err := openZip(r, size, o.Name)
	if err != nil {
		return nil, err
	}
	t, err := newTree(dst, o.Merge)
	if err != nil {
		return nil, fmt.Errorf("%s: unpack into %s: %w", o.Name, dst.Name(), err)
	}
	x := &zipExtraction{Options: o, selector: selector, tree: t, budget: newBudget(o.Limits)}
	for _, f := range reader.File {
		if err = x.entry(ctx, f); err != nil {
			err = &EntryError{Entry: f.Name, Err: err}
			break
		}
	}
	if err == nil {
		err = selector.missing(o)
	}
	return x.entries, t.conclude(o.Name, err)
}

// OpenZipMember opens one file of a zip, such as "bin.tgz" in a jar. Reading
// more than limit bytes, or bytes that do not have the zip's checksum, is an
// error. A name that the zip has twice is refused.
func OpenZipMember(r io.ReaderAt, size int64, archive, member string, limit int64) (io.ReadCloser, error) {
	reader, err := openZip(r, size, archive)
	if err != nil {
		return nil, err
	}
	var found *zip.File
	for _, f := range reader.File {
		switch {
		case f.Name != member:
		case found != nil:
			return nil, &EntryError{archive, member, refuse(ErrExists, "the archive has this name twice")}
		default:
			found = f
		}
	}
	if found == nil {
		return nil, &EntryError{archive, member, fs.ErrNotExist}
	}
	if found.UncompressedSize64 > uint64(limit) {
		return nil, &EntryError{archive, member, refuse(ErrLimit, "a file of %d bytes; allowed are %d", found.UncompressedSize64, limit)}
	}
	content, err := openZipFile(found)
	if err != nil {
		return nil, &EntryError{archive, member, err}
	}
	return content, nil
}

func openZip(r io.ReaderAt, size int64, name string) (*zip.Reader, error) {
	reader, err := zip.NewReader(r, size)
	switch {
	case errors.Is(err, zip.ErrInsecurePath): // judged by cleanName
	case errors.Is(err, zip.ErrFormat):
		return nil, &EntryError{Archive: name, Err: fmt.Errorf("%w: %w", ErrMalformed, err)}
	case err != nil:
		return nil, &EntryError{Archive: name, Err: err}
	}
	return reader, nil
}

// openZipFile opens an entry's contents, which end after the size that the
// zip's directory gives, whatever the compressed stream goes on with.
func openZipFile(f *zip.File) (io.ReadCloser, error) {
	if f.Flags&1 != 0 {
		return nil, refuse(ErrType, "it is encrypted")
	}
	content, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &zipContent{ReadCloser: content, left: int64(f.UncompressedSize64)}, nil
}

type zipContent struct {
	io.ReadCloser
	left int64
}

func (c *zipContent) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, refuse(ErrMalformed, "it holds more than the archive says")
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return n, err
}

type zipExtraction struct {
	Options
	*selector
	tree    *tree
	budget  *budget
	entries []Entry
}

func (x *zipExtraction) entry(ctx context.Context, f *zip.File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.UncompressedSize64 > 1<<62 {
		return refuse(ErrMalformed, "size %d", f.UncompressedSize64)
	}
	size := int64(f.UncompressedSize64)
	if err := x.budget.entry(size); err != nil {
		return err
	}
	mode := f.Mode()
	isDir := mode.IsDir() || strings.HasSuffix(f.Name, "/")
	name, err := cleanName(f.Name, isDir, x.budget.limits.Depth)
	if err != nil {
		return err
	}
	name, keep, err := x.pick(name)
	if err != nil || !keep {
		return err
	}
	uid, gid, err := x.Owner(&tar.Header{Name: name})
	if err != nil {
		return err
	}
	a := attrs{mode: 0o644, uid: uid, gid: gid, mtime: f.Modified}
	e := Entry{Name: name, UID: uid, GID: gid, ModTime: f.Modified}
	switch {
	case isDir:
		e.Type, a.mode = tar.TypeDir, 0o755
		err = x.tree.mkdir(name, a)
	case mode.IsRegular():
		if unixMode(f) && mode&0o111 != 0 {
			a.mode = 0o755
		}
		e.Type, e.Size = tar.TypeReg, size
		err = x.file(ctx, name, a, f, size)
	case mode.Type() == fs.ModeSymlink:
		e.Type, a.mode = tar.TypeSymlink, 0o777
		e.Target, err = x.symlink(name, a, f)
	default:
		err = refuse(ErrType, "its mode is %v", mode)
	}
	if err != nil {
		return err
	}
	e.Mode = a.mode
	x.entries = append(x.entries, e)
	return nil
}

// unixMode reports whether the entry was made on a system that has an x bit
// (APPNOTE.TXT 4.4.2.2: 3 is UNIX, 19 is OS X).
func unixMode(f *zip.File) bool {
	system := f.CreatorVersion >> 8
	return system == 3 || system == 19
}

func (x *zipExtraction) file(ctx context.Context, name string, a attrs, f *zip.File, size int64) error {
	content, err := openZipFile(f)
	if err != nil {
		return err
	}
	defer content.Close()
	if err := x.tree.file(ctx, name, a, content, size); err != nil {
		return err
	}
	// The checksum is compared at the end of the contents.
	if n, err := io.Copy(io.Discard, content); err != nil || n != 0 {
		return fmt.Errorf("after %d bytes: %w", size, err)
	}
	return nil
}

func (x *zipExtraction) symlink(name string, a attrs, f *zip.File) (string, error) {
	if f.UncompressedSize64 > maxName {
		return "", refuse(ErrName, "the target of the symbolic link is too long")
	}
	content, err := openZipFile(f)
	if err != nil {
		return "", err
	}
	defer content.Close()
	target, err := io.ReadAll(content)
	if err != nil {
		return "", err
	}
	if err := checkTarget(name, string(target), x.ConfineLinks); err != nil {
		return "", err
	}
	return string(target), x.tree.symlink(name, string(target), a)
}
