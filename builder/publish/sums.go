package publish

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/store"
)

// WriteSums writes digests by path in the form that "sha256sum -c" reads, sorted by path. Paths are
// relative to the folder that the file lies in.
func WriteSums(w io.Writer, sums map[string]store.Digest) error {
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		if strings.ContainsAny(path, "\n\r\\") { // sha256sum would read another name
			return fmt.Errorf("checksums: the name %q can't stand in the file", path)
		}
		if _, err := store.ParseDigest(string(sums[path])); err != nil {
			return fmt.Errorf("checksums: %s: %w", path, err)
		}
		if _, err := fmt.Fprintf(w, "%s  %s\n", sums[path].Hex(), path); err != nil {
			return fmt.Errorf("checksums: %w", err)
		}
	}
	return nil
}

// ReadSums reads what WriteSums wrote.
func ReadSums(r io.Reader) (map[string]store.Digest, error) {
	sums := map[string]store.Digest{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		hex, path, ok := strings.Cut(lines.Text(), "  ")
		digest, err := store.ParseDigest("sha256:" + hex)
		if !ok || err != nil || path == "" {
			return nil, fmt.Errorf("checksums: line %d is not 64 hexadecimal digits, two spaces and a path", n)
		}
		sums[path] = digest
	}
	return sums, lines.Err()
}
