package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what is read of a hand-made node.
const (
	maxFile  = 1 << 20
	maxFiles = 5000
	maxTotal = 16 << 20
	maxDepth = 24
	// maxEntries bounds the walk itself: somebody may name a whole machine's root.
	maxEntries = 100_000
	maxNamed   = 5 // files that one note names
)

// scriptName tells files with commands.
var scriptName = regexp.MustCompile(`(?i)(\.(sh|bash)$|history|^(install|setup|notes|commands))`)

// readNodes reads the files that matter below dir, sorted by name.
func readNodes(dir fs.FS) (texts []text, notes []string, err error) {
	files, total, entries := 0, 0, 0
	var skipped unread
	err = fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if entries++; entries > maxEntries {
			notes = append(notes, fmt.Sprintf("%s and what follows was not read: more than %d files and folders", name, maxEntries))
			return fs.SkipAll
		}
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			skipped.add(name, reason(err))
			return fs.SkipDir
		case d.IsDir() && strings.Count(name, "/") >= maxDepth:
			skipped.add(name, "too deep")
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		node, inside, onNode := nodePath(name)
		if !onNode && !scriptName.MatchString(path.Base(name)) {
			return nil
		}
		if !d.Type().IsRegular() {
			skipped.add(name, "not a regular file")
			return nil
		}
		if files++; files > maxFiles || total > maxTotal {
			notes = append(notes, fmt.Sprintf("%s and what follows was not read: more than %d files or %d MiB", name, maxFiles, maxTotal>>20))
			return fs.SkipAll
		}
		content, why := readText(dir, name)
		total += len(content)
		if why != "" {
			skipped.add(name, why)
			return nil
		}
		t := text{at: place{file: name, line: 1, column: 1}, node: node, path: inside, content: content, kind: script}
		if onNode {
			t.kind = kindOf(inside)
		}
		texts = append(texts, t)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the hand-made node: %w", err)
	}
	return texts, append(skipped.notes(), notes...), nil
}

// unread are the files that were not read, by the reason.
type unread struct {
	reasons []string // in the order of their first files
	files   map[string][]string
}

func (u *unread) add(name, reason string) {
	if u.files == nil {
		u.files = map[string][]string{}
	}
	if u.files[reason] == nil {
		u.reasons = append(u.reasons, reason)
	}
	u.files[reason] = append(u.files[reason], printable(name))
}

// notes are one for each reason: the etc of a machine holds hundreds of links.
func (u *unread) notes() []string {
	var notes []string
	for _, reason := range u.reasons {
		files := u.files[reason]
		named, more, were := strings.Join(files[:min(len(files), maxNamed)], ", "), "", "were"
		if n := len(files) - maxNamed; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		if len(files) == 1 {
			were = "was"
		}
		notes = append(notes, fmt.Sprintf("%s%s %s not read: %s", named, more, were, reason))
	}
	return notes
}

// nodePath splits "slave1/etc/mesos/zk" into "slave1" and "/etc/mesos/zk"; an etc
// at the top belongs to the node ".".
func nodePath(name string) (node, inside string, ok bool) {
	elements := strings.Split(name, "/")
	for i, e := range elements[:len(elements)-1] {
		if e == "etc" || (i <= 1 && slices.Contains([]string{"var", "usr", "opt"}, e)) {
			return path.Join(append([]string{"."}, elements[:i]...)...), "/" + strings.Join(elements[i:], "/"), true
		}
	}
	return "", "", false
}

// reason is an error without the file's name.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

func readText(dir fs.FS, name string) (content, why string) {
	f, err := dir.Open(name)
	if err != nil {
		return "", reason(err)
	}
	defer func() { _ = f.Close() }()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return "", "not a regular file"
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return "", reason(err)
	case len(b) > maxFile:
		return "", fmt.Sprintf("larger than %d bytes", maxFile)
	case bytes.IndexByte(b, 0) >= 0:
		return "", "not a text"
	}
	return string(b), ""
}
