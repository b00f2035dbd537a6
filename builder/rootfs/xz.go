package rootfs

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/ulikunitz/xz"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// smallXZ is the compressed size up to which xz in this process beats starting the xz program.
const smallXZ = 24 << 10

// XZ is the archive.Decompress of packages: the xz program, which is several times
// faster than xz in Go, except for small streams (control parts), where starting it costs more.
func XZ(ctx context.Context, r io.Reader) (io.ReadCloser, error) {
	head := make([]byte, smallXZ)
	n, err := io.ReadFull(r, head)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		small, err := xz.NewReader(bytes.NewReader(head[:n]))
		if err != nil {
			return nil, err
		}
		return io.NopCloser(small), nil
	case err != nil:
		return nil, err
	}
	return xzProgram(ctx, io.MultiReader(bytes.NewReader(head), r))
}

// Debian's builders write large packages as several blocks, which xz 5.4 decompresses side by side: a Java
// runtime in half the time on two cores. Older ones take the option and use one core.
var xzProgram = archive.Piped(func(ctx context.Context, in io.Reader, out io.Writer) error {
	return sandbox.Run(ctx, sandbox.Spec{Args: []string{"xz", "--decompress", "--stdout", "--quiet", "--threads=0"}, Stdin: in, Stdout: out})
})
