package apt

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxParagraph bounds one paragraph of control data, in bytes. The largest of Debian's archive
// (a Release file's list of digests) has some 150 kB.
const maxParagraph = 4 << 20

// paragraph is one block of control data (deb822(5)): field names as they were written, values
// with the lines of a continuation joined by "\n".
type paragraph map[string]string

// get returns a field's value whatever the case of its name, as deb822(5) wants it.
func (p paragraph) get(name string) string {
	if v, ok := p[name]; ok {
		return v
	}
	for k, v := range p {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// words returns a field's value split at white space.
func (p paragraph) words(name string) []string { return strings.Fields(p.get(name)) }

// parseParagraph reads the fields of one paragraph. Lines that begin with # are comments.
func parseParagraph(b []byte) (paragraph, error) {
	p := paragraph{}
	last := ""
	for line := range bytes.Lines(b) {
		s := strings.TrimRight(string(line), "\r\n")
		switch {
		case s == "" || s[0] == '#':
		case s[0] == ' ' || s[0] == '\t':
			if last == "" {
				return nil, fmt.Errorf("continuation line %.40q before any field", s)
			}
			p[last] += "\n" + strings.TrimSpace(s)
		default:
			name, value, ok := strings.Cut(s, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, fmt.Errorf("line %.40q is not of the form Field: value", s)
			}
			if _, dup := p[name]; dup {
				return nil, fmt.Errorf("field %s stands there twice", name)
			}
			p[name], last = strings.TrimSpace(value), name
		}
	}
	return p, nil
}

// eachParagraph calls f with the bytes of each paragraph of r, which are valid until f returns.
func eachParagraph(r io.Reader, f func([]byte) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 256<<10), maxParagraph)
	sc.Split(splitParagraph)
	for sc.Scan() {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		if err := f(sc.Bytes()); err != nil {
			return err
		}
	}
	if errors.Is(sc.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a paragraph is longer than %d bytes", maxParagraph)
	}
	return sc.Err()
}

// splitParagraph is a bufio.SplitFunc: a paragraph ends at an empty line.
func splitParagraph(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return i + 2, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
