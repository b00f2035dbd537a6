package builder

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/compare"
	"github.com/mesos-forge/forge/builder/report"
)

// sign is how a line of a difference starts.
func sign(added, removed bool) string {
	switch {
	case added:
		return "+"
	case removed:
		return "-"
	}
	return "~"
}

// arrow is what was and what is; one of them alone if the other isn't there.
func arrow(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + " -> " + b
}

func counts(n map[compare.Change]int) string {
	return fmt.Sprintf("%d added, %d removed, %d changed", n[compare.Added], n[compare.Removed], n[compare.Changed])
}

func growth(n int64) string {
	if n < 0 {
		return "-" + report.Size(-n)
	}
	return "+" + report.Size(n)
}

// short cuts a value, and makes it fit for a terminal.
func short(s string) string {
	if len(s) > textWidth {
		s = s[:textWidth] + "..."
	}
	return plain(s)
}

// plain quotes what a terminal could take for orders: names in an image are anybody's.
func plain(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) {
		return q
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
