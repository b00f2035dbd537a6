package archive

import "strings"

// maxFields bounds a paragraph: what apt and dpkg write has 40 at most.
const maxFields = 1000

// Field is one field of a Paragraph.
type Field struct {
	Name  string
	Value string // further lines follow after "\n", without their leading blank
}

// Paragraph is one paragraph of a Debian control file (deb-control(5),
// Debian policy 5.1), in the file's order.
type Paragraph []Field

// Get returns the value of a field, whatever the case of its name; "" when
// the paragraph has none.
func (p Paragraph) Get(name string) string {
	for _, f := range p {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

func (p Paragraph) has(name string) bool {
	for _, f := range p {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// ParseParagraphs reads a control file, an apt index or a dpkg status file. A
// line that is no field, or a field that stands twice, is an error that names
// the line.
func ParseParagraphs(content []byte) ([]Paragraph, error) {
	var all []Paragraph
	var p Paragraph
	var lines []string // of the last field of p; joined when it ends, or a long field would take quadratic time
	end := func() {
		if len(p) > 0 {
			p[len(p)-1].Value = strings.Join(lines, "\n")
		}
	}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "":
			if p != nil {
				end()
				all, p = append(all, p), nil
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if p == nil {
				return nil, refuse(ErrMalformed, "line %d continues a field, but none is open", number)
			}
			lines = append(lines, line[1:])
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, refuse(ErrMalformed, "line %d is no field: %q", number, line)
			}
			if len(p) == maxFields {
				return nil, refuse(ErrLimit, "line %d: more than %d fields in a paragraph", number, maxFields)
			}
			if p.has(name) {
				return nil, refuse(ErrMalformed, "line %d: field %s stands twice", number, name)
			}
			end()
			p, lines = append(p, Field{Name: name}), append(lines[:0], strings.TrimLeft(value, " \t"))
		}
	}
	if p != nil {
		end()
		all = append(all, p)
	}
	return all, nil
}
