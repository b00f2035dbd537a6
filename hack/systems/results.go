package main

import (
	"bufio"
	"io"
	"regexp"
	"strings"
)

var (
	passLine    = regexp.MustCompile(`^ *--- PASS: (\S+) \(`)
	packageLine = regexp.MustCompile(`^ok  \t(\S+)\t`)
)

// readResults returns the tests that passed, as "PACKAGE TEST" with the package's folder: go test -v prints the
// tests of a package, and then the package. Tests of one that failed as a whole don't count.
func readResults(r io.Reader) (map[string]bool, error) {
	passed := map[string]bool{}
	var tests []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := passLine.FindStringSubmatch(line); m != nil {
			tests = append(tests, m[1])
		} else if m := packageLine.FindStringSubmatch(line); m != nil {
			folder := strings.TrimPrefix(m[1], "github.com/mesos-forge/forge/")
			for _, t := range tests {
				passed[folder+" "+t] = true
			}
			tests = nil
		} else if strings.HasPrefix(line, "FAIL\t") {
			tests = nil
		}
	}
	return passed, lines.Err()
}
