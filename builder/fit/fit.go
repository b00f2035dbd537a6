// Package fit knows which versions of the cluster's software go together.
package fit

import (
	"fmt"
	"strconv"
	"strings"
)

// row says which versions of one software go with which of another. From and to are prefixes of versions, both included; an empty To has no end.
type row struct {
	with     string // the other software
	from, to string // its versions
	ours     string // our versions from
	oursTo   string
}

// rows by software (field guide, sections 2, 6 and 7). A version of the other software that no row holds is not known, and nothing is said.
var rows = map[string][]row{
	"marathon": {
		{"mesos", "0.19.0", "0.19.1", "0.6.0", "0.6"},
		{"mesos", "0.20.0", "0.22.0", "0.7.0", "0.8.1"},
		{"mesos", "0.22.1", "0.22", "0.8.2", "0.10"},
		{"mesos", "0.23", "0.23", "0.8.2", "0.11"},
		{"mesos", "0.25", "0.25", "0.13", "0.13"},
		{"mesos", "0.26", "0.26", "0.15", "0.15"},
		{"mesos", "0.28", "0.28", "1.1", "1.1"},
		{"mesos", "1.0", "1.0", "1.3", "1.3"},
		{"mesos", "1.1", "1.1", "1.4", "1.4"},
		{"mesos", "1.3", "", "1.5", ""},
	},
	"hadoop-mesos": {
		{"mesos", "0.19", "0.20", "0.0.8", "0.0.8"},
		{"mesos", "0.21", "0.21", "0.0.8", "0.1.0"},
		{"cdh", "5.0.2", "5.1", "0.0.8", "0.0.8"},
		{"cdh", "5.2", "5.2", "0.0.8", "0.1.0"},
	},
	"spark": {
		{"mesos", "0.18", "", "0.9", "3.5"}, // support for Mesos ended with 3.5
	},
}

// Compare compares numbers between full stops; a shorter prefix equals what begins with it.
func Compare(a, prefix string) int {
	as, ps := strings.Split(a, "."), strings.Split(prefix, ".")
	for i, p := range ps {
		x := 0
		if i < len(as) {
			x = leadingNumber(as[i])
		}
		if d := x - leadingNumber(p); d != 0 {
			return d
		}
	}
	return 0
}

func leadingNumber(s string) int {
	end := 0
	for end < len(s) && end < 9 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[:end]) // "" is 0
	return n
}

func within(version, from, to string) bool {
	return Compare(version, from) >= 0 && (to == "" || Compare(version, to) <= 0)
}

// Unfit says what is wrong with the version of a software beside that of another one ("mesos", "cdh"), and which
// would be right; "" if nothing is known to be wrong.
func Unfit(software, version, other, otherVersion string) (message, hint string) {
	for _, f := range rows[software] {
		if f.with != other || !within(otherVersion, f.from, f.to) {
			continue
		}
		if within(version, f.ours, f.oursTo) {
			return "", ""
		}
		message = fmt.Sprintf("%s %s does not go with %s %s", software, version, strings.ToUpper(other[:1])+other[1:], otherVersion)
		if other == "cdh" {
			message = fmt.Sprintf("%s %s does not go with CDH %s", software, version, otherVersion)
		}
		hint = fmt.Sprintf("take %s %s", software, f.ours)
		switch {
		case f.oursTo == "":
			hint += " or later"
		case f.oursTo != f.ours:
			hint += " to " + f.oursTo
		}
		return message, hint
	}
	return "", ""
}
