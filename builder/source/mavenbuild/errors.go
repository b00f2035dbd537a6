package mavenbuild

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// maxTail is how much is kept of what mvn says, in bytes; shownLines of it are shown.
const (
	maxTail    = 64 << 10
	shownLines = 25
)

// tail keeps the last part of what mvn says.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - maxTail; over > 0 {
		t.text = t.text[over:]
	}
	return len(p), nil
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lines are the last lines that say something.
func (t *tail) lines() string {
	var out []string
	for l := range strings.Lines(colours.ReplaceAllString(string(t.text), "")) {
		l = strings.TrimRight(l, " \r\n")
		switch strings.TrimSpace(strings.TrimPrefix(l, "[ERROR]")) {
		case "", "[INFO]":
			continue
		}
		if strings.Contains(l, "-> [Help") || !strings.Contains(l, "[Help ") && !strings.Contains(l, "re-run Maven") {
			out = append(out, l)
		}
	}
	return strings.Join(out[max(0, len(out)-shownLines):], "\n")
}

// absent are words by which an offline Maven says that it lacks a file or does not know a version.
var absent = []string{"in offline mode", "has not been downloaded from it before", "Could not find artifact", "No plugin found for prefix", "Error resolving version for plugin"}

// explain makes an error of a build that failed: its last lines, and how to repeat it.
func (s *site) explain(err error, said *tail, network bool) error {
	var exit *sandbox.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	hint := ""
	if !network {
		for _, sign := range absent {
			if strings.Contains(string(said.text), sign) {
				hint = "\nThe build wants a file that its record has not got. Where the pom leaves a version open (a plugin without <version>, a range), name one there; " +
					"if Maven or the JDK is another one than when the lock was made, make the lock anew with forge lock."
				break
			}
		}
	}
	return fmt.Errorf("project %s: mvn package failed (exit status %d). The last lines of its log:\n%s%s\nTo repeat it: %s", s.project.Name, exit.Code, said.lines(), hint, s.command())
}

// command is what a person types to see the same.
func (s *site) command() string {
	run := "JAVA_HOME=" + s.JDK.Home + " mvn -B " + strings.Join(goals, " ")
	if s.project.Repeat == "" {
		return run
	}
	return s.project.Repeat + " && " + run
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
