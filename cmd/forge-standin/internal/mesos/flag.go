package mesos

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// flagKind is the type that the real daemon gives a flag.
type flagKind int

const (
	kindString flagKind = iota
	kindBool
	kindUint
	kindPort
	kindDuration
	kindDouble
	kindBytes
	kindJSON // JSON, or the path of a file that holds JSON
)

// flagSpec is one flag of a daemon. An empty def means that the flag has no default.
type flagSpec struct {
	name, alias string
	kind        flagKind
	def         string
	required    bool
}

// Flags are the loaded flags of a daemon, with the loading rules of stout's flags.hpp.
type Flags struct {
	program string
	specs   map[string]flagSpec
	aliases map[string]string // alias to name
	values  map[string]string // by name, defaults included
	given   map[string]string // by name: the name or alias that was used
}

func newFlags(program string, specs []flagSpec) *Flags {
	f := &Flags{program: program, specs: map[string]flagSpec{}, aliases: map[string]string{},
		values: map[string]string{}, given: map[string]string{}}
	for _, s := range specs {
		f.specs[s.name] = s
		if s.alias != "" {
			f.aliases[s.alias] = s.name
		}
		if s.def != "" {
			f.values[s.name] = s.def
		}
	}
	return f
}

// arg is the value of a flag as given; has is false for a flag without "=".
type arg struct {
	value string
	has   bool
}

// load reads the environment (MESOS_NAME, known names only) and the command line, which wins.
// Like stout it reports the first error in the order of the flags' names.
func (f *Flags) load(env, args []string) error {
	given, err := f.fromArgs(args)
	if err != nil {
		return err
	}
	for name, value := range f.fromEnv(env) {
		if _, ok := given[name]; !ok {
			given[name] = arg{value, true}
		}
	}
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := f.set(name, given[name]); err != nil {
			return err
		}
	}
	for _, name := range f.names() {
		if _, ok := f.given[name]; f.specs[name].required && !ok {
			return fmt.Errorf("Flag '%s' is required, but it was not provided", name) //lint:ignore ST1005 the real text
		}
	}
	return nil
}

func (f *Flags) names() []string {
	names := make([]string, 0, len(f.specs))
	for name := range f.specs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (f *Flags) fromEnv(env []string) map[string]string {
	out := map[string]string{}
	for _, kv := range env {
		key, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(key, "MESOS_") {
			continue
		}
		name := strings.ToLower(strings.TrimPrefix(key, "MESOS_"))
		if _, ok := f.find(strings.TrimPrefix(name, "no-")); ok {
			out[name] = value
		}
	}
	return out
}

func (f *Flags) fromArgs(args []string) (map[string]arg, error) {
	out := map[string]arg{}
	for _, a := range args {
		a = strings.TrimSpace(a)
		if a == "--" {
			break
		}
		if !strings.HasPrefix(a, "--") {
			continue // stout skips what does not look like a flag
		}
		name, value, has := strings.Cut(a[2:], "=")
		name = strings.ToLower(name)
		_, dup := out[name]
		_, dupOpposite := out[strings.TrimPrefix(name, "no-")]
		if dup || dupOpposite {
			return nil, fmt.Errorf("Duplicate flag '%s' on command line", name) //lint:ignore ST1005 the real text
		}
		out[name] = arg{value, has}
	}
	return out, nil
}

func (f *Flags) find(name string) (flagSpec, bool) {
	if full, ok := f.aliases[name]; ok {
		name = full
	}
	s, ok := f.specs[name]
	return s, ok
}

//lint:file-ignore ST1005 the texts are those of the real daemon

func (f *Flags) set(name string, a arg) error {
	flag, negated := strings.CutPrefix(name, "no-")
	spec, ok := f.find(flag)
	if !ok {
		if negated {
			return fmt.Errorf("Failed to load unknown flag '%s' via '%s'", flag, name)
		}
		return fmt.Errorf("Failed to load unknown flag '%s'", flag)
	}
	if used, ok := f.given[spec.name]; ok {
		return fmt.Errorf("Flag is already loaded via name '%s'", used)
	}
	switch {
	case spec.kind != kindBool && negated:
		return fmt.Errorf("Failed to load non-boolean flag '%s' via '%s'", flag, name)
	case spec.kind != kindBool && !a.has:
		return fmt.Errorf("Failed to load non-boolean flag '%s': Missing value", flag)
	case spec.kind == kindBool && a.value == "":
		a.value = fmt.Sprint(!negated)
	case spec.kind == kindBool && negated:
		return fmt.Errorf("Failed to load boolean flag '%s' via '%s' with value '%s'", flag, name, a.value)
	}
	value, err := fetch(spec.kind, a.value)
	if err == nil {
		value, err = normalise(spec.kind, value)
	}
	if err != nil {
		return fmt.Errorf("Failed to load flag '%s': Failed to load value '%s': %w", flag, a.value, err)
	}
	f.values[spec.name] = value
	f.given[spec.name] = flag
	return nil
}

// fetch reads the value from a file when it is written as file:///path.
func fetch(k flagKind, value string) (string, error) {
	path, isFile := strings.CutPrefix(value, "file://")
	if k == kindJSON && strings.HasPrefix(value, "/") {
		path, isFile = value, true
	}
	if !isFile {
		return value, nil
	}
	text, err := readBounded(path)
	if err != nil {
		return "", fmt.Errorf("Error reading file '%s': %w", path, err)
	}
	return strings.TrimSpace(text), nil
}

const maxFileValue = 1 << 20

func readBounded(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFileValue {
		return "", fmt.Errorf("not a regular file of at most %d bytes", maxFileValue)
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// Get returns the value of a flag and whether it has one, by default or given.
func (f *Flags) Get(name string) (string, bool) {
	v, ok := f.values[name]
	return v, ok
}

// Bool returns whether a boolean flag is true.
func (f *Flags) Bool(name string) bool { return f.values[name] == "true" }

// Map returns all flags that have a value, as the state endpoints report them.
func (f *Flags) Map() map[string]string {
	out := make(map[string]string, len(f.values))
	for k, v := range f.values {
		out[k] = v
	}
	return out
}

// usage is what the daemon prints for --help and, below a message, for a wrong flag.
func (f *Flags) usage(message string) string {
	var b strings.Builder
	if message != "" {
		b.WriteString(message + "\n\n")
	}
	fmt.Fprintf(&b, "Usage: %s [options]   (forge STAND-IN, not Apache Mesos)\n\n", f.program)
	for _, name := range f.names() {
		s := f.specs[name]
		form := "  --%s=VALUE"
		if s.kind == kindBool {
			form = "  --[no-]%s"
		}
		line := fmt.Sprintf(form, name)
		if s.alias != "" {
			line += "," + fmt.Sprintf(form, s.alias)[1:]
		}
		if s.def != "" {
			line += " (default: " + s.def + ")"
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
