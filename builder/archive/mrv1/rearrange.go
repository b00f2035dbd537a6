package mrv1

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/mesos-forge/forge/builder/archive"
)

// Bounds of an input. CDH 5.1.2's has 300 MB in some 20,000 entries.
const (
	maxEntries = 200_000
	maxBytes   = 8 << 30 // contents of all files together
	maxName    = 1024    // bytes
	maxDepth   = 32      // components of a name
	maxPadding = 1 << 20 // bytes behind the last entry
)

// blockSize and level of the compression; with them the bytes are the same whatever the number of processors.
const (
	blockSize = 1 << 20
	level     = gzip.DefaultCompression
)

// Jar is a library that comes in.
type Jar struct {
	Name string // base name: "hadoop-mesos-0.0.8.jar"
	Size int64  // bytes
	Open func() (io.ReadCloser, error)
}

// Options of one rearrangement.
type Options struct {
	Input string // base name of the tarball, for errors: "hadoop-2.3.0-cdh5.1.2.tar.gz"
	// Name of the result: the executor looks for a folder whose name begins with what stands before its first
	// dot. "hadoop-2.3.0-cdh5.1.2-mesos-0.19.0.tar.gz" asks for "hadoop-2*".
	Name  string
	Jars  []Jar     // go to share/hadoop/common/lib, after everything else, in this order
	Clamp time.Time // the latest modification time
}

// Summary is what a rearrangement did.
type Summary struct {
	Top     string // the one folder: "hadoop-2.3.0-cdh5.1.2"
	Entries int    // of the result
	Bytes   int64  // contents of the result's files
}

// Rearrange reads a .tar.gz from r and writes the rearranged one to w. What was written is worth nothing if it
// returns an error.
func Rearrange(ctx context.Context, r io.Reader, w io.Writer, o Options) (Summary, error) {
	in, err := gzip.NewReader(r)
	if err != nil {
		return Summary{}, &archive.EntryError{Archive: o.Input, Err: fmt.Errorf("%w: not compressed with gzip: %w", archive.ErrMalformed, err)}
	}
	defer in.Close()
	gz, err := compressor(w)
	if err != nil {
		return Summary{}, err
	}
	p := &pass{Options: o, stream: in, in: tar.NewReader(in), out: tar.NewWriter(gz), buf: make([]byte, 256<<10), input: map[string]byte{}, output: map[string]byte{}}
	err = p.run(ctx)
	if err == nil {
		err = p.out.Close()
	}
	// Closed in any case: it holds goroutines.
	if closing := gz.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return Summary{}, err
	}
	return Summary{Top: p.top, Entries: p.written, Bytes: p.bytes}, nil
}

// pass is the one pass over an input.
type pass struct {
	Options
	stream        io.Reader // the tar
	in            *tar.Reader
	out           *tar.Writer
	buf           []byte
	top           string
	input, output map[string]byte // types of entries (tar.TypeDir, ...) by their names below the top
	entries       int
	written       int
	bytes         int64
	runs          bool // bin-mapreduce1/hadoop can be run
}

func (p *pass) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := p.in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p.wrong("", fmt.Errorf("%w: %w", archive.ErrMalformed, err))
		}
		if err := p.entry(h); err != nil {
			return err
		}
	}
	if err := p.drain(); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	for _, l := range links {
		if err := p.write(&tar.Header{Typeflag: tar.TypeSymlink, Name: l.at, Linkname: l.to, Mode: 0o777, ModTime: p.Clamp}, nil); err != nil {
			return err
		}
	}
	for _, j := range p.Jars {
		if err := p.jar(j); err != nil {
			return err
		}
	}
	return p.verify()
}

// drain reads the padding behind the last entry: the checksum comes after it.
func (p *pass) drain() error {
	n, err := io.Copy(io.Discard, io.LimitReader(p.stream, maxPadding))
	if err != nil {
		return p.wrong("", fmt.Errorf("%w: %w", archive.ErrMalformed, err))
	}
	if n == maxPadding {
		return p.wrong("", fmt.Errorf("%w: more than %d bytes behind its end", archive.ErrLimit, maxPadding))
	}
	return nil
}

// wrong is an error about an entry of the input.
func (p *pass) wrong(entry string, err error) error {
	return &archive.EntryError{Archive: p.Input, Entry: entry, Err: err}
}

func (p *pass) unexpected(entry, format string, args ...any) error {
	return p.wrong(entry, fmt.Errorf(format+": this is not the tarball of CDH 5 with MapReduce 1 and 2 beside each other", args...))
}

// entry takes one entry of the input over, under its new name.
func (p *pass) entry(h *tar.Header) error {
	name, err := p.name(h)
	if err != nil {
		return err
	}
	if p.entries++; p.entries > maxEntries {
		return p.wrong(h.Name, fmt.Errorf("%w: more than %d entries", archive.ErrLimit, maxEntries))
	}
	if h.Size < 0 || h.Size > maxBytes-p.bytes {
		return p.wrong(h.Name, fmt.Errorf("%w: unpacks to more than %d bytes", archive.ErrLimit, int64(maxBytes)))
	}
	if _, twice := p.input[name]; twice && h.Typeflag != tar.TypeDir {
		return p.wrong(h.Name, fmt.Errorf("%w: it is there twice", archive.ErrExists))
	}
	p.input[name] = h.Typeflag
	switch h.Typeflag {
	case tar.TypeDir:
		return p.write(&tar.Header{Typeflag: tar.TypeDir, Name: moved(name), Mode: 0o755, ModTime: p.clamp(h.ModTime)}, nil)
	case tar.TypeReg:
		mode := int64(0o644)
		if h.Mode&0o111 != 0 {
			mode = 0o755
		}
		p.runs = p.runs || name == "bin-mapreduce1/hadoop" && mode == 0o755
		return p.write(&tar.Header{Typeflag: tar.TypeReg, Name: moved(name), Mode: mode, Size: h.Size, ModTime: p.clamp(h.ModTime)}, p.in)
	case tar.TypeSymlink:
		want, known := knownLinks[name]
		switch {
		case !known:
			return p.unexpected(h.Name, "an unknown symbolic link to %q", h.Linkname)
		case strings.TrimSuffix(h.Linkname, "/") != want:
			return p.unexpected(h.Name, "a symbolic link to %q, not to %q", h.Linkname, want)
		case name == relinked:
			return nil // another takes its place
		}
		return p.write(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: h.Linkname, Mode: 0o777, ModTime: p.clamp(h.ModTime)}, nil)
	}
	return p.wrong(h.Name, fmt.Errorf("%w: neither a file, a folder nor a symbolic link (type %q)", archive.ErrType, h.Typeflag))
}

func (p *pass) clamp(t time.Time) time.Time {
	if t.After(p.Clamp) {
		return p.Clamp
	}
	return t.Truncate(time.Second)
}

// write adds an entry, whose name is below the top, to the result.
func (p *pass) write(h *tar.Header, content io.Reader) error {
	if was, there := p.output[h.Name]; there {
		if was == tar.TypeDir && h.Typeflag == tar.TypeDir {
			return nil // some archives name a folder again
		}
		return p.wrong(p.top+"/"+h.Name, fmt.Errorf("%w: two entries would get this name", archive.ErrExists))
	}
	p.output[h.Name] = h.Typeflag
	h.Name = p.top + "/" + h.Name
	if h.Typeflag == tar.TypeDir {
		h.Name = strings.TrimSuffix(h.Name, "/.") + "/"
	}
	if err := p.out.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s: %w", h.Name, err)
	}
	p.written++
	if content == nil {
		return nil
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{p.out}, struct{ io.Reader }{content}, p.buf)
	p.bytes += n
	if err != nil {
		return p.wrong(h.Name, err)
	}
	return nil
}

func (p *pass) jar(j Jar) error {
	f, err := j.Open()
	if err != nil {
		return fmt.Errorf("library %s: %w", j.Name, err)
	}
	defer f.Close()
	return p.write(&tar.Header{Typeflag: tar.TypeReg, Name: jarDir + "/" + j.Name, Mode: 0o644, Size: j.Size, ModTime: p.Clamp}, io.LimitReader(f, j.Size))
}
