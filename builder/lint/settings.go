package lint

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

// placed is a setting and where it stands.
type placed struct {
	cluster.Setting
	at place
}

var (
	xmlName    = regexp.MustCompile(`<name>\s*([^<]*?)\s*</name>`)
	xmlValue   = regexp.MustCompile(`<value>\s*([^<]*?)\s*</value>`)
	xmlComment = regexp.MustCompile(`(?s)<!--.*?-->`)
	pair       = regexp.MustCompile(`^\s*([A-Za-z][A-Za-z0-9_.-]*)\s*[=:\s]\s*(.*?)\s*$`)
	assign     = regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$`)
	escape     = regexp.MustCompile(`\\([:=#! \\])`) // Java's, in properties
	quotesOff  = strings.NewReplacer(`"`, "", `'`, "")
)

// settings reads the settings of a text, in any state: a Hadoop file without its root has some, too.
func (t text) settings() []placed {
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(t.path), ".xml"), ".conf")
	switch t.kind {
	case flag:
		m := flagFile.FindStringSubmatch(strings.ToLower(t.path))
		file := strings.TrimSuffix(m[1], "/conf")
		return []placed{{cluster.Setting{File: file, Key: path.Base(t.path), Value: strings.TrimSpace(t.content)}, t.at}}
	case xmlFile:
		return t.properties(base)
	case keyValue:
		return t.pairs(base, pair)
	case env, script: // by its path: what is a flag in /etc/mesos is a variable in /etc/default/mesos
		return append(t.pairs(cmp.Or(t.path, t.at.file), assign), t.options()...)
	}
	return t.options()
}

var (
	daemonCall = regexp.MustCompile(`\b(mesos-master|mesos-slave|mesos-agent|marathon)\b.*\s--`)
	option     = regexp.MustCompile(`\s--([A-Za-z_]+)[= ]([^\s"'$]+)`)
)

// options are flags on the command line of a daemon: mesos-master --quorum=1.
func (t text) options() []placed {
	var all []placed
	t.each(func(at place, line string) {
		call := daemonCall.FindStringSubmatch(code(line))
		if call == nil {
			return
		}
		file := strings.Replace(call[1], "agent", "slave", 1)
		for _, m := range option.FindAllStringSubmatch(code(line), -1) {
			all = append(all, placed{cluster.Setting{File: file, Key: m[1], Value: m[2]}, at})
		}
	})
	return all
}

func (t text) pairs(file string, form *regexp.Regexp) []placed {
	var all []placed
	t.each(func(at place, line string) {
		if m := form.FindStringSubmatch(line); m != nil && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			value := quotesOff.Replace(m[2])
			if t.kind == keyValue {
				value = escape.ReplaceAllString(value, "$1")
			}
			if strings.ContainsAny(value, "$`") { // of a shell: not known here
				return
			}
			all = append(all, placed{cluster.Setting{File: file, Key: m[1], Value: value}, at})
		}
	})
	return all
}

// properties pairs names with the values that follow them; a setting's place is its value's.
func (t text) properties(file string) []placed {
	var all []placed
	name := ""
	t.content = xmlComment.ReplaceAllStringFunc(t.content, func(c string) string { return strings.Repeat("\n", strings.Count(c, "\n")) })
	t.each(func(at place, line string) {
		for line != "" {
			n, v := xmlName.FindStringSubmatchIndex(line), xmlValue.FindStringSubmatchIndex(line)
			switch {
			case n != nil && (v == nil || n[0] < v[0]):
				name, line = line[n[2]:n[3]], line[n[1]:]
			case v != nil:
				if name != "" {
					all = append(all, placed{cluster.Setting{File: file, Key: name, Value: line[v[2]:v[3]]}, at})
				}
				name, line = "", line[v[1]:]
			default:
				line = ""
			}
		}
	})
	return all
}

// each calls do for every line with its place.
func (t text) each(do func(at place, line string)) {
	s := bufio.NewScanner(strings.NewReader(t.content))
	s.Buffer(nil, maxFile+1)
	at := t.at
	at.line, at.column = max(1, at.line), 1
	for s.Scan() {
		do(at, strings.TrimSuffix(s.Text(), "\r"))
		at.line++
	}
}

// xml checks that a file is what Hadoop reads: one <configuration> of <property>, each with a name and a value.
func (l *linter) xml(t text) {
	if strings.Contains(t.content, "{{") {
		return
	}
	dec := xml.NewDecoder(strings.NewReader(t.content))
	var stack []string
	has := map[string]bool{}
	bad := func(format string, args ...any) {
		at := t.at
		at.line = max(1, at.line) + strings.Count(t.content[:min(int(dec.InputOffset()), len(t.content))], "\n")
		l.add(at, cluster.Finding{Rule: "F21", Message: path.Base(t.path) + ": " + fmt.Sprintf(format, args...),
			Hint: "write <configuration><property><name>...</name><value>...</value></property></configuration>"})
	}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			bad("not XML: %v", err)
			return
		}
		switch e := token.(type) {
		case xml.StartElement:
			if wrong := misplaced(stack, e.Name.Local); wrong != "" {
				bad("%s", wrong)
				return
			}
			stack = append(stack, e.Name.Local)
			if len(stack) == 1 {
				has["configuration"] = true
			}
			has[e.Name.Local] = true
		case xml.EndElement:
			stack = stack[:len(stack)-1]
			if e.Name.Local == "property" {
				if !has["name"] || !has["value"] {
					bad("a <property> without <name> or <value>")
					return
				}
				delete(has, "name")
				delete(has, "value")
			}
		}
	}
	if !has["configuration"] {
		bad("no <configuration>")
	}
}

// misplaced says what is wrong with an element below those of stack, or "".
func misplaced(stack []string, element string) string {
	want := map[int]string{0: "configuration", 1: "property"}[len(stack)]
	if want != "" && element != want {
		return fmt.Sprintf("<%s> stands where <%s> is expected: Hadoop ignores it", element, want)
	}
	return ""
}
