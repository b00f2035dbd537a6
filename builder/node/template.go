package node

import (
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// emptyMark is what `{{ empty }}` leaves in a setting's value: write it, even
// though nothing else is in it.
const emptyMark = "\x00"

// maxRendered bounds what one template may give.
const maxRendered = 4 << 20

// CheckTemplate tells whether a text is a template that the agent can parse:
// its syntax, and that it names only functions that exist. Whether the data it
// names exists shows only when it is rendered.
func CheckTemplate(name, text string) error {
	r := &renderer{}
	_, err := r.parse(name, text)
	return err
}

func (r *renderer) parse(name, text string) (*template.Template, error) {
	return template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
		"heap":    r.heap,
		"secret":  r.secrets.value,
		"list":    func(l ...string) []string { return l },
		"lines":   func(l []string) string { return strings.Join(l, "\n") },
		"join":    func(l []string, sep string) string { return strings.Join(l, sep) },
		"has":     func(l []string, s string) bool { return slices.Contains(l, s) },
		"default": func(otherwise, v any) any { return orDefault(v, otherwise) },
		"lower":   strings.ToLower,
		"staged":  staged,
		"xml":     escapeXML,
		"shell":   func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
		"sql":     func(s string) string { return "'" + sqlEscapes.Replace(s) + "'" },
		"fail":    func(why string) (string, error) { return "", refusal(why) },
		"empty":   func() string { return emptyMark },
	}).Parse(text)
}

// sqlEscapes are those of MariaDB's string literals, with its default sql_mode.
var sqlEscapes = strings.NewReplacer("'", "''", `\`, `\\`)

func orDefault(v, otherwise any) any {
	if truth, ok := template.IsTrue(v); ok && truth {
		return v
	}
	return otherwise
}

func escapeXML(s string) (string, error) {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' || r == 0x7f || r >= 0xfffd && r <= 0xffff {
			return "", fmt.Errorf("it holds %q, a character that XML can't", r)
		}
	}
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "", err
	}
	return b.String(), nil
}

// evaluate renders one template. Most manifest fields hold no action at all.
func (r *renderer) evaluate(name, text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := r.parse(name, text)
	if err != nil {
		return "", err
	}
	out := &boundedBuilder{limit: maxRendered}
	if err := t.Execute(out, r.data); err != nil {
		return "", explain(err)
	}
	return out.String(), nil
}

// refusal is what a template's fail says.
type refusal string

func (r refusal) Error() string { return string(r) }

// explain makes the engine's message on a missing value one that says where to
// look, and that on a refusal the refusal's own.
func explain(err error) error {
	var why refusal
	var exec template.ExecError
	switch {
	case errors.As(err, &why):
		return why
	case errors.As(err, &exec) && (strings.Contains(err.Error(), "can't evaluate field") || strings.Contains(err.Error(), "no entry for key")):
		return fmt.Errorf("%w (the package documentation of builder/node lists the data)", err)
	}
	return err
}

// truth renders a condition: true unless it gives "" or "false". An empty
// condition is true.
func (r *renderer) truth(name, text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	out, err := r.evaluate(name, text)
	out = strings.TrimSpace(out)
	return out != "" && out != "false", err
}

type boundedBuilder struct {
	strings.Builder
	limit int
}

func (b *boundedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, fmt.Errorf("gives more than %d bytes", b.limit)
	}
	return b.Builder.Write(p)
}
