package cluster

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills Go values from a YAML tree and keeps where everything was.
type decoder struct {
	file      string
	positions positions
	problems  []Problem
}

func (d *decoder) problem(n ast.Node, path, rule, message, hint string) {
	at := where(n)
	d.problems = append(d.problems, Problem{File: d.file, Line: at.line, Column: at.column, Path: path, Rule: rule, Message: message, Hint: hint})
}

func where(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key // the mapping's own token is its first colon
	} else if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return position{t.Position.Line, t.Position.Column}
	}
	return position{}
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	d.positions[path] = where(n)
	if _, isNull := n.(*ast.NullNode); isNull {
		return
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.problem(n, path, "syntax", "anchors, aliases and tags are not supported", "write the value out")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.dictionary(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	pairs, ok := entries(n)
	if !ok {
		d.mismatch(n, path, "a mapping (key: value)")
		if text, isText := scalarText(n); isText && v.Type() == reflect.TypeFor[Acceptance]() {
			d.problems[len(d.problems)-1].Hint = fmt.Sprintf("say why it is right here: - {rule: %s, reason: \"...\"}", text)
		}
		return
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		fields[name] = i
	}
	for _, pair := range pairs {
		key, ok := d.key(pair, path)
		if !ok {
			continue
		}
		i, known := fields[key]
		if !known {
			d.unknownKey(pair.Key, key, path, fields)
			continue
		}
		d.value(pair.Value, v.Field(i), join(path, key))
	}
}

// derivedKeys are keys that people look for and forge works out by itself.
var derivedKeys = map[string]string{
	"quorum": "F05", "registry": "F05", "myid": "F02", "servers": "F02", "zk": "F22", "master": "F22",
	"executor_uri": "F23", "fs.defaultFS": "F23", "default_fs": "F23", "user": "F10", "owner": "F10",
}

func (d *decoder) unknownKey(n ast.Node, key, path string, fields map[string]int) {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	slices.Sort(known)
	in := "at the top level"
	if path != "" {
		in = "in " + path
	}
	if rule, ok := derivedKeys[key]; ok {
		d.problem(n, path, rule, fmt.Sprintf("%q can't be set %s: forge derives it from the nodes", key, in), "remove the line")
		return
	}
	d.problem(n, path, "unknown-key", fmt.Sprintf("unknown key %q %s%s", key, in, DidYouMean(key, known)), "known keys: "+strings.Join(known, ", "))
}

func (d *decoder) dictionary(n ast.Node, v reflect.Value, path string) {
	pairs, ok := entries(n)
	if !ok {
		d.mismatch(n, path, "a mapping (key: value)")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, pair := range pairs {
		key, ok := d.key(pair, path)
		if !ok {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(pair.Value, item, join(path, key))
		v.SetMapIndex(reflect.ValueOf(key), item)
	}
}

func (d *decoder) key(pair *ast.MappingValueNode, path string) (string, bool) {
	switch k := pair.Key.(type) {
	case *ast.StringNode:
		return k.Value, d.ascii(k, k.Value, path)
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return k.GetToken().Value, true
	}
	d.problem(pair.Key, path, "syntax", "this key is not a plain word", "")
	return "", false
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.mismatch(n, path, "a list (lines that begin with -)")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		d.value(item, v.Index(i), path+"["+strconv.Itoa(i)+"]")
	}
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	text, ok := scalarText(n)
	if !ok {
		d.mismatch(n, path, "a single value")
		return
	}
	if !d.ascii(n, text, path) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !decimal.MatchString(text) || v.OverflowInt(i) {
			d.mismatch(n, path, "a whole number")
			return
		}
		v.SetInt(i)
	case reflect.Bool:
		if text != "true" && text != "false" {
			d.mismatch(n, path, "true or false")
			return
		}
		v.SetBool(text == "true")
	default:
		d.mismatch(n, path, "nothing (a mistake in forge: kind "+v.Kind().String()+")")
	}
}

func scalarText(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (d *decoder) mismatch(n ast.Node, path, want string) {
	got := "this"
	if text, ok := scalarText(n); ok {
		got = strconv.Quote(text)
	} else if _, ok := n.(*ast.SequenceNode); ok {
		got = "a list"
	} else if _, ok := entries(n); ok {
		got = "a mapping"
	}
	d.problem(n, path, "type", fmt.Sprintf("%s must be %s, not %s", or(path, "the document"), want, got), "")
}

func (d *decoder) ascii(n ast.Node, text, path string) bool {
	l, bad := FindLookAlike(text)
	if bad {
		d.problem(n, path, "F22", fmt.Sprintf("%s holds the %s; values are ASCII only", or(path, "a key"), l), l.Hint())
	}
	return !bad
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
