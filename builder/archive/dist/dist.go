// Package dist judges the tarball of a release of a program: a .tgz with one top folder that holds a launcher and
// the program's jar.
//
// It promises: one pass over the archive, in bounds, that unpacks nothing; what is not as it should be is an error
// that says what, where in the archive, and what to do.
//
// It must not know which program it is, nor what becomes of the archive.
package dist

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gobwas/glob"
	"github.com/klauspost/compress/gzip"

	"github.com/mesos-forge/forge/builder/archive"
)

// limits of an archive. Marathon 1.5's has 100 MB in some 150 entries.
var limits = archive.Limits{Entries: 20_000, Bytes: 2 << 30, FileBytes: 1 << 30, Depth: 24}

// Layout says what the archive of a program must hold. Paths are those below the top folder.
type Layout struct {
	Program string // "marathon": file and top folder are PROGRAM-VERSION
	// Launchers are paths of scripts that start the program; one must be there, and executable: "bin/start".
	Launchers []string
	// Jars are patterns of the program's jar (* within a component, ** across them), whose base name says its
	// version; exactly one file may match: "target/**marathon-assembly-*.jar".
	Jars []string
}

// Info is what an archive is.
type Info struct {
	Version  string // "1.5.11"
	Top      string // the one folder: "marathon-1.5.11"
	Launcher string // the first of Layout.Launchers that is there
	Jar      string // path below Top
}

// inName is a version in a name: after the program's, or after what the jar is called.
var inName = regexp.MustCompile(`-([0-9]+(?:\.[0-9]+)+)`)

// Version returns the version that a file's name says: "marathon-1.5.11.tgz", "marathon-1.6.352-cf7b1d2.tgz".
func (l Layout) Version(file string) (string, error) {
	rest, ok := strings.CutPrefix(file, l.Program)
	m := inName.FindStringSubmatchIndex(rest)
	if !ok || m == nil || m[0] != 0 || !slices.ContainsFunc([]string{".tgz", ".tar.gz"}, func(end string) bool { return strings.HasSuffix(file, end) }) {
		return "", fmt.Errorf("%s is not named as a release is, %s-VERSION.tgz: give it its name back", file, l.Program)
	}
	return rest[m[2]:m[3]], nil
}

// Check reads the archive file from r to its end.
func (l Layout) Check(ctx context.Context, r io.Reader, file string) (Info, error) {
	version, err := l.Version(file)
	if err != nil {
		return Info{}, err
	}
	p := &pass{Layout: l, file: file, launchers: map[string]archive.Entry{}}
	for _, pattern := range l.Jars {
		g, err := glob.Compile(pattern, '/')
		if err != nil {
			return Info{}, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		p.patterns = append(p.patterns, g)
	}
	unpacked, err := uncompressed(r)
	if err != nil {
		return Info{}, fmt.Errorf("%s is no release of %s: %w", file, l.Program, err)
	}
	defer unpacked.Close()
	if err := archive.ListTar(ctx, unpacked, archive.Options{Name: file, Limits: limits, ConfineLinks: true}, p.entry); err != nil {
		return Info{}, err
	}
	// Up to the end of the compressed data, whose checksum stands there.
	if _, err := io.Copy(io.Discard, io.LimitReader(unpacked, limits.Bytes)); err != nil {
		return Info{}, fmt.Errorf("%s is cut off or damaged: %w", file, err)
	}
	return p.info(version)
}

// uncompressed opens the compressed data, and says what else it may be.
func uncompressed(r io.Reader) (io.ReadCloser, error) {
	var magic [4]byte
	n, err := io.ReadFull(r, magic[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch head := string(magic[:n]); {
	case n == 0:
		return nil, errors.New("it is empty")
	case strings.HasPrefix(head, "PK\x03\x04"):
		return nil, errors.New("it is a jar or zip archive under another name, and has no script to start it")
	case strings.HasPrefix(head, "!<ar"):
		return nil, errors.New("it is a Debian package under another name")
	case !strings.HasPrefix(head, "\x1f\x8b"):
		return nil, errors.New("it is not compressed with gzip")
	}
	return gzip.NewReader(io.MultiReader(strings.NewReader(string(magic[:n])), r))
}

// pass is the one pass over an archive.
type pass struct {
	Layout
	file      string
	patterns  []glob.Glob
	top       string
	launchers map[string]archive.Entry
	jars      []string // that match
	others    []string // jars that don't
}

func (p *pass) entry(e archive.Entry) error {
	if e.Name == "." {
		return nil
	}
	top, rest, below := strings.Cut(e.Name, "/")
	switch {
	case p.top == "":
		p.top = top
	case p.top != top:
		return fmt.Errorf("a second folder at the top, beside %s: a release has one; unpack nothing into it, take the file as it was published", p.top)
	}
	if !below {
		if e.Type != tar.TypeDir {
			return errors.New("it is at the top, where a release has one folder")
		}
		return nil
	}
	if (e.Type == tar.TypeSymlink || e.Type == tar.TypeLink) && !p.inside(e) {
		return fmt.Errorf("it is a link to %s, out of %s", e.Target, p.top)
	}
	if slices.Contains(p.Launchers, rest) {
		p.launchers[rest] = e
	}
	if e.Type == tar.TypeReg && strings.HasSuffix(rest, ".jar") {
		if slices.ContainsFunc(p.patterns, func(g glob.Glob) bool { return g.Match(rest) }) {
			p.jars = append(p.jars, rest)
		} else if len(p.others) < 5 {
			p.others = append(p.others, rest)
		}
	}
	return nil
}

// inside tells whether a link stays in the top folder.
func (p *pass) inside(e archive.Entry) bool {
	to := e.Target
	if e.Type == tar.TypeSymlink {
		to = path.Join(path.Dir(e.Name), e.Target)
	}
	return strings.HasPrefix(to+"/", p.top+"/")
}

// info judges what the pass has seen.
func (p *pass) info(version string) (Info, error) {
	i := Info{Version: version, Top: p.top}
	wrong := func(format string, args ...any) (Info, error) {
		return Info{}, fmt.Errorf("%s %w: take the file as %s %s was published", p.file, fmt.Errorf(format, args...), p.Program, version)
	}
	if p.top == "" {
		return wrong("holds nothing")
	}
	if v := versionIn(strings.TrimPrefix(p.top, p.Program)); v != version || !strings.HasPrefix(p.top, p.Program+"-") {
		return wrong("has the folder %s, and its name says %s-%s", p.top, p.Program, version)
	}
	for _, name := range p.Launchers {
		if e, ok := p.launchers[name]; ok {
			if e.Type == tar.TypeReg && e.Mode&0o111 == 0 {
				return wrong("has %s/%s, which is not executable", p.top, name)
			}
			i.Launcher = name
			break
		}
	}
	if i.Launcher == "" {
		return wrong("has no %s below %s to start it", strings.Join(p.Launchers, " or "), p.top)
	}
	switch {
	case len(p.jars) == 0 && len(p.others) > 0:
		return wrong("has no jar %s below %s, only %s, and a jar under another name is not taken for it", strings.Join(p.Jars, " or "), p.top, strings.Join(p.others, ", "))
	case len(p.jars) == 0:
		return wrong("has no jar %s below %s", strings.Join(p.Jars, " or "), p.top)
	case len(p.jars) > 1:
		return wrong("has %d jars of the program: %s", len(p.jars), strings.Join(p.jars, ", "))
	}
	i.Jar = p.jars[0]
	if v := versionIn(path.Base(i.Jar)); v != version {
		return wrong("holds %s/%s, which is of version %s, and its name says %s", p.top, i.Jar, v, version)
	}
	return i, nil
}

// versionIn is the first version in a name, or "none".
func versionIn(name string) string {
	if m := inName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return "none"
}
