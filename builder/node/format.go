package node

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// header stands at the top of every file that has comments.
const header = "Written by forge-node from the inventory; changes made here are lost."

// hadoopXML gives a Hadoop configuration file, properties sorted by name.
func hadoopXML(settings map[string]string) ([]byte, error) {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- " + header + " -->\n<configuration>\n")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		n, err := escapeXML(name)
		if err != nil {
			return nil, err
		}
		v, err := escapeXML(settings[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(&b, "  <property>\n    <name>%s</name>\n    <value>%s</value>\n  </property>\n", n, v)
	}
	b.WriteString("</configuration>\n")
	return []byte(b.String()), nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// env gives NAME="value" lines that sh and systemd's EnvironmentFile= read
// alike (systemd.exec(5): double quotes, backslash before " \ $ `).
func env(settings map[string]string) ([]byte, error) { return assignments("", settings) }

// exports gives the same for sh alone, each with export before it: the init
// scripts of CDH source /etc/default/SERVICE and export nothing of it.
func exports(settings map[string]string) ([]byte, error) { return assignments("export ", settings) }

func assignments(before string, settings map[string]string) ([]byte, error) {
	var b strings.Builder
	b.WriteString("# " + header + "\n")
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !envName.MatchString(name) {
			return nil, fmt.Errorf("%q is not the name of an environment variable", name)
		}
		if strings.ContainsAny(settings[name], "\n\r\x00") {
			return nil, fmt.Errorf("%s: an environment file can't hold a line break", name)
		}
		fmt.Fprintf(&b, "%s%s=\"%s\"\n", before, name, escape.Replace(settings[name]))
	}
	return []byte(b.String()), nil
}

// properties gives a Java properties file (java.util.Properties.load).
func properties(settings map[string]string) ([]byte, error) {
	var b strings.Builder
	b.WriteString("# " + header + "\n")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if name == "" {
			return nil, fmt.Errorf("a property has no name")
		}
		b.WriteString(escapeProperty(name, true) + "=" + escapeProperty(settings[name], false) + "\n")
	}
	return []byte(b.String()), nil
}

func escapeProperty(s string, key bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' && (key || i == 0), key && strings.ContainsRune("=:", r), key && i == 0 && strings.ContainsRune("#!", r):
			b.WriteString(`\` + string(r))
		case r < 0x20 || r > 0x7e:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// flagName is a file in /etc/mesos-slave: a flag, or ?flag for one without value.
var flagName = regexp.MustCompile(`^\??[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// flags gives one file per setting in dir: its value and a line break, as the
// Mesos init wrapper reads them (field guide, section 1).
func flags(dir string, settings map[string]string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, value := range settings {
		if !flagName.MatchString(name) {
			return nil, fmt.Errorf("%q can't be the name of a flag file", name)
		}
		if strings.ContainsAny(value, "\n\r\x00") {
			return nil, fmt.Errorf("flag %s: its value has a line break", name)
		}
		content := []byte(value + "\n")
		if value == "" {
			content = nil
		}
		files[path.Join(dir, name)] = content
	}
	return files, nil
}
