package rootfs

import (
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// relation is one alternative of a dependency (Debian policy 7.1), such as "libc6 (>= 2.34)".
type relation struct {
	name    string
	op      string // "<<", "<=", "=", ">=", ">>"; "" when every version will do
	version string
}

// parseRelations reads a relationship field into groups of alternatives. Architecture qualifiers
// (":any") are dropped.
func parseRelations(field string) [][]relation {
	var out [][]relation
	for group := range strings.SplitSeq(field, ",") {
		var alternatives []relation
		for one := range strings.SplitSeq(group, "|") {
			name, rest, _ := strings.Cut(strings.TrimSpace(one), "(")
			name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
			if name == "" {
				continue
			}
			r := relation{name: name}
			inner, _, _ := strings.Cut(rest, ")")
			inner = strings.TrimSpace(inner)
			r.version = strings.TrimLeft(inner, "<>= ")
			r.op = strings.TrimSpace(strings.TrimSuffix(inner, r.version))
			alternatives = append(alternatives, r)
		}
		if len(alternatives) > 0 {
			out = append(out, alternatives)
		}
	}
	return out
}

// covers reports whether the relation speaks of this version.
func (r relation) covers(version string) bool {
	c := archive.CompareVersions(version, r.version)
	switch r.op {
	case "":
		return true
	case "<<":
		return c < 0
	case "<=", "<":
		return c <= 0
	case "=":
		return c == 0
	case ">=", ">":
		return c >= 0
	case ">>":
		return c > 0
	}
	return false
}

// replaces reports whether a package with this Replaces field may take over files of another one.
func replaces(field, name, version string) bool {
	for _, group := range parseRelations(field) {
		for _, r := range group {
			if r.name == name && r.covers(version) {
				return true
			}
		}
	}
	return false
}
