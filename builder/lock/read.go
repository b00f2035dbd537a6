package lock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxSize  = 16 << 20 // bytes; a stack's lock has some 200 kB
	maxDepth = 8        // of brackets
)

// Error says what is wrong with a lock file.
type Error struct {
	File         string
	Line, Column int // from 1; 0: about the file as a whole
	Message      string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Read reads a lock file. What is wrong with its content is an *Error; a file that is not there
// wraps os.ErrNotExist.
func Read(name string) (*Lock, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return Decode(name, b)
}

// Decode reads the content of a lock file; name is for errors, which are *Error.
func Decode(name string, b []byte) (l *Lock, err error) {
	// The YAML library is not ours: should it panic, that is a report about the file.
	defer func() {
		if r := recover(); r != nil {
			l, err = nil, &Error{File: name, Message: fmt.Sprintf("can't be read: %v", r)}
		}
	}()
	if len(b) > maxSize {
		return nil, &Error{File: name, Message: fmt.Sprintf("larger than %d bytes", maxSize)}
	}
	if deeper(b) {
		return nil, &Error{File: name, Message: fmt.Sprintf("nested deeper than %d brackets", maxDepth)}
	}
	tokens := lexer.Tokenize(string(b))
	for _, t := range tokens {
		if t.Type == token.AnchorType || t.Type == token.AliasType || t.Type == token.MergeKeyType {
			return nil, at(name, t, "anchors and aliases have no place in a lock")
		}
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, yamlError(name, err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, &Error{File: name, Message: "want one YAML document"}
	}
	l = &Lock{}
	if err := yaml.NodeToValue(file.Docs[0].Body, l, yaml.Strict()); err != nil {
		return nil, yamlError(name, err)
	}
	if p := l.check(); p != nil {
		return nil, at(name, find(file, p.path), p.message)
	}
	return l, nil
}

// find returns the token that a path such as "debs.base[3]" stands at, or nil.
func find(file *ast.File, path string) *token.Token {
	p, err := yaml.PathString("$." + path)
	if err != nil {
		return nil
	}
	n, err := p.FilterFile(file)
	if err != nil || n == nil {
		return nil
	}
	return n.GetToken()
}

func at(name string, t *token.Token, message string) *Error {
	e := &Error{File: name, Message: message}
	if t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}

func yamlError(name string, err error) *Error {
	var ye yaml.Error
	if !errors.As(err, &ye) {
		return &Error{File: name, Message: firstLine(err.Error())}
	}
	return at(name, ye.GetToken(), firstLine(ye.GetMessage()))
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// deeper tells whether brackets nest deeper than maxDepth, by a cheap upper bound: the parser
// is recursive and must not see a megabyte of "[".
func deeper(b []byte) bool {
	depth := 0
	for _, c := range b {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		if depth > maxDepth {
			return true
		}
	}
	return false
}
