package deb

import (
	"fmt"
	"io"
	"time"
)

// arWriter writes a common-format ar archive (deb(5)): global header, then members of known size,
// padded to even length.
type arWriter struct {
	w     io.Writer
	epoch time.Time
}

func newAr(w io.Writer, epoch time.Time) (*arWriter, error) {
	_, err := io.WriteString(w, "!<arch>\n")
	return &arWriter{w, epoch}, err
}

func (a *arWriter) member(name string, size int64, content io.Reader) error {
	if len(name) > 16 || size < 0 || size > 9_999_999_999 {
		return fmt.Errorf("ar member %s of %d bytes does not fit the format", name, size)
	}
	if _, err := fmt.Fprintf(a.w, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, a.epoch.Unix(), 0, 0, 0o100644, size); err != nil {
		return fmt.Errorf("write ar header of %s: %w", name, err)
	}
	n, err := io.Copy(a.w, content)
	if err == nil && n != size {
		err = fmt.Errorf("%d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err == nil && size%2 == 1 {
		_, err = io.WriteString(a.w, "\n")
	}
	if err != nil {
		return fmt.Errorf("write ar member %s: %w", name, err)
	}
	return nil
}
