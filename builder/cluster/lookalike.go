package cluster

import (
	"fmt"
	"strings"
)

// LookAlike is a character that is not ASCII, or can't be seen, where only plain ASCII is read.
type LookAlike struct {
	Rune  rune
	Name  string // "full-width comma"; "character" where it resembles nothing
	ASCII string // what should have been written; "" where that is nothing, or not known
	known bool
}

// lookalikes are the characters that slip in with an input method or a word processor, and what they
// should have been. The full-width forms, U+FF01 to U+FF5E, follow ASCII and need no lines of their own.
var lookalikes = map[rune][2]string{
	'，': {"full-width comma", ","}, '：': {"full-width colon", ":"}, '．': {"full-width full stop", "."},
	'／': {"full-width solidus", "/"}, '；': {"full-width semicolon", ";"}, '－': {"full-width hyphen", "-"},
	'、': {"ideographic comma", ","}, '。': {"ideographic full stop", "."}, '–': {"en dash", "-"}, '—': {"em dash", "-"},
	'\u3000': {"ideographic space", " "}, '\u00a0': {"no-break space", " "}, '\u200b': {"zero-width space", ""},
	'\ufeff': {"byte order mark", ""},
	'“':      {"curly quote", `"`}, '”': {"curly quote", `"`}, '‘': {"curly quote", "'"}, '’': {"curly quote", "'"},
}

// FindLookAlike returns the first character of a text that is neither printable ASCII nor a tab or a line feed.
func FindLookAlike(text string) (LookAlike, bool) {
	for _, r := range text {
		if r < 0x7f && (r >= 0x20 || r == '\n' || r == '\t') {
			continue
		}
		return lookAlike(r), true
	}
	return LookAlike{}, false
}

func lookAlike(r rune) LookAlike {
	if l, ok := lookalikes[r]; ok {
		return LookAlike{Rune: r, Name: l[0], ASCII: l[1], known: true}
	}
	if r > 0xff00 && r < 0xff5f {
		return LookAlike{Rune: r, Name: "full-width character", ASCII: string(r - 0xfee0), known: true}
	}
	return LookAlike{Rune: r, Name: "character"}
}

// String names it: `full-width comma "，" (U+FF0C)`.
func (l LookAlike) String() string { return fmt.Sprintf("%s %q (%U)", l.Name, string(l.Rune), l.Rune) }

// Hint says what to write.
func (l LookAlike) Hint() string {
	switch {
	case !l.known:
		return "write it in ASCII"
	case l.ASCII == "":
		return "delete it"
	}
	return fmt.Sprintf("write %q", l.ASCII)
}

// ToASCII replaces look-alikes by what they should have been; other characters stay.
func ToASCII(text string) string {
	var b strings.Builder
	for _, r := range text {
		if l := lookAlike(r); r > 0x7e && l.known {
			b.WriteString(l.ASCII)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
