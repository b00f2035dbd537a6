package apt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
)

// notInStatus are fields of an index that dpkg's status file does not have.
var notInStatus = map[string]bool{
	"filename": true, "size": true, "md5sum": true, "sha1": true, "sha256": true, "sha512": true,
	"description-md5": true, "tag": true,
}

// WriteStatus writes a dpkg status file in which pkgs are installed: what the status file of a tree
// is after they were, as far as a solve looks at it. So a layer can be solved before the one
// below it is built. Packages are written in the order given.
func (c *Client) WriteStatus(ctx context.Context, s *Snapshot, pkgs []Package, w io.Writer) error {
	want := map[[2]string]bool{}
	for _, p := range pkgs {
		if p.Local == "" {
			want[[2]string{p.Filename, p.Digest.Hex()}] = true
		}
	}
	found := map[[2]string][]byte{}
	err := s.scan(func(_ Archive, b []byte) error {
		key := [2]string{string(field(b, "Filename")), string(field(b, "SHA256"))}
		if want[key] {
			found[key] = bytes.Clone(b)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("apt: status: %w", err)
	}
	for _, p := range pkgs {
		control := found[[2]string{p.Filename, p.Digest.Hex()}]
		if p.Local != "" {
			text, err := c.run(ctx, "", "dpkg-deb", "--field", p.Local)
			if err != nil {
				return fmt.Errorf("apt: status: %w", err)
			}
			control = []byte(text)
		}
		if control == nil {
			return fmt.Errorf("apt: status: %s is in none of the indexes", p)
		}
		if _, err := w.Write(installed(control)); err != nil {
			return fmt.Errorf("apt: status: %w", err)
		}
	}
	return nil
}

// installed turns a package's control data into its paragraph of a status file.
func installed(control []byte) []byte {
	var b bytes.Buffer
	skip, first := false, true
	for line := range bytes.Lines(control) {
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && line[0] != ' ' && line[0] != '\t' {
			skip = notInStatus[strings.ToLower(string(name))]
		}
		if skip || len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		b.Write(line)
		if first {
			b.WriteString("Status: install ok installed\n")
			first = false
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}
