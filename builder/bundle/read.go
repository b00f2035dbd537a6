package bundle

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mesos-forge/forge/builder/store"
)

// Bundle is one that is open for reading.
type Bundle struct {
	Index *Index
	path  string
	file  *os.File    // a bundle that is a file
	tar   *tar.Reader // of file, after the index
	root  *os.Root    // a bundle that is a folder
}

// Blobs is what blobs are read into.
type Blobs interface {
	HasBlob(d store.Digest) bool
	// PutBlob stores what r holds; bytes that are not want are a *store.DigestError.
	PutBlob(ctx context.Context, r io.Reader, want store.Digest) (store.Digest, int64, error)
}

// Open opens a bundle, a file or a folder, and reads its index.
func Open(path string) (*Bundle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	b := &Bundle{path: path}
	switch {
	case info.IsDir():
		err = b.openFolder()
	case info.Mode().IsRegular():
		err = b.openFile()
	default:
		err = b.wrong("", errors.New("it is neither a file nor a folder"))
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close closes the bundle.
func (b *Bundle) Close() error {
	var err error
	if b.file != nil {
		err = b.file.Close()
	}
	if b.root != nil {
		err = errors.Join(err, b.root.Close())
	}
	return err
}

func (b *Bundle) wrong(entry string, err error) error {
	return &Error{Bundle: b.path, Entry: entry, Err: err}
}

// openFile reads the first entry, and compares the length of the file with what the index says.
func (b *Bundle) openFile() (err error) {
	if b.file, err = os.Open(b.path); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	info, err := b.file.Stat()
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	b.tar = tar.NewReader(b.file)
	h, err := b.next()
	if err == io.EOF {
		return b.wrong("", ErrTruncated)
	} else if err != nil {
		return err
	}
	if h.Name != IndexName || h.Size > maxIndex {
		return b.wrong(quoted(h.Name), fmt.Errorf("%w: the first one is %s, of at most %d bytes", ErrEntry, IndexName, maxIndex))
	}
	if b.Index, err = decode(bufio.NewReader(b.tar)); err != nil {
		return b.wrong("", cutOff(err))
	}
	if want := fileSize(h.Size, b.Index.Blobs()); info.Size() < want {
		return b.wrong("", fmt.Errorf("%w: it has %d of %d bytes", ErrTruncated, info.Size(), want))
	}
	return nil
}

// fileSize is the length of a bundle as a tar, in bytes.
func fileSize(index int64, blobs []Blob) int64 {
	const block = 512
	entry := func(size int64) int64 { return block + (size+block-1)/block*block }
	sum := entry(index) + 2*block
	for _, blob := range blobs {
		sum += entry(blob.Size)
	}
	return sum
}

// next returns the header of the next entry, which must be one that a writer writes. At the end of the tar
// the error is io.EOF.
func (b *Bundle) next() (*tar.Header, error) {
	h, err := b.tar.Next()
	if err == io.EOF {
		return nil, err
	}
	if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
		return nil, b.wrong("", cutOff(err))
	}
	if !ours(h) {
		return nil, b.wrong(quoted(h.Name), fmt.Errorf("%w: it has a type, an owner or a time that forge does not write", ErrEntry))
	}
	return h, nil
}

// ours tells whether nothing but name and size of a header is as the archive's maker wants it.
func ours(h *tar.Header) bool {
	return h.Typeflag == tar.TypeReg && h.Format == tar.FormatUSTAR && h.Mode == fileMode && h.ModTime.Unix() == 0 &&
		h.Uid|h.Gid == 0 && h.Linkname+h.Uname+h.Gname == "" && h.Devmajor|h.Devminor == 0 && len(h.PAXRecords) == 0
}

func cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// quoted is a name from outside as an error may show it.
func quoted(name string) string {
	if len(name) > 200 {
		name = name[:200]
	}
	return fmt.Sprintf("%q", name)
}

func (b *Bundle) openFolder() (err error) {
	if b.root, err = os.OpenRoot(b.path); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	f, _, err := b.open(IndexName)
	if errors.Is(err, os.ErrNotExist) {
		return b.wrong("", fmt.Errorf("it is no bundle: it has no %s", IndexName))
	} else if err != nil {
		return err
	}
	defer f.Close()
	if b.Index, err = decode(bufio.NewReader(f)); err != nil {
		return b.wrong("", err)
	}
	return nil
}

// open opens a file of the folder, and no symbolic link or device that somebody put in its place.
func (b *Bundle) open(name string) (*os.File, int64, error) {
	info, err := b.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: it is no regular file", ErrEntry)
	}
	if err != nil {
		return nil, 0, b.wrong(name, err)
	}
	f, err := b.root.Open(name)
	if err != nil {
		return nil, 0, b.wrong(name, err)
	}
	return f, info.Size(), nil
}

// Read puts the files that blobs lacks into it. progress is told how many of the bytes of all files are done.
func (b *Bundle) Read(ctx context.Context, blobs Blobs, progress func(done, total int64)) error {
	total, done := b.Index.Size(), int64(0)
	for _, blob := range b.Index.Blobs() {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if b.root != nil {
			err = b.readFile(ctx, blob, blobs)
		} else {
			err = b.readEntry(ctx, blob, blobs)
		}
		if err != nil {
			return err
		}
		done += blob.Size
		progress(done, total)
	}
	if b.root != nil {
		return nil
	}
	return b.end()
}

func (b *Bundle) readFile(ctx context.Context, blob Blob, blobs Blobs) error {
	if blobs.HasBlob(blob.Digest) {
		return nil
	}
	f, size, err := b.open(blob.name())
	if errors.Is(err, os.ErrNotExist) {
		return b.wrong(blob.Input.String(), fmt.Errorf("%w (%s)", ErrMissing, blob.name()))
	} else if err != nil {
		return err
	}
	defer f.Close()
	if size != blob.Size {
		return b.wrong(blob.Input.String(), fmt.Errorf("%w (%d of %d bytes)", ErrDigest, size, blob.Size))
	}
	return b.put(ctx, blob, io.LimitReader(f, blob.Size), blobs)
}

// readEntry reads the next entry of the tar, which must be that blob. What blobs has already is passed over.
func (b *Bundle) readEntry(ctx context.Context, blob Blob, blobs Blobs) error {
	h, err := b.next()
	if err == io.EOF {
		return b.wrong(blob.Input.String(), ErrMissing)
	} else if err != nil {
		return err
	}
	if h.Name != blob.name() {
		return b.wrong(quoted(h.Name), b.misplaced(h.Name))
	}
	if h.Size != blob.Size {
		return b.wrong(blob.Input.String(), fmt.Errorf("%w (%d of %d bytes)", ErrDigest, h.Size, blob.Size))
	}
	if blobs.HasBlob(blob.Digest) {
		return nil
	}
	return b.put(ctx, blob, b.tar, blobs)
}

// misplaced says why an entry of that name is not the one that comes next.
func (b *Bundle) misplaced(name string) error {
	hex, ok := strings.CutPrefix(name, blobFolder)
	d, err := store.ParseDigest(hex)
	if !ok || err != nil || d.Hex() != hex {
		return ErrEntry
	}
	for _, in := range b.Index.Inputs {
		if in.SHA256 == d {
			return ErrRepeated
		}
	}
	return ErrUnknown
}

func (b *Bundle) put(ctx context.Context, blob Blob, r io.Reader, blobs Blobs) error {
	_, _, err := blobs.PutBlob(ctx, r, blob.Digest)
	var other *store.DigestError
	switch {
	case errors.As(err, &other):
		return b.wrong(blob.Input.String(), fmt.Errorf("%w (expected %s, got %s)", ErrDigest, other.Want, other.Got))
	case err != nil && ctx.Err() == nil:
		return b.wrong(blob.Input.String(), cutOff(err))
	}
	return err
}

// end wants the tar to end where the writer ends it.
func (b *Bundle) end() error {
	switch h, err := b.next(); {
	case err == nil:
		return b.wrong(quoted(h.Name), b.misplaced(h.Name))
	case err != io.EOF:
		return err
	}
	at, err := b.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return b.wrong("", err)
	}
	info, err := b.file.Stat()
	if err != nil {
		return b.wrong("", err)
	}
	if info.Size() != at {
		return b.wrong("", ErrTrailing)
	}
	return nil
}
