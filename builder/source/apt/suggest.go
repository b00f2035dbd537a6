package apt

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	unknownRE = regexp.MustCompile(`Unable to locate package (\S+)`)
	versionNF = regexp.MustCompile(`Version '([^']+)' for '([^']+)' was not found`)
)

// solveError adds to apt's refusal names that were perhaps meant, and versions that are there.
func (s *Snapshot) solveError(what, out string, err error) error {
	err = explain(what, out, err)
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	var hints []string
	for _, m := range unknownRE.FindAllStringSubmatch(e.Explanation, 8) {
		if near := s.near(m[1]); len(near) > 0 {
			hints = append(hints, fmt.Sprintf("Did you mean %s instead of %s?", strings.Join(near, " or "), m[1]))
		} else {
			hints = append(hints, fmt.Sprintf("No package of %s is called anything like %s.", suiteNames(s.Archives), m[1]))
		}
	}
	for _, m := range versionNF.FindAllStringSubmatch(e.Explanation, 8) {
		if v := s.versions(m[2]); len(v) > 0 {
			hints = append(hints, fmt.Sprintf("The indexes have %s %s; forge lock takes what is there.", m[2], strings.Join(v, ", ")))
		}
	}
	e.Hint = strings.Join(hints, "\n")
	return e
}

// near returns up to three package names that are a small edit away from name, nearest first.
func (s *Snapshot) near(name string) []string {
	limit := min(3, 1+len(name)/4)
	best := map[string]int{}
	err := s.scan(func(_ Archive, b []byte) error {
		n := string(field(b, "Package"))
		if d := len(n) - len(name); d > limit || d < -limit {
			return nil
		}
		if _, seen := best[n]; !seen {
			if d := distance(name, n); d <= limit {
				best[n] = d
			}
		}
		return nil
	})
	if err != nil {
		return nil // a hint is not worth a second error
	}
	names := make([]string, 0, len(best))
	for n := range best {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := best[a] - best[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names[:min(3, len(names))]
}

// versions returns the versions of a package that the indexes have.
func (s *Snapshot) versions(name string) []string {
	var out []string
	err := s.scan(func(_ Archive, b []byte) error {
		if string(field(b, "Package")) == name {
			if v := string(field(b, "Version")); !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return out
}

// distance is the number of single-byte insertions, deletions and replacements between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diag+cost)
			diag, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
