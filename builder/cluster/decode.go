package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits that keep the parser's work, and the depth of its recursion, small.
const (
	maxLine     = 8 << 10
	maxBrackets = 10_000
)

// Load reads and checks the inventory in a file.
func Load(path string) (*Inventory, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the inventory: %w", err)
	}
	defer func() { _ = f.Close() }()
	return Decode(path, f)
}

// Decode reads an inventory and checks it with all rules. The name stands in
// messages. The error for bad content is an [*InvalidError] with all problems
// that the inventory does not accept.
func Decode(name string, r io.Reader) (*Inventory, error) {
	doc, err := Read(name, r)
	if err != nil {
		return nil, err
	}
	if err := invalid(Errors(doc.Problems)); err != nil {
		return nil, err
	}
	return doc.Inventory, nil
}

// Document is an inventory, what is wrong with it, and where its values stand.
type Document struct {
	Inventory *Inventory
	// Problems are all that the rules found, those with Accepted set among them.
	Problems []Problem

	name      string
	positions positions
}

// Read is [Decode] for who wants to see everything: an error tells of content that can't be taken in at
// all, and what rules find is returned with the inventory.
func Read(name string, r io.Reader) (*Document, error) {
	d := &Document{Inventory: &Inventory{}, name: name}
	var err error
	if d.positions, err = decode(name, r, d.Inventory); err != nil {
		return nil, err
	}
	for _, p := range d.Inventory.Problems() {
		d.Problems = append(d.Problems, d.Place(p))
	}
	SortProblems(d.Problems)
	return d, nil
}

// Place fills in where a problem's Path stands in the file.
func (d *Document) Place(p Problem) Problem {
	at := d.positions.of(p.Path)
	p.File, p.Line, p.Column = d.name, at.line, at.column
	return p
}

// DecodeStrict reads any small YAML document into a pointer to a struct of
// strings, numbers, booleans, lists, maps and structs with yaml tags. Unknown
// keys, wrong types, aliases and values that are not ASCII are an
// [*InvalidError]; missing keys are not.
func DecodeStrict(name string, r io.Reader, into any) error {
	_, err := decode(name, r, into)
	return err
}

type position struct{ line, column int }

// positions of values by path.
type positions map[string]position

// of returns where a path is, or the nearest thing around it that exists.
func (ps positions) of(path string) position {
	for {
		if p, ok := ps[path]; ok || path == "" {
			return p
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

func decode(name string, r io.Reader, into any) (positions, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if err := checkSize(name, data); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxProblem(name, err)
	}
	d := &decoder{file: name, positions: positions{}}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.problem(doc.Body, "", "syntax", "a second document begins here", "keep one document, without ---")
			break
		}
		body = doc.Body
	}
	if body != nil {
		d.value(body, reflect.ValueOf(into).Elem(), "")
	}
	return d.positions, invalid(d.problems)
}

func checkSize(name string, data []byte) error {
	bad := func(line int, message, hint string) error {
		return invalid([]Problem{{File: name, Line: line, Column: 1, Rule: "size", Message: message, Hint: hint}})
	}
	if len(data) > MaxBytes {
		return bad(0, fmt.Sprintf("larger than %d bytes", MaxBytes), "an inventory is a few kilobytes")
	}
	if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > maxBrackets {
		return bad(0, fmt.Sprintf("more than %d brackets", maxBrackets), "write lists as lines that begin with -")
	}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if len(line) > maxLine {
			return bad(n, fmt.Sprintf("line longer than %d bytes", maxLine), "write lists as lines that begin with -")
		}
	}
	return nil
}

func syntaxProblem(name string, err error) error {
	p := Problem{File: name, Rule: "syntax", Message: err.Error()}
	var yamlErr yaml.Error
	if errors.As(err, &yamlErr) {
		p.Message = yamlErr.GetMessage()
		if t := yamlErr.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return invalid([]Problem{p})
}
