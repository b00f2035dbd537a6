package mrv1

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// moves are the folders of MapReduce 2 and their new names.
var moves = []struct{ from, to string }{
	{"bin", "bin-mapreduce2"},
	{"examples", "examples-mapreduce2"},
	{"etc/hadoop", "etc/hadoop-mapreduce2"},
}

// links are made in their places, and one is made anew.
var links = []struct{ at, to string }{
	{"bin", "bin-mapreduce1"},
	{"examples", "examples-mapreduce1"},
	{"etc/hadoop", "hadoop-mapreduce1"},
	{relinked, "mapreduce1"},
}

// relinked is the input's link that says which MapReduce is meant.
const relinked = "share/hadoop/mapreduce"

// knownLinks are all symbolic links of the input, with their targets.
var knownLinks = map[string]string{
	relinked:                      "mapreduce2",
	"share/hadoop/mapreduce1/bin": "../../../bin-mapreduce1",
}

// jarDir is where Hadoop looks for libraries of the whole installation.
const jarDir = "share/hadoop/common/lib"

// needed are folders that the input must have.
var needed = []string{
	"bin", "bin-mapreduce1", "etc/hadoop", "etc/hadoop-mapreduce1", "examples", "examples-mapreduce1",
	jarDir, "share/hadoop/mapreduce1", "share/hadoop/mapreduce2",
}

// moved is the new name of an entry.
func moved(name string) string {
	for _, m := range moves {
		if rest, ok := strings.CutPrefix(name, m.from); ok && (rest == "" || rest[0] == '/') {
			return m.to + rest
		}
	}
	return name
}

// name checks an entry's name and returns it without the top folder; the top folder itself is ".".
func (p *pass) name(h *tar.Header) (string, error) {
	full := strings.TrimPrefix(h.Name, "./")
	if h.Typeflag == tar.TypeDir {
		full = strings.TrimSuffix(full, "/")
	}
	switch {
	case len(full) > maxName || strings.Count(full, "/") >= maxDepth:
		return "", p.wrong(h.Name, fmt.Errorf("%w: a name of %d bytes, %d folders deep", archive.ErrLimit, len(full), strings.Count(full, "/")))
	case path.IsAbs(full), full == "..", strings.HasPrefix(full, "../"), strings.Contains(full, "/../"), strings.HasSuffix(full, "/.."):
		return "", p.wrong(h.Name, archive.ErrEscape)
	case !fs.ValidPath(full) || full == "." || strings.ContainsRune(full, 0):
		return "", p.wrong(h.Name, archive.ErrName)
	}
	top, rest, below := strings.Cut(full, "/")
	if p.top == "" {
		p.top = top
		if err := foundByExecutor(top, p.Name); err != nil {
			return "", p.wrong(h.Name, err)
		}
	}
	switch {
	case top != p.top:
		return "", p.unexpected(h.Name, "a second folder at the top, beside %s", p.top)
	case !below && h.Typeflag != tar.TypeDir:
		return "", p.unexpected(h.Name, "no folder at the top")
	case !below:
		return ".", nil
	}
	if rest, ok := strings.CutPrefix(rest, "bin-mapreduce2"); ok && (rest == "" || rest[0] == '/') {
		return "", p.wrong(h.Name, errors.New("the tarball has been rearranged already; take the original"))
	}
	return rest, nil
}

// complete tells whether everything is there that is moved or linked to.
func (p *pass) complete() error {
	if p.top == "" {
		return p.wrong("", fmt.Errorf("%w: it is empty", archive.ErrMalformed))
	}
	folders := map[string]bool{}
	for name, kind := range p.input {
		if kind == tar.TypeDir {
			folders[name] = true
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) { // some archives name no folders
			folders[dir] = true
		}
	}
	for _, dir := range needed {
		if !folders[dir] {
			return p.unexpected(p.top+"/"+dir, "the folder is missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(knownLinks)) {
		if p.input[name] != tar.TypeSymlink {
			return p.unexpected(p.top+"/"+name, "the symbolic link to %s is missing", knownLinks[name])
		}
	}
	if !p.runs {
		return p.unexpected(p.top+"/bin-mapreduce1/hadoop", "the program is missing, or can't be run")
	}
	return nil
}

// verify checks the result as what was written says it.
func (p *pass) verify() error {
	holds := map[string]bool{}
	for name := range p.output {
		for ; name != "."; name = path.Dir(name) {
			holds[name] = true
		}
	}
	targets := map[string]string{"share/hadoop/mapreduce1/bin": knownLinks["share/hadoop/mapreduce1/bin"]}
	for _, l := range links {
		targets[l.at] = l.to
	}
	for _, at := range slices.Sorted(maps.Keys(targets)) {
		to := path.Join(path.Dir(at), targets[at])
		if p.output[at] != tar.TypeSymlink || !holds[to] {
			return p.wrong(p.top+"/"+at, fmt.Errorf("the link would lead to %s, which the result does not hold", to))
		}
	}
	for name, kind := range p.output {
		if kind == tar.TypeSymlink {
			continue
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if k, there := p.output[dir]; there && k != tar.TypeDir {
				return p.wrong(p.top+"/"+name, fmt.Errorf("%w: it would lie below %s, which is no folder", archive.ErrMalformed, dir))
			}
		}
	}
	return nil
}
