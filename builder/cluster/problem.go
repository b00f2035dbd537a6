package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in an inventory.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"` // from 1; 0: not known
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"` // "nodes[2].address"
	Rule    string `json:"rule"`           // "F07", "syntax", "unknown-key"
	Message string `json:"message"`        // what and why
	Hint    string `json:"hint,omitempty"` // what to do
	// Accepted is the reason why the inventory lets the rule be broken; "": it does not, so this is an error.
	Accepted string `json:"accepted,omitempty"`

	final bool // leaves nothing to work with: can't be accepted
}

// String is the problem in one line, with its hint in a second one.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
		}
		b.WriteString(" ")
	}
	fmt.Fprintf(&b, "%s [%s]", p.Message, p.Rule)
	switch {
	case p.Accepted != "":
		fmt.Fprintf(&b, "\n  accepted: %s", p.Accepted)
	case p.Hint != "":
		b.WriteString("\n  hint: " + p.Hint)
	}
	return b.String()
}

// InvalidError holds everything that is wrong in one file, in its order.
type InvalidError struct {
	Problems []Problem
}

// Error lists all problems, one after the other.
func (e *InvalidError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	SortProblems(problems)
	return &InvalidError{Problems: problems}
}

// SortProblems orders problems by file, line and column.
func SortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
}

// Errors returns the problems that are not accepted.
func Errors(problems []Problem) []Problem {
	var errs []Problem
	for _, p := range problems {
		if p.Accepted == "" {
			errs = append(errs, p)
		}
	}
	return errs
}

// DidYouMean returns `; did you mean "x"?` for the nearest of known, or "".
func DidYouMean(word string, known []string) string {
	best, distance := "", 3
	if len(word) <= 4 {
		distance = 2
	}
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < distance || (d == 0 && best == "") {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is Levenshtein's, with a swap of neighbours counted once.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur := make([]int, len(b)+1)
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev = prev, cur
	}
	return prev[len(b)]
}
