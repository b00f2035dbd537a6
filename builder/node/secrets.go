package node

import (
	"fmt"
	"regexp"
)

// secrets is the template function secret of one renderer. A secret may stand in
// a file's content alone: whatever else is rendered is shown, in status, in the
// list of processes or in a path.
type secrets struct {
	get    func(name string) (string, error) // nil: all are hidden
	inside bool                              // a file's content is rendered
	hidden bool                              // for showing
	used   bool
}

// secretName is a secret's name: "azkaban", "azkaban-db".
var secretName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// within renders a file's content, and tells whether it holds a secret.
func (s *secrets) within(hidden bool, render func() error) (bool, error) {
	s.inside, s.hidden, s.used = true, hidden, false
	defer func() { s.inside, s.hidden = false, false }()
	err := render()
	return s.used, err
}

func (s *secrets) value(name string) (string, error) {
	if !s.inside {
		return "", fmt.Errorf("secret %q: a secret may only stand in the content of a file, not in paths, conditions, commands or scripts, which anybody may see", name)
	}
	if !secretName.MatchString(name) {
		return "", fmt.Errorf("%q can't be a secret's name: small letters, digits and -", name)
	}
	s.used = true
	if s.hidden || s.get == nil {
		return "<secret " + name + ">", nil
	}
	return s.get(name)
}

// Shown is the file's content as it may be printed: a secret is "<secret NAME>".
func (f RenderedFile) Shown() []byte {
	if f.shown != nil {
		return f.shown
	}
	return f.Content
}

// Secret tells whether the content holds a secret.
func (f RenderedFile) Secret() bool { return f.shown != nil }
