package node

import (
	"fmt"
	"strings"
)

// maxFixed bounds a file whose content may not change over data.
const maxFixed = 4 << 10

// checkFixed refuses a new content of a file that says whose data lies in a
// directory, while data lies there. It compares with what was recorded when
// the file was written and with what the file holds now. It changes nothing on
// disk but the record, and that only for files that may be written.
//
// Data on a file system that is absent can't be looked at: a file that it is
// fixed by keeps its content and its record until that is back.
func (n *Node) checkFixed(files []RenderedFile, s *state, absent []absentMount) (warnings []string, err error) {
	for _, f := range files {
		if len(f.Fixed) == 0 || anyBelow(f.Fixed, absent) {
			continue
		}
		if len(f.Content) > maxFixed {
			return nil, fmt.Errorf("%s is fixed and has %d bytes, more than %d", f.Path, len(f.Content), maxFixed)
		}
		data, err := n.holding(f.Fixed)
		if err != nil {
			return nil, err
		}
		if data != "" {
			known, err := n.knownContents(f.Path, s)
			if err != nil {
				return nil, err
			}
			for _, old := range known {
				if old != string(f.Content) {
					return nil, fmt.Errorf("%s must not change from %q to %q while %s holds data: it was written under the old one. Put the inventory's nodes back into their old order, or, if this data is worthless, move it away by hand",
						f.Path, strings.TrimSpace(old), strings.TrimSpace(string(f.Content)), data)
				}
			}
			if len(known) == 0 {
				warnings = append(warnings, fmt.Sprintf("%s holds data, and nothing says that it was written under %q, as %s says now: does it come from another node?",
					data, strings.TrimSpace(string(f.Content)), f.Path))
			}
		}
		s.Fixed[f.Path] = string(f.Content)
	}
	return warnings, nil
}

// holding is the first of the paths that holds data, or "".
func (n *Node) holding(paths []string) (string, error) {
	for _, p := range paths {
		what, err := look(n.path(p))
		if err != nil {
			return "", err
		}
		if what == holdsData {
			return p, nil
		}
	}
	return "", nil
}

// knownContents are the content that was recorded and the one that is there.
func (n *Node) knownContents(path string, s *state) ([]string, error) {
	var known []string
	if old, ok := s.Fixed[path]; ok {
		known = append(known, old)
	}
	now, err := n.readIfThere(path, maxFixed)
	if now != nil {
		known = append(known, string(now))
	}
	return known, err
}
