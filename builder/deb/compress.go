package deb

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// compressor opens the writer that nfpm's setting "TYPE[:LEVEL]" names and returns the suffix of
// the data member. Each writer works on one goroutine, so that its bytes never depend on timing.
func compressor(setting string, w io.Writer) (io.WriteCloser, string, error) {
	kind, level, hasLevel := strings.Cut(setting, ":")
	n, err := strconv.Atoi(level)
	if hasLevel && err != nil {
		return nil, "", fmt.Errorf("compression %q: %q is not a level", setting, level)
	}
	switch kind {
	case "zstd":
		if !hasLevel {
			n = 3
		}
		if n < 1 || n > 22 {
			return nil, "", fmt.Errorf("compression %q: want a level from 1 to 22", setting)
		}
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(n)), zstd.WithEncoderConcurrency(1))
		return z, ".zst", err
	case "", "gzip":
		if !hasLevel {
			n = 5
		}
		z, err := gzip.NewWriterLevel(w, n)
		if err != nil {
			return nil, "", fmt.Errorf("compression %q: %w", setting, err)
		}
		z.ModTime = time.Unix(0, 0) // "no time": the zero Time would be written as a year
		return z, ".gz", nil
	case "xz", "none":
		if hasLevel {
			return nil, "", fmt.Errorf("compression %q: %s has no level here", setting, kind)
		}
		if kind == "none" {
			return nopCloser{w}, "", nil
		}
		z, err := xz.NewWriter(w)
		return z, ".xz", err
	}
	return nil, "", fmt.Errorf("compression %q: want gzip, zstd, xz or none", setting)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
