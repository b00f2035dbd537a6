package recipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxErrors bounds how many errors of a stack are reported at once.
const maxErrors = 50

// Error is one thing wrong with a recipe file.
type Error struct {
	// File is the path in the checkout; Line and Column count from 1, 0 when
	// the error is about the file as a whole.
	File         string
	Line, Column int
	// Message says what is wrong; Hint, when there is one, what to do.
	Message, Hint string
}

// Error gives "file:line:column: message (hint)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": " + e.Message)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// problems collects the errors of one load.
type problems struct{ list []*Error }

func (p *problems) add(e *Error) { p.list = append(p.list, e) }

// err joins the errors, sorted by place, the first maxErrors of them.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b *Error) int {
		return cmpOr(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column,
			strings.Compare(a.Message, b.Message))
	})
	var errs []error
	for i, e := range p.list {
		if i == maxErrors {
			errs = append(errs, fmt.Errorf("%d more errors", len(p.list)-maxErrors))
			break
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// cmpOr is the first that isn't 0.
func cmpOr(vs ...int) int {
	for _, v := range vs {
		if v != 0 {
			return v
		}
	}
	return 0
}

// NotFoundError says that a stack or a role of this name doesn't exist.
type NotFoundError struct {
	Kind string   // "stack", "role"
	Name string   // what was asked for
	In   string   // where it was looked for: "recipes", "stack bookworm"
	Have []string // what there is, sorted
}

func (e *NotFoundError) Error() string {
	msg := fmt.Sprintf("%s %q not found in %s", e.Kind, e.Name, e.In)
	if hint := didYouMean(e.Name, e.Have); hint != "" {
		msg += ": " + hint
	}
	if len(e.Have) == 0 {
		return msg + "; there is none"
	}
	return msg + fmt.Sprintf("; there is: %s", strings.Join(e.Have, ", "))
}
