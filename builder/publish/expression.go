package publish

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// expression is a licence, or several joined by AND or OR.
type expression struct {
	op    string // "AND", "OR", or "" for one licence
	id    string // SPDX identifier, with its exception if any
	parts []expression
}

// join makes one expression of several, sorted and each once. Parts with the same operator are
// taken in, so that what means the same is written the same.
func join(op string, parts ...expression) expression {
	seen := map[string]expression{}
	for _, p := range parts {
		if p.op != op {
			p = expression{parts: []expression{p}}
		}
		for _, q := range p.parts {
			seen[q.String()] = q
		}
	}
	keys := make([]string, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if len(keys) == 1 {
		return seen[keys[0]]
	}
	out := expression{op: op}
	for _, k := range keys {
		out.parts = append(out.parts, seen[k])
	}
	return out
}

// String writes the expression as SPDX does (SPDX 2.3, annex D).
func (e expression) String() string {
	if e.op == "" {
		return e.id
	}
	words := make([]string, len(e.parts))
	for i, p := range e.parts {
		words[i] = p.String()
		if p.op != "" {
			words[i] = "(" + words[i] + ")"
		}
	}
	return strings.Join(words, " "+e.op+" ")
}

// shortForm is what may stand as a short name; anything longer is a text that somebody wrote
// where its name belongs.
var shortForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+~_/-]{0,79}$`)

// parseSynopsis reads the first line of a DEP-5 License field (section 7.2): "and" binds tighter
// than "or", and a comma less than both. ref names a licence that has no certain SPDX identifier.
func parseSynopsis(s string, ref func(short string) string) (expression, error) {
	clauses := strings.Split(s, ",")
	whole, err := parseClause(clauses[0], ref)
	if err != nil {
		return whole, err
	}
	for _, c := range clauses[1:] {
		op, rest, _ := strings.Cut(strings.TrimSpace(c), " ")
		part, err := parseClause(rest, ref)
		if err != nil {
			return whole, err
		}
		if op != "and" && op != "or" {
			return whole, fmt.Errorf("%q: neither \"and\" nor \"or\" after a comma", s)
		}
		whole = join(strings.ToUpper(op), whole, part)
	}
	return whole, nil
}

func parseClause(s string, ref func(string) string) (expression, error) {
	var any []expression
	for _, alternative := range splitWords(strings.Fields(s), "or") {
		var all []expression
		for _, words := range splitWords(alternative, "and") {
			one, err := parseLicence(words, ref)
			if err != nil {
				return one, err
			}
			all = append(all, one)
		}
		any = append(any, join("AND", all...))
	}
	return join("OR", any...), nil
}

// parseLicence reads "NAME" or "NAME with WORDS exception".
func parseLicence(words []string, ref func(string) string) (expression, error) {
	if len(words) == 0 || !shortForm.MatchString(words[0]) {
		return expression{}, fmt.Errorf("%q is no short name of a licence", strings.Join(words, " "))
	}
	name, rest := words[0], words[1:]
	id := spdxID(name)
	if len(rest) == 0 {
		if id == "" {
			id = ref(name)
		}
		return expression{id: id}, nil
	}
	whole := strings.Join(words, " ")
	if len(rest) < 3 || !strings.EqualFold(rest[0], "with") || !strings.EqualFold(rest[len(rest)-1], "exception") || len(whole) > 120 {
		return expression{}, fmt.Errorf("%q is neither a name nor a name with an exception", whole)
	}
	exception := spdxException(strings.Join(rest[1:], " "))
	if id == "" || exception == "" {
		return expression{id: ref(whole)}, nil
	}
	return expression{id: id + " WITH " + exception}, nil
}

func splitWords(words []string, at string) [][]string {
	var out [][]string
	start := 0
	for i, w := range words {
		if w == at {
			out = append(out, words[start:i])
			start = i + 1
		}
	}
	return append(out, words[start:])
}
