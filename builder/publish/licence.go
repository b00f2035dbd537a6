package publish

import (
	"errors"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/store"
)

const (
	maxCopyright = 2 << 20  // bytes of a copyright file that are read; the longest in Debian have 1 MB
	maxLicence   = 64 << 10 // bytes of a licence's text that are kept
)

// Extracted is a licence without an SPDX identifier, with the text that the package has of it
// (SPDX 2.3, section 10).
type Extracted struct {
	ID   string // "LicenseRef-perl-Artistic"
	Name string // the short name in the copyright file
	Text string
}

// errNotMachineReadable says that a copyright file is prose.
var errNotMachineReadable = errors.New("not in the machine-readable format (DEP-5)")

// ParseCopyright reads a Debian copyright file in the machine-readable format 1.0. The licence is
// all that the file names, joined with AND: it is that of the source package, which is all that
// Debian records. Licences without a certain SPDX identifier are references that start with
// LicenseRef- and the source's name.
func ParseCopyright(content []byte, source string) (string, []Extracted, error) {
	paragraphs, err := archive.ParseParagraphs(content)
	if err != nil {
		return "", nil, err
	}
	if len(paragraphs) == 0 || !strings.Contains(paragraphs[0].Get("Format"), "copyright-format/1.0") {
		return "", nil, errNotMachineReadable
	}
	c := copyright{source: source, texts: map[string]string{}, refs: map[string]Extracted{}}
	for _, p := range paragraphs {
		if synopsis, text := licenceField(p); p.Get("Files") == "" && text != "" {
			c.texts[strings.ToLower(synopsis)] = text
		}
	}
	var parts []expression
	for _, p := range paragraphs[1:] {
		if synopsis, text := licenceField(p); p.Get("Files") != "" && synopsis+text != "" {
			parts = append(parts, c.licence(synopsis, text))
		}
	}
	if synopsis, text := licenceField(paragraphs[0]); len(parts) == 0 && synopsis+text != "" {
		parts = append(parts, c.licence(synopsis, text))
	}
	if len(parts) == 0 {
		return "", nil, errNotMachineReadable
	}
	var refs []Extracted
	for _, id := range sortedKeys(c.refs) {
		refs = append(refs, c.refs[id])
	}
	return join("AND", parts...).String(), refs, nil
}

// copyright is a file that is being read.
type copyright struct {
	source string
	texts  map[string]string // by synopsis, in lower case: of paragraphs that are a licence and nothing else
	refs   map[string]Extracted
}

// licence turns one License field into an expression. A field whose first line is no expression
// is one reference, named by its content.
func (c *copyright) licence(synopsis, text string) expression {
	e, err := parseSynopsis(synopsis, func(short string) string { return c.ref(short, short, text) })
	if err != nil {
		digest := store.DigestOf([]byte(synopsis + "\n" + text)).Hex()[:8]
		return expression{id: c.ref("text-"+digest, synopsis, text)}
	}
	return e
}

// ref remembers a licence that needs its text and returns its identifier.
func (c *copyright) ref(id, short, text string) string {
	id = refID(c.source, id)
	if t := c.texts[strings.ToLower(short)]; t != "" {
		text = t
	}
	if text == "" {
		text = short
	}
	if have, ok := c.refs[id]; !ok || len(have.Text) < len(text) {
		name := cut(short, 120)
		if name == "" {
			name = "not named"
		}
		c.refs[id] = Extracted{ID: id, Name: name, Text: cut(text, maxLicence)}
	}
	return id
}

// licenceField returns the first line of a paragraph's License field and the lines after it.
func licenceField(p archive.Paragraph) (synopsis, text string) {
	synopsis, text, _ = strings.Cut(p.Get("License"), "\n")
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.TrimSpace(l) == "." { // deb822: an empty line
			lines[i] = ""
		}
	}
	return strings.TrimSpace(synopsis), strings.ToValidUTF8(strings.TrimSpace(strings.Join(lines, "\n")), "�")
}

// cut shortens a text to at most max bytes, at the end of a line or a word.
func cut(s string, max int) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= max {
		return s
	}
	s = strings.ToValidUTF8(s[:max], "")
	if at := strings.LastIndexAny(s, " \n"); at > 0 {
		s = s[:at]
	}
	return s + " [...]"
}
