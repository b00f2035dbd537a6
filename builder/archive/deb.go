package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

const (
	maxControl     = 16 << 20 // control.tar, unpacked
	maxControlFile = 4 << 20  // one file in it
	maxDecoder     = 512 << 20
)

// DebOptions say how a .deb is read.
type DebOptions struct {
	Name string     // the package in errors, such as "bash_5.2.deb"
	XZ   Decompress // nil: xz in Go
}

// Deb is an open .deb (deb(5), format 2.0).
type Deb struct {
	Control   Paragraph         // the fields of the control file
	Conffiles []string          // absolute paths, without those marked remove-on-upgrade
	Files     map[string][]byte // every file of control.tar: "control", "postinst", "md5sums", "triggers", ...
	Modes     map[string]uint32 // their permission bits

	options DebOptions
	data    debMember
}

// maintainerScripts are the scripts that dpkg (or debconf) runs.
var maintainerScripts = []string{"preinst", "postinst", "prerm", "postrm", "config"}

// Scripts names the maintainer scripts that the package has.
func (d *Deb) Scripts() []string {
	var have []string
	for _, name := range maintainerScripts {
		if _, ok := d.Files[name]; ok {
			have = append(have, name)
		}
	}
	return have
}

// OpenDeb reads the control part of the .deb r, which has size bytes. r must
// stay open as long as the Deb is used.
func OpenDeb(ctx context.Context, r io.ReaderAt, size int64, o DebOptions) (*Deb, error) {
	control, data, err := debMembers(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	d := &Deb{options: o, data: data, Files: map[string][]byte{}, Modes: map[string]uint32{}}
	if err := d.readControl(ctx, control); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", control.name, o.Name, err)
	}
	return d, nil
}

// DataName names the data member in errors: "data.tar.xz of bash_5.2.deb".
func (d *Deb) DataName() string { return d.data.name + " of " + d.options.Name }

// Data starts to read data.tar, uncompressed: input for ExtractTar.
func (d *Deb) Data(ctx context.Context) (io.ReadCloser, error) {
	content, err := d.open(ctx, d.data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.DataName(), err)
	}
	return content, nil
}

func (d *Deb) open(ctx context.Context, m debMember) (io.ReadCloser, error) {
	content := io.NewSectionReader(m.content, 0, m.content.Size())
	switch m.format {
	case "":
		return io.NopCloser(content), nil
	case ".gz":
		return gzip.NewReader(content)
	case ".zst":
		decoder, err := zstd.NewReader(content, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecoder))
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	case ".xz":
		if d.options.XZ != nil {
			return d.options.XZ(ctx, content)
		}
		return goXZ(content)
	}
	return nil, refuse(ErrType, "compression %q is not known: gz, xz and zst are", m.format)
}

// goXZ decompresses in this process.
func goXZ(r io.Reader) (io.ReadCloser, error) {
	decoder, err := xz.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(decoder), nil
}

func (d *Deb) readControl(ctx context.Context, m debMember) error {
	content, err := d.open(ctx, m)
	if err != nil {
		return err
	}
	defer content.Close()
	bounded := &io.LimitedReader{R: content, N: maxControl}
	for reader := tar.NewReader(bounded); ; {
		h, err := reader.Next()
		switch {
		case err == io.EOF:
			return d.parseControl()
		case bounded.N == 0:
			return refuse(ErrLimit, "unpacks to more than %d bytes", maxControl)
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if err := d.controlFile(h, reader); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

func (d *Deb) controlFile(h *tar.Header, r io.Reader) error {
	name, err := cleanName(h.Name, h.Typeflag == tar.TypeDir, 1)
	if err != nil {
		return err
	}
	switch {
	case h.Typeflag == tar.TypeDir && name == ".":
		return nil
	case h.Typeflag != tar.TypeReg:
		return refuse(ErrType, "the control part of a package holds files only")
	case h.Size > maxControlFile:
		return refuse(ErrLimit, "a file of %d bytes; allowed are %d", h.Size, maxControlFile)
	}
	if _, twice := d.Files[name]; twice {
		return refuse(ErrExists, "the archive has this name twice")
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	d.Files[name], d.Modes[name] = content, uint32(h.Mode&0o7777)
	return nil
}

func (d *Deb) parseControl() error {
	content, ok := d.Files["control"]
	if !ok {
		return refuse(ErrMalformed, "there is no file named control")
	}
	paragraphs, err := ParseParagraphs(content)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if len(paragraphs) != 1 {
		return refuse(ErrMalformed, "control has %d paragraphs instead of one", len(paragraphs))
	}
	d.Control = paragraphs[0]
	for _, field := range []string{"Package", "Version", "Architecture"} {
		if d.Control.Get(field) == "" {
			return refuse(ErrMalformed, "control has no field %s", field)
		}
	}
	for line := range strings.Lines(string(d.Files["conffiles"])) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			d.Conffiles = append(d.Conffiles, line)
		}
	}
	slices.Sort(d.Conffiles)
	return nil
}
