package recipe

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// walker compares a YAML tree with a Go type and records every difference, so
// that a person sees all mistakes at once and not the first alone. What the
// struct tags say (name, omitempty, inline; enum, pattern, minimum, maximum,
// minItems of the schema) is what is checked: the types are the one source for
// the decoder, the checks and the published schema.
type walker struct{ d *document }

// constraint is what a field's jsonschema tag demands of its value.
type constraint struct {
	pattern  *regexp.Regexp
	enum     []string
	min, max *int64
	minItems int
}

// walk checks the value n, at key path at, against t.
func (w walker) walk(n ast.Node, t reflect.Type, at string, depth int, c constraint) {
	if _, ok := w.d.place[at]; !ok {
		w.d.place[at] = start(n)
	}
	if depth > maxYAMLDepth {
		w.d.errorf(at, "", "is nested deeper than %d levels", maxYAMLDepth)
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		w.d.errorf(at, "write the value out", "anchors, aliases and tags are not allowed in recipes")
		return
	case *ast.NullNode:
		w.d.errorf(at, "give it one or remove the key", "%s has no value", leaf(at))
		return
	}
	if t == reflect.TypeFor[time.Time]() {
		w.scalar(n, reflect.TypeFor[string](), at, c)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		w.mapping(n, t, at, depth)
	case reflect.Map:
		w.dictionary(n, t, at, depth)
	case reflect.Slice:
		w.sequence(n, t, at, depth, c)
	default:
		w.scalar(n, t, at, c)
	}
}

// start is where a value begins; a mapping begins with its first key.
func start(n ast.Node) position {
	t := n.GetToken()
	if m, ok := n.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() {
			t = it.Key().GetToken()
		}
	}
	return position{t.Position.Line, t.Position.Column}
}

// mapping checks a struct.
func (w walker) mapping(n ast.Node, t reflect.Type, at string, depth int) {
	m, ok := n.(ast.MapNode)
	if !ok {
		w.wrongType(n, at, "a mapping (key: value)")
		return
	}
	fields := fieldsOf(t)
	names := sortedKeys(fields)
	misspelt := map[string]bool{} // keys that an unknown one was meant to be
	w.each(m, at, func(key, sub string, keyNode ast.Node, value ast.Node) {
		f, ok := fields[key]
		if !ok {
			meant := nearest(key, names)
			misspelt[meant] = true
			w.d.errorf(sub, meanHint(meant), "unknown key %q", key)
			return
		}
		w.walk(value, f.typ, sub, depth+1, f.constraint)
	})
	if t == reflect.TypeFor[Package]() {
		return // what nfpm requires, forge sets
	}
	for _, name := range names {
		if fields[name].required && !misspelt[name] && !w.d.has(join(at, name)) {
			w.d.errorf(at, "", "key %q is missing", name)
		}
	}
}

// dictionary checks a map with string keys.
func (w walker) dictionary(n ast.Node, t reflect.Type, at string, depth int) {
	m, ok := n.(ast.MapNode)
	if !ok {
		w.wrongType(n, at, "a mapping (name: value)")
		return
	}
	w.each(m, at, func(_, sub string, _ ast.Node, value ast.Node) {
		w.walk(value, t.Elem(), sub, depth+1, constraint{})
	})
}

// each calls do for every pair of a mapping, after the checks on its key.
func (w walker) each(m ast.MapNode, at string, do func(key, sub string, keyNode, value ast.Node)) {
	first := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		keyNode := it.Key()
		pos := keyNode.GetToken().Position
		key := keyNode.GetToken().Value
		sub := join(at, key)
		if line, dup := first[key]; dup {
			w.d.probs.add(&Error{File: w.d.path, Line: pos.Line, Column: pos.Column,
				Message: fmt.Sprintf("duplicate key %q", key),
				Hint:    fmt.Sprintf("the first is in line %d", line)})
			continue
		}
		first[key] = pos.Line
		w.d.place[sub] = position{pos.Line, pos.Column}
		switch keyNode.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			do(key, sub, keyNode, it.Value())
		default:
			w.d.errorf(sub, "", "a key must be plain text")
		}
	}
}

// sequence checks a list.
func (w walker) sequence(n ast.Node, t reflect.Type, at string, depth int, c constraint) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		w.wrongType(n, at, "a list (- item)")
		return
	}
	if len(s.Values) < c.minItems {
		w.d.errorf(at, "", "%s needs %d item(s) at least", leaf(at), c.minItems)
	}
	c.minItems = 0
	for i, v := range s.Values {
		w.walk(v, t.Elem(), join(at, strconv.Itoa(i)), depth+1, c)
	}
}

// scalar checks a text, a number or a truth value.
func (w walker) scalar(n ast.Node, t reflect.Type, at string, c constraint) {
	text := n.GetToken().Value
	switch v := n.(type) {
	case *ast.StringNode:
		text = v.Value
	case *ast.LiteralNode:
		text = v.Value.Value
	}
	switch t.Kind() {
	case reflect.String:
		switch n.(type) {
		case *ast.StringNode, *ast.LiteralNode:
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			w.d.errorf(at, "put it into quotes", "%s must be text, not %s", leaf(at), text)
			return
		default:
			w.wrongType(n, at, "text")
			return
		}
	case reflect.Bool:
		if _, ok := n.(*ast.BoolNode); !ok {
			w.wrongType(n, at, "true or false")
			return
		}
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		if _, ok := n.(*ast.IntegerNode); !ok {
			w.wrongType(n, at, "a whole number")
			return
		}
	default:
		w.d.errorf(at, "", "%s can't be set in a recipe", leaf(at))
		return
	}
	w.constrain(text, at, c)
}

// constrain checks what the schema says about a scalar.
func (w walker) constrain(text, at string, c constraint) {
	if c.pattern != nil && !c.pattern.MatchString(text) {
		w.d.errorf(at, "", "%s %q doesn't match %s", leaf(at), text, c.pattern)
	}
	if len(c.enum) > 0 && !slices.Contains(c.enum, text) {
		w.d.errorf(at, didYouMean(text, c.enum), "%s can't be %q, only one of: %s",
			leaf(at), text, strings.Join(c.enum, ", "))
	}
	if c.min == nil && c.max == nil {
		return
	}
	v, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		w.d.errorf(at, "", "%s must be a whole number", leaf(at))
		return
	}
	if c.min != nil && v < *c.min {
		w.d.errorf(at, "", "%s is %d, less than %d", leaf(at), v, *c.min)
	}
	if c.max != nil && v > *c.max {
		w.d.errorf(at, "", "%s is %d, more than %d", leaf(at), v, *c.max)
	}
}

func (w walker) wrongType(n ast.Node, at, want string) {
	w.d.errorf(at, "", "%s must be %s, not %s", leaf(at), want, strings.ToLower(n.Type().YAMLName()))
}

// join and leaf build key paths and name their last element for people.
func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "/" + key
}

func leaf(at string) string {
	if at == "" {
		return "the document"
	}
	parts := strings.Split(at, "/")
	last := parts[len(parts)-1]
	if _, err := strconv.Atoi(last); err == nil && len(parts) > 1 {
		return fmt.Sprintf("an item of %q", parts[len(parts)-2])
	}
	return strconv.Quote(last)
}
