package compare

import (
	"archive/tar"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// Mode is a file's permission, setuid, setgid and sticky bits.
type Mode uint32

func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText writes four octal digits: "4755".
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 12)
	if err != nil {
		return fmt.Errorf("mode %q: %w", text, err)
	}
	*m = Mode(n)
	return nil
}

// File is what a tree says of one path.
type File struct {
	Path   string            `json:"path"` // "/usr/bin/su"; "/" is the top
	Type   string            `json:"type"` // "file", "dir", "link", "char", "block" or "fifo"
	Mode   Mode              `json:"mode"`
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	Size   int64             `json:"size,omitempty"`    // of a file's content, in bytes
	Digest string            `json:"digest,omitempty"`  // "sha256:<64 hex>" of a file's content
	Target string            `json:"target,omitempty"`  // of a symbolic link
	Device string            `json:"device,omitempty"`  // "MAJOR,MINOR"
	SameAs string            `json:"same_as,omitempty"` // the first name of a file that has several; "" at the first
	Xattrs map[string][]byte `json:"xattrs,omitempty"`  // extended attributes
}

func typeName(t byte) string {
	switch t {
	case tar.TypeReg:
		return "file"
	case tar.TypeDir:
		return "dir"
	case tar.TypeSymlink:
		return "link"
	case tar.TypeLink:
		return "hard link"
	case tar.TypeChar:
		return "char"
	case tar.TypeBlock:
		return "block"
	case tar.TypeFifo:
		return "fifo"
	}
	return fmt.Sprintf("type %q", t)
}

// absolute returns the path of a clean relative name.
func absolute(name string) string {
	if name == "." {
		return "/"
	}
	return "/" + name
}

// differing names what two files of one path differ in, in a fixed order. Times don't count: all files of
// a build have that of its lock.
func (f *File) differing(g *File) []string {
	if f.Type != g.Type {
		return []string{"type"}
	}
	var out []string
	for _, c := range []struct {
		what string
		same bool
	}{
		{"mode", f.Mode == g.Mode},
		{"owner", f.UID == g.UID && f.GID == g.GID},
		{"size", f.Size == g.Size},
		{"content", f.Digest == g.Digest},
		{"target", f.Target == g.Target},
		{"device", f.Device == g.Device},
		{"xattrs", maps.EqualFunc(f.Xattrs, g.Xattrs, func(a, b []byte) bool { return string(a) == string(b) })},
		{"hard link", f.SameAs == g.SameAs},
	} {
		if !c.same {
			out = append(out, c.what)
		}
	}
	return out
}

// Value returns what a file has of one of the things that FileChange.What names.
func (f *File) Value(what string) string {
	switch what {
	case "type":
		return f.Type
	case "mode":
		return f.Mode.String()
	case "owner":
		return fmt.Sprintf("%d:%d", f.UID, f.GID)
	case "size":
		return bytesText(f.Size)
	case "content":
		return shortDigest(f.Digest)
	case "target":
		return f.Target
	case "device":
		return f.Device
	case "hard link":
		return f.SameAs
	}
	all := map[string]string{}
	for name, v := range f.Xattrs {
		all[name] = string(v)
	}
	return xattrText(all)
}

// shortDigest cuts "sha256:<64 hex>" to 12 digits.
func shortDigest(d string) string {
	d = strings.TrimPrefix(d, "sha256:")
	return d[:min(12, len(d))]
}
