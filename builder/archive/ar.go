package archive

import (
	"io"
	"strconv"
	"strings"
)

const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
)

// debMember is one member of a .deb.
type debMember struct {
	name    string // "data.tar.xz"
	format  string // what follows ".tar": "", ".gz", ".xz", ".zst", ...
	content *io.SectionReader
}

// debMembers finds control.tar and data.tar in the ar archive r, as deb(5)
// has them: debian-binary first, with version 2.x, then control, then data;
// members whose name starts with "_" may stand between, others may not.
//
// A loop of its own instead of a library: the members stay sections of r, so
// that data.tar can be read later, and each field is checked.
func debMembers(r io.ReaderAt, size int64) (control, data debMember, err error) {
	magic := make([]byte, len(arMagic))
	if _, err := r.ReadAt(magic, 0); err != nil || string(magic) != arMagic {
		return control, data, refuse(ErrMalformed, "not a Debian package: it does not start with %q", strings.TrimSpace(arMagic))
	}
	want := []string{"debian-binary", "control.tar", "data.tar"}
	for at := int64(len(arMagic)); len(want) > 0; {
		m, err := arMember(r, size, at)
		if err != nil {
			return control, data, err
		}
		at = at + arHeaderSize + m.content.Size()
		at += at % 2
		if strings.HasPrefix(m.name, "_") {
			continue
		}
		if m.name != want[0] && (want[0] == "debian-binary" || !strings.HasPrefix(m.name, want[0]+".")) {
			return control, data, refuse(ErrMalformed, "its member %q stands where %s is expected", m.name, want[0])
		}
		m.format = strings.TrimPrefix(m.name, want[0])
		switch want[0] {
		case "debian-binary":
			err = checkDebVersion(m)
		case "control.tar":
			control = m
		default:
			data = m
		}
		if err != nil {
			return control, data, err
		}
		want = want[1:]
	}
	return control, data, nil
}

// arMember reads the member whose header is at an offset. The header is name
// (16 bytes), mtime (12), uid (6), gid (6), mode (8), size (10), "`\n".
func arMember(r io.ReaderAt, size, at int64) (debMember, error) {
	var header [arHeaderSize]byte
	if _, err := r.ReadAt(header[:], at); err != nil {
		return debMember{}, refuse(ErrMalformed, "it ends before its last member (%d bytes; cut off while being fetched?)", size)
	}
	if string(header[58:]) != "`\n" {
		return debMember{}, refuse(ErrMalformed, "no ar header at byte %d", at)
	}
	name := strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/")
	length, err := strconv.ParseUint(strings.TrimRight(string(header[48:58]), " "), 10, 62)
	if err != nil {
		return debMember{}, refuse(ErrMalformed, "member %q: bad size %q", name, header[48:58])
	}
	start := at + arHeaderSize
	if int64(length) > size-start {
		return debMember{}, refuse(ErrMalformed, "member %q should have %d bytes, but the file ends after %d (cut off while being fetched?)", name, length, size-start)
	}
	return debMember{name: name, content: io.NewSectionReader(r, start, int64(length))}, nil
}

func checkDebVersion(m debMember) error {
	if m.content.Size() > 64 {
		return refuse(ErrMalformed, "debian-binary has %d bytes", m.content.Size())
	}
	version, err := io.ReadAll(m.content)
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(version), "\n")
	if !strings.HasPrefix(line, "2.") {
		return refuse(ErrMalformed, "package format %q; 2.0 is known", line)
	}
	return nil
}
