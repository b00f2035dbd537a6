package recipe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of what is read.
const (
	maxYAMLSize     = 64 << 10 // bytes of one YAML file; the parser's time grows with the square
	maxTemplateSize = 1 << 20  // bytes of one template
	maxYAMLDepth    = 24       // nesting of one document
)

// document is one YAML file, checked against a Go type. It keeps where each
// value stands, so that later checks can point at it.
type document struct {
	path  string              // in the checkout
	place map[string]position // by path of keys: "artifacts/core/sources/0"
	probs *problems
}

type position struct{ line, column int }

// errorf records an error at the value with this key path (as in place), or at
// the nearest value around it.
func (d *document) errorf(at, hint, format string, args ...any) {
	e := &Error{File: d.path, Message: fmt.Sprintf(format, args...), Hint: hint}
	for {
		if p, ok := d.place[at]; ok {
			e.Line, e.Column = p.line, p.column
			break
		}
		i := strings.LastIndexByte(at, '/')
		if i < 0 {
			if at == "" {
				break
			}
			at = ""
			continue
		}
		at = at[:i]
	}
	d.probs.add(e)
}

// has says whether the document has a value at this key path.
func (d *document) has(at string) bool {
	_, ok := d.place[at]
	return ok
}

// readFile reads a file of at most limit bytes.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return b, nil
}

// decodeFile reads the YAML file at path into out, a pointer to a struct. All
// errors go to probs; ok is false when out can't be used.
func decodeFile(fsys fs.FS, path string, out any, probs *problems) (d *document, ok bool) {
	d = &document{path: path, place: map[string]position{}, probs: probs}
	b, err := readFile(fsys, path, maxYAMLSize)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		d.errorf("", "", "can't be read: %v", err)
		return d, false
	}
	return d, d.decode(b, out)
}

// decode checks and decodes one YAML document.
func (d *document) decode(b []byte, out any) (ok bool) {
	before := len(d.probs.list)
	// The parser is outside code fed with a person's typing: a panic in it is
	// a report about the file, not the end of the program.
	defer func() {
		if r := recover(); r != nil {
			d.errorf("", "", "is not YAML that can be read: %v", r)
			ok = false
		}
	}()
	if depth := flowDepth(b); depth > maxYAMLDepth {
		d.errorf("", "", "is nested deeper than %d levels", maxYAMLDepth)
		return false
	}
	file, err := parser.ParseBytes(b, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.yamlError(err)
		return false
	}
	body := d.body(file)
	if body == nil {
		return false
	}
	w := walker{d: d}
	w.walk(body, reflect.TypeOf(out).Elem(), "", 0, constraint{})
	if len(d.probs.list) > before {
		return false
	}
	if err := yaml.NodeToValue(body, out, yaml.Strict()); err != nil {
		d.yamlError(err)
		return false
	}
	return true
}

// body is the one document of a file.
func (d *document) body(file *ast.File) ast.Node {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			d.errorf("", "", "holds more than one document")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		d.errorf("", "", "is empty")
	}
	return body
}

// yamlError records an error of the YAML library.
func (d *document) yamlError(err error) {
	e := &Error{File: d.path, Message: err.Error()}
	var ye yaml.Error
	if errors.As(err, &ye) {
		e.Message = ye.GetMessage()
		if t := ye.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
	}
	e.Message = firstLine(e.Message)
	d.probs.add(e)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// flowDepth is the deepest nesting of brackets, an upper bound that is cheap:
// the parser is recursive, so it must not see a megabyte of "[".
func flowDepth(b []byte) int {
	depth, deepest := 0, 0
	for _, c := range b {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return deepest
}
