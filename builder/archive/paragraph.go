package archive

import "strings"

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
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "":
			if p != nil {
				all, p = append(all, p), nil
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if p == nil {
				return nil, refuse(ErrMalformed, "line %d continues a field, but none is open", number)
			}
			last := &p[len(p)-1]
			last.Value += "\n" + line[1:]
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, refuse(ErrMalformed, "line %d is no field: %q", number, line)
			}
			if p.has(name) {
				return nil, refuse(ErrMalformed, "line %d: field %s stands twice", number, name)
			}
			p = append(p, Field{name, strings.TrimLeft(value, " \t")})
		}
	}
	if p != nil {
		all = append(all, p)
	}
	return all, nil
}
