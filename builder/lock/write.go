package lock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

const header = `# Every byte from outside that this stack is built from, by digest.
# forge lock writes this file and forge build --locked uses nothing else. Commit it; don't edit it.
`

// Encode returns the file's content. The Lock is sorted and checked first.
func (l *Lock) Encode() ([]byte, error) {
	l.Sort()
	if p := l.check(); p != nil {
		return nil, fmt.Errorf("lock: %s: %s", p.path, p.message)
	}
	var b bytes.Buffer
	b.WriteString(header)
	fmt.Fprintf(&b, "format: %d\ndate: %s\nstack: %s\n", l.Format, stamp(l.Date), scalar(l.Stack))
	list(&b, "", "suites", l.Suites)
	list(&b, "", "artifacts", l.Artifacts)
	if len(l.Builds) > 0 {
		b.WriteString("builds:\n")
		for _, name := range slices.Sorted(maps.Keys(l.Builds)) {
			list(&b, "  ", name, l.Builds[name])
		}
	}
	if len(l.Debs) > 0 {
		b.WriteString("debs:\n")
		for _, solve := range slices.Sorted(maps.Keys(l.Debs)) {
			list(&b, "  ", solve, l.Debs[solve])
		}
	}
	list(&b, "", "packages", l.Packages)
	return b.Bytes(), nil
}

// Write puts the lock into a file, whole or not at all.
func (l *Lock) Write(name string) error {
	b, err := l.Encode()
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(name, b, 0o644); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

// list writes entries, each as a flow mapping on a line of its own.
func list[T any](b *bytes.Buffer, indent, key string, entries []T) {
	if len(entries) == 0 && indent == "" {
		return
	}
	if len(entries) == 0 {
		fmt.Fprintf(b, "%s%s: []\n", indent, scalar(key))
		return
	}
	fmt.Fprintf(b, "%s%s:\n", indent, scalar(key))
	for _, e := range entries {
		fmt.Fprintf(b, "%s  - {%s}\n", indent, fields(reflect.ValueOf(e)))
	}
}

// fields writes a struct's fields in their order, without those that are empty and omitempty.
func fields(v reflect.Value) string {
	var out []string
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if f := v.Field(i); option != "omitempty" || !f.IsZero() {
			out = append(out, name+": "+value(name, f.Interface()))
		}
	}
	return strings.Join(out, ", ")
}

func value(name string, v any) string {
	switch v := v.(type) {
	case string:
		if name == "version" || name == "sha256" {
			return quoted(v) // all alike, whether or not one could be read as a number
		}
		return scalar(v)
	case time.Time:
		return stamp(v)
	default:
		return fmt.Sprint(v)
	}
}

// plainRE is what needs no quotes in any YAML: no indicator, and nothing that reads as a number,
// a time, a boolean or null.
var plainRE = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/+~-]*$`)

var reserved = map[string]bool{"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "null": true, "y": true, "n": true}

// scalar quotes a string where YAML would read something else. A JSON string is a YAML one.
func scalar(s string) string {
	if plainRE.MatchString(s) && !reserved[strings.ToLower(s)] {
		return s
	}
	return quoted(s)
}

func quoted(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // of a string: can't be
	}
	return strings.TrimSuffix(b.String(), "\n")
}
