package lint

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/mesos-forge/forge/builder/cluster"
)

// Result is what was found.
type Result struct {
	Problems []cluster.Problem // sorted by file and line; those with Accepted set are no errors
	Notes    []string          // what was not looked at, and why
}

// maxProblems bounds what one run tells.
const maxProblems = 1000

// place is where something was written.
type place struct {
	file         string
	line, column int // from 1; line 0: the file as a whole
}

// linter gathers problems and sightings from texts.
type linter struct {
	facts   *cluster.Facts
	release string // code name of the distribution: "bookworm", "trusty"
	byHand  bool   // the texts are a hand-made node's
	// overwritten says of a path on nodes that forge-node renders it: what a package brings there lasts no
	// longer than the first boot, so that it need not fit the cluster. nil: nothing is.
	overwritten func(path string) bool
	problems    []cluster.Problem
	notes       []string
	seen        []sighting
	settings    []seenSetting
	told        map[string]bool
	count       map[what]int // of seen
}

func newLinter(facts *cluster.Facts) *linter {
	return &linter{facts: facts, told: map[string]bool{}, count: map[what]int{}}
}

// add tells of a problem, once for each place and rule.
func (l *linter) add(at place, f cluster.Finding) {
	key := fmt.Sprint(at.file, ":", at.line, " ", f.Rule)
	if l.told[key] || len(l.problems) >= maxProblems {
		return
	}
	l.told[key] = true
	l.problems = append(l.problems, cluster.Problem{File: printable(at.file), Line: at.line, Column: at.column, Rule: f.Rule, Message: printable(f.Message), Hint: printable(f.Hint)})
}

// maxQuote bounds what a problem quotes of a text, in characters.
const maxQuote = 600

// printable makes what was quoted from a foreign text fit for a terminal.
func printable(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		switch n++; {
		case n > maxQuote+1:
			return -1
		case n > maxQuote:
			return '…'
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func (l *linter) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(l.notes, n) {
		l.notes = append(l.notes, n)
	}
}

// sighting is something that was seen in a text, of which only several together tell what is wrong.
type sighting struct {
	what  what
	value string
	at    place
	node  string // folder of a hand-made node; "": none
}

// maxSights bounds the sightings of one kind, since rules compare them with each other.
const maxSights = 2000

func (l *linter) see(w what, value string, at place, node string) {
	if l.count[w]++; l.count[w] > maxSights {
		return
	}
	l.seen = append(l.seen, sighting{w, value, at, node})
}

// seenSetting is a setting that was seen in a text.
type seenSetting struct {
	placed
	node string // as in sighting
}

// word is the setting's value, if that is one word, or "".
func (s seenSetting) word() string {
	if words := strings.Fields(s.Value); len(words) == 1 {
		return words[0]
	}
	return ""
}

// of returns the sightings of one kind, in the order of the texts.
func (l *linter) of(w what) []sighting {
	var of []sighting
	for _, s := range l.seen {
		if s.what == w {
			of = append(of, s)
		}
	}
	return of
}

// first returns the first sighting of a kind whose value begins with prefix.
func (l *linter) first(w what, prefix string) (sighting, bool) {
	for _, s := range l.of(w) {
		if strings.HasPrefix(strings.ToLower(s.value), prefix) {
			return s, true
		}
	}
	return sighting{}, false
}

// result sorts what was found.
func (l *linter) result() *Result {
	cluster.SortProblems(l.problems)
	if len(l.problems) >= maxProblems {
		l.note("more than %d problems: the others are not listed", maxProblems)
	}
	return &Result{Problems: l.problems, Notes: l.notes}
}
