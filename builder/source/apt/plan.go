package apt

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// plan is what apt-get install --print-uris says it would do.
type plan struct {
	added    []string // names of packages that are new
	removed  []string
	upgraded []string // or downgraded
	uris     []planURI
	hashes   map[string]string // by URI: sha256, hexadecimal
	selected map[string]string // virtual name to the package taken for it
}

type planURI struct {
	uri, file, hash string
}

var (
	uriRE      = regexp.MustCompile(`^'([^']+)' (\S+) [0-9]+ ?(\S*)$`)
	selectedRE = regexp.MustCompile(`^Note, selecting '([^']+)' instead of '([^']+)'`)
)

// parsePlan reads apt-get's classic output. Sections look like
//
//	The following NEW packages will be installed:
//	  name name
//
// and files like 'URI' FILE SIZE HASH (apt-get(8), --print-uris).
func parsePlan(out string) (*plan, error) {
	p := &plan{hashes: map[string]string{}, selected: map[string]string{}}
	var section *[]string
	for l := range strings.Lines(out) {
		l = strings.TrimRight(l, "\n")
		l = l[strings.LastIndexByte(l, '\r')+1:] // what apt writes over its progress
		switch {
		case strings.HasPrefix(l, "  "):
			if section != nil {
				for _, n := range strings.Fields(l) {
					n, _, _ = strings.Cut(strings.TrimSuffix(n, "*"), ":")
					*section = append(*section, n)
				}
			}
			continue
		case strings.HasPrefix(l, "The following NEW packages"):
			section = &p.added
			continue
		case strings.HasPrefix(l, "The following packages will be REMOVED"):
			section = &p.removed
			continue
		case strings.HasPrefix(l, "The following packages will be upgraded"),
			strings.HasPrefix(l, "The following packages will be DOWNGRADED"):
			section = &p.upgraded
			continue
		}
		section = nil
		if m := selectedRE.FindStringSubmatch(l); m != nil {
			p.selected[m[2]] = m[1]
		}
		if strings.HasPrefix(l, "'") {
			m := uriRE.FindStringSubmatch(l)
			if m == nil {
				return nil, fmt.Errorf("unexpected line of apt-get: %q", l)
			}
			u := planURI{uri: m[1], file: m[2]}
			if h, ok := strings.CutPrefix(m[3], "SHA256:"); ok {
				u.hash = h
				p.hashes[u.uri] = h
			}
			p.uris = append(p.uris, u)
		}
	}
	return p, nil
}

// changes says in words what the plan would do to installed packages.
func (p *plan) changes() string {
	var s []string
	if len(p.removed) > 0 {
		s = append(s, "It would remove "+strings.Join(p.removed, ", ")+".")
	}
	if len(p.upgraded) > 0 {
		s = append(s, "It would change the version of "+strings.Join(p.upgraded, ", ")+".")
	}
	return strings.Join(s, "\n")
}

// poolFile names a file of an archive.
type poolFile struct {
	archive string // "": not of an archive
	name    string // path below the archive's URI
	uri     string // as apt wrote it
}

// poolFile tells which archive's file a URI of a plan is. apt escapes the path.
func (s *Snapshot) poolFile(uri string) (poolFile, error) {
	if strings.HasPrefix(uri, "file:") {
		return poolFile{uri: uri}, nil
	}
	for _, a := range s.Archives {
		rest, ok := strings.CutPrefix(uri, a.placeholder()+"/")
		if !ok {
			continue
		}
		name, err := url.PathUnescape(rest)
		if err != nil {
			return poolFile{}, fmt.Errorf("file %s: %w", uri, err)
		}
		return poolFile{archive: a.Name, name: name, uri: uri}, nil
	}
	return poolFile{}, fmt.Errorf("apt wants %s, which is of none of the archives", uri)
}
