package node

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// secretValues is the template function secret of one renderer. A secret may
// stand in a file's content alone: whatever else is rendered is shown, in status,
// in the list of processes or in a path.
type secretValues struct {
	img    *Image                            // that declares them
	get    func(name string) (string, error) // nil: all are hidden
	inside bool                              // a file's content is rendered
	hidden bool                              // for showing
	used   bool
}

// within renders a file's content, and tells whether it holds a secret.
func (s *secretValues) within(hidden bool, render func() error) (bool, error) {
	s.inside, s.hidden, s.used = true, hidden, false
	defer func() { s.inside, s.hidden = false, false }()
	err := render()
	return s.used, err
}

func (s *secretValues) value(name string) (string, error) {
	if !s.inside {
		return "", fmt.Errorf("secret %q: a secret may only stand in the content of a file, not in paths, conditions, commands or scripts, which anybody may see", name)
	}
	if err := CheckSecretName(name); err != nil {
		return "", err
	}
	if _, err := s.img.secret(name); err != nil {
		return "", err
	}
	s.used = true
	if s.hidden || s.get == nil {
		return hiddenSecret(name), nil
	}
	return s.get(name)
}

// hiddenSecret is what stands for a secret wherever it is shown.
func hiddenSecret(name string) string { return "<secret " + name + ">" }

// Shown is the file's content as it may be printed: a secret is "<secret NAME>".
func (f RenderedFile) Shown() []byte {
	if f.shown != nil {
		return f.shown
	}
	return f.Content
}

// Secret tells whether the content holds a secret.
func (f RenderedFile) Secret() bool { return f.shown != nil }

// Same tells whether a file on a node has this content. The secrets of one that holds some may be any.
func (f RenderedFile) Same(content []byte) bool {
	if !f.Secret() {
		return bytes.Equal(content, f.Content)
	}
	parts := placeholder.Split(string(f.shown), -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("^" + strings.Join(parts, `[^\n]*`) + "$").Match(content)
}

// placeholder is what hiddenSecret gives, plain or in XML.
var placeholder = regexp.MustCompile(`<secret [a-z0-9-]+>|&lt;secret [a-z0-9-]+&gt;`)
