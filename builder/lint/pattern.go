package lint

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// pattern is a regular expression that looks at a line only when the line holds a word without which it can't
// match: every rule sees every line, and next to none matches.
type pattern struct {
	re    *regexp.Regexp
	words []string // one of these is in all that matches, in lower case; none if no word is sure
}

func compile(expr string) pattern {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		panic(err) // the expressions are this package's own
	}
	return pattern{regexp.MustCompile(expr), sureWords(tree)}
}

// sureWords are literals, in lower case, of which each match of the expression holds at least one.
func sureWords(tree *syntax.Regexp) []string {
	switch tree.Op {
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(tree.Rune))}
	case syntax.OpCapture, syntax.OpPlus:
		return sureWords(tree.Sub[0])
	case syntax.OpRepeat:
		if tree.Min > 0 {
			return sureWords(tree.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range tree.Sub {
			words := sureWords(sub)
			if words == nil {
				return nil
			}
			all = append(all, words...)
		}
		return all
	case syntax.OpConcat:
		var best []string
		for _, sub := range tree.Sub {
			if words := sureWords(sub); shortest(words) > shortest(best) {
				best = words
			}
		}
		return best
	}
	return nil
}

// shortest is the length of the shortest word, in bytes; 0 of none.
func shortest(words []string) int {
	if len(words) == 0 {
		return 0
	}
	return len(slices.MinFunc(words, func(a, b string) int { return len(a) - len(b) }))
}

// may says whether a line can match at all. It takes the line in lower case.
func (p pattern) may(lower string) bool {
	return len(p.words) == 0 || slices.ContainsFunc(p.words, func(word string) bool { return strings.Contains(lower, word) })
}
