package builder

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"

	"github.com/mesos-forge/forge/builder/archive"
)

// extractTar unpacks a tar, compressed with gzip or not, as its first bytes say (RFC 1952, 2.3.1).
func extractTar(ctx context.Context, r io.Reader, root *os.Root, opt archive.Options) error {
	br := bufio.NewReader(r)
	magic, err := br.Peek(2)
	if err != nil {
		return fmt.Errorf("%s: %w", opt.Name, err)
	}
	var in io.Reader = br
	if magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("%s: %w", opt.Name, err)
		}
		defer z.Close()
		in = z
	}
	_, err = archive.ExtractTar(ctx, in, root, opt)
	return err
}
