package deb

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/recipe"
)

// docs are the files that policy asks of every package: changelog, copyright, lintian overrides,
// and the sysusers.d file.
func (s *Spec) docs(epoch time.Time) ([]Entry, error) {
	name := s.Info.Name
	log, err := s.changelog()
	if err != nil {
		return nil, err
	}
	packed, err := gzipBest(log)
	if err != nil {
		return nil, fmt.Errorf("package %s: changelog: %w", name, err)
	}
	doc := path.Join("/usr/share/doc", name)
	out := []Entry{
		{Path: doc + "/changelog.Debian.gz", Kind: recipe.EntryFile, Text: packed},
		{Path: doc + "/copyright", Kind: recipe.EntryFile, Text: []byte(strings.TrimRight(s.Copyright, "\n") + "\n")},
	}
	if text := s.overrides(); text != "" {
		out = append(out, Entry{Path: path.Join("/usr/share/lintian/overrides", name), Kind: recipe.EntryFile, Text: []byte(text)})
	}
	if text := s.sysusers(); text != "" {
		out = append(out, Entry{Path: s.sysusersPath(), Kind: recipe.EntryFile, Text: []byte(text)})
	}
	return out, nil
}

func gzipBest(text string) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write([]byte(text)); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// changelog is in the form of debian/changelog (deb-changelog(5)). The newest entry carries the
// package's own version.
func (s *Spec) changelog() (string, error) {
	var b strings.Builder
	for i, c := range s.Changelog {
		date, err := time.Parse(time.DateOnly, c.Date)
		if err != nil {
			return "", fmt.Errorf("package %s: changelog: date %q: want YYYY-MM-DD", s.Info.Name, c.Date)
		}
		if len(c.Changes) == 0 {
			return "", fmt.Errorf("package %s: changelog: the entry of %s says nothing", s.Info.Name, c.Date)
		}
		version := fmt.Sprintf("%s-%d", c.Version, max(c.Revision, 1))
		if i == 0 {
			version = s.Info.Version
		} else {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s (%s) unstable; urgency=medium\n\n", s.Info.Name, version)
		for _, change := range c.Changes {
			b.WriteString(wrap(change, "  * ", "    "))
		}
		fmt.Fprintf(&b, "\n -- %s  %s\n", s.Info.Maintainer, date.Format("Mon, 02 Jan 2006 15:04:05 +0000"))
	}
	return b.String(), nil
}

// overrides is the lintian overrides file: each override below the reason for it.
func (s *Spec) overrides() string {
	var b strings.Builder
	for _, o := range s.LintianOverrides {
		b.WriteString(wrap(o.Reason, "# ", "# "))
		b.WriteString(strings.TrimSpace(s.Info.Name+": "+o.Tag+" "+o.Pattern) + "\n")
	}
	return b.String()
}

// wrap breaks text into lines of at most 78 columns.
func wrap(text, first, rest string) string {
	const width = 78
	var b strings.Builder
	line := first
	start := true
	for _, word := range strings.Fields(text) {
		if !start && len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line, start = rest, true
		}
		if !start {
			line += " "
		}
		line += word
		start = false
	}
	return b.String() + strings.TrimRight(line, " ") + "\n"
}
