package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// HostMirror finds Debian's archives among the host's own apt entries: those whose Release file
// says Origin: Debian. It reads the Release files of the host's last apt-get update, and fetches
// those that are not there. The signatures count later, when Update takes the mirror.
func (c *Client) HostMirror(ctx context.Context) (Mirror, error) {
	paths, err := c.configPaths(ctx, "Dir::Etc::sourcelist/f", "Dir::Etc::sourceparts/d", "Dir::State::lists/d")
	if err != nil {
		return Mirror{}, err
	}
	entries, files, err := readEntries(paths[0], paths[1])
	if err != nil {
		return Mirror{}, fmt.Errorf("apt: the host's sources: %w", err)
	}
	m, missing := chooseMirror(entries, func(uri, suite string) (Release, bool) {
		return listedRelease(paths[2], uri, suite)
	})
	if m.Main == "" && len(missing) > 0 {
		fetched, err := c.fetchReleases(ctx, missing)
		if err != nil {
			return Mirror{}, err
		}
		m, _ = chooseMirror(entries, func(uri, suite string) (Release, bool) {
			r, ok := fetched[[2]string{uri, suite}]
			return r, ok
		})
	}
	if m.Main == "" {
		return Mirror{}, fmt.Errorf("apt: none of the %d entries in %s is Debian's archive (its Release says Origin: Debian): set apt.mirror and apt.security_mirror",
			len(entries), strings.Join(files, ", "))
	}
	return m, nil
}

// chooseMirror takes the first entry of each kind; missing are the entries of unknown origin.
func chooseMirror(entries []entry, release func(uri, suite string) (Release, bool)) (m Mirror, missing [][2]string) {
	for _, e := range entries {
		for _, uri := range e.URIs {
			for _, suite := range e.Suites {
				r, ok := release(uri, suite)
				switch {
				case !ok:
					missing = append(missing, [2]string{uri, suite})
				case r.Origin != "Debian":
				case r.Label == "Debian" && m.Main == "":
					m.Main = strings.TrimSuffix(uri, "/")
				case r.Label == "Debian-Security" && m.Security == "":
					m.Security = strings.TrimSuffix(uri, "/")
				}
			}
		}
	}
	return m, missing
}

// listedRelease reads the Release file that the host's apt keeps of a suite.
func listedRelease(lists, uri, suite string) (Release, bool) {
	base := filepath.Join(lists, listPrefix(uri)+"_dists_"+strings.ReplaceAll(suite, "/", "_"))
	for _, name := range []string{base + "_InRelease", base + "_Release"} {
		if r, err := readRelease(name); err == nil {
			return r, true
		}
	}
	return Release{}, false
}

// fetchReleases fetches InRelease files; those that can't be had are left out, and if none
// can the error says why.
func (c *Client) fetchReleases(ctx context.Context, want [][2]string) (map[[2]string]Release, error) {
	acquire, err := c.userAcquire(ctx)
	if err != nil {
		return nil, err
	}
	r, err := c.newRoot(rootSpec{arch: "amd64", acquire: acquire})
	if err != nil {
		return nil, err
	}
	defer r.remove()
	out := map[[2]string]Release{}
	var errs []error
	for i, w := range want {
		file := filepath.Join(r.dir, fmt.Sprintf("InRelease.%d", i))
		url := strings.TrimSuffix(w[0], "/") + "/dists/" + w[1] + "/InRelease"
		if s, err := c.run(ctx, r.config, helperProgram, "download-file", url, file); err != nil {
			errs = append(errs, explain("fetch "+url, s, err))
			continue
		}
		if rel, err := readRelease(file); err == nil {
			out[w] = rel
		}
	}
	if len(out) == 0 && len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

// entry is one entry of the host's apt sources (sources.list(5)).
type entry struct {
	URIs   []string
	Suites []string
}

// readEntries reads sources.list and the folder sources.list.d in both formats; files are those
// that were read.
func readEntries(list, parts string) (entries []entry, files []string, err error) {
	names, err := filepath.Glob(filepath.Join(parts, "*"))
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(names)
	for _, name := range append([]string{list}, names...) {
		parse := parseOneLine
		switch {
		case strings.HasSuffix(name, ".sources"):
			parse = parseDeb822
		case name != list && !strings.HasSuffix(name, ".list"):
			continue
		}
		text, err := readBounded(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		found, err := parse(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%w", name, err)
		}
		entries, files = append(entries, found...), append(files, name)
	}
	return entries, files, nil
}

// parseOneLine reads the one-line format. Errors begin with the line's number.
func parseOneLine(text string) ([]entry, error) {
	var out []entry
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		if kind != "deb" {
			continue // deb-src, empty
		}
		if strings.HasPrefix(rest, "[") {
			_, after, ok := strings.Cut(rest, "]")
			if !ok {
				return nil, fmt.Errorf("%d: options without a closing ]", n)
			}
			rest = after
		}
		if strings.HasPrefix(strings.TrimSpace(rest), "cdrom:") {
			continue
		}
		f := strings.Fields(rest)
		if len(f) < 2 {
			return nil, fmt.Errorf("%d: want deb URI SUITE COMPONENTS", n)
		}
		if strings.HasSuffix(f[1], "/") {
			continue // a flat archive has no suites
		}
		out = append(out, entry{URIs: f[:1], Suites: f[1:2]})
	}
	return out, nil
}

// parseDeb822 reads the format of .sources files.
func parseDeb822(text string) ([]entry, error) {
	var out []entry
	n := 0
	err := eachParagraph(strings.NewReader(stripComments(text)), func(b []byte) error {
		n++
		p, err := parseParagraph(b)
		if err != nil {
			return fmt.Errorf(" entry %d: %w", n, err)
		}
		if len(p) == 0 || isNo(p.get("Enabled")) || !slices.Contains(p.words("Types"), "deb") {
			return nil
		}
		e := entry{URIs: p.words("URIs")}
		for _, s := range p.words("Suites") {
			if !strings.HasSuffix(s, "/") {
				e.Suites = append(e.Suites, s)
			}
		}
		out = append(out, e)
		return nil
	})
	return out, err
}

// stripComments removes comment lines, which may stand inside a paragraph, and lines of blanks
// alone become empty.
func stripComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			b.WriteByte('\n')
		default:
			b.WriteString(strings.ReplaceAll(line, "\r\n", "\n"))
		}
	}
	return b.String()
}

// isNo is apt's reading of a false value (apt-pkg/contrib/strutl.cc, StringToBool).
func isNo(s string) bool {
	return slices.Contains([]string{"no", "false", "without", "off", "disable", "0"}, strings.ToLower(s))
}
