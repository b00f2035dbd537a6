package aptrepo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// ErrStandIns is why packages are refused.
var ErrStandIns = errors.New("packages are stand-ins")

// standIn marks a version of one.
const standIn = "~standin"

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	versionForm = regexp.MustCompile(`^([0-9]+:)?[0-9][A-Za-z0-9.+~-]*$`)
)

// entry is a package of a repository.
type entry struct {
	name, version, arch string
	pool                string // its path below the repository
	size                int64
	sha256              string // hexadecimal
	from                string // where it comes from; "" for one that is there
}

func (e entry) String() string { return e.name + " " + e.version + " (" + e.arch + ")" }

// id is what must not change its content.
func (e entry) id() string { return e.name + "_" + e.version + "_" + e.arch }

func sortEntries(all []entry) {
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.pool, b.pool) })
}

// poolPath is where Debian puts the package.
func poolPath(name, version, arch string) string {
	prefix := name[:1]
	if strings.HasPrefix(name, "lib") && len(name) > 3 {
		prefix = name[:4]
	}
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	return path.Join("pool", component, prefix, name, name+"_"+version+"_"+arch+".deb")
}

// readDeb says what a package is. Its digest is taken when it is copied.
func readDeb(ctx context.Context, file string, archs []string) (entry, error) {
	f, err := os.Open(file)
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return entry{}, err
	}
	if !fi.Mode().IsRegular() {
		return entry{}, fmt.Errorf("%s is no file", file)
	}
	d, err := archive.OpenDeb(ctx, f, fi.Size(), archive.DebOptions{Name: filepath.Base(file)})
	if err != nil {
		return entry{}, err
	}
	e := entry{name: d.Control.Get("Package"), version: d.Control.Get("Version"), arch: d.Control.Get("Architecture"), size: fi.Size(), from: file}
	if err := e.check(archs); err != nil {
		return entry{}, fmt.Errorf("%s: %w", file, err)
	}
	e.pool = poolPath(e.name, e.version, e.arch)
	e.sha256, err = digest(ctx, f)
	return e, err
}

// check looks at fields that become names of files.
func (e entry) check(archs []string) error {
	switch {
	case !nameForm.MatchString(e.name):
		return fmt.Errorf("package name %q: want lower case letters, digits and any of + . -", e.name)
	case !versionForm.MatchString(e.version):
		return fmt.Errorf("package %s has the version %q, which is none", e.name, e.version)
	case e.arch != "all" && !slices.Contains(archs, e.arch):
		return fmt.Errorf("package %s is for %q, the repository for %s", e.name, e.arch, strings.Join(archs, ", "))
	}
	return nil
}

// readDebs reads what is to be added.
func readDebs(ctx context.Context, s *Spec) ([]entry, error) {
	var all []entry
	var bad []string
	seen := map[string]entry{}
	for _, file := range s.Debs {
		e, err := readDeb(ctx, file, s.Architectures)
		if err != nil {
			return nil, fmt.Errorf("read what is to be published: %w", err)
		}
		if other, twice := seen[e.pool]; twice {
			if other.sha256 != e.sha256 {
				return nil, fmt.Errorf("%s and %s are both %s, with different content", other.from, file, e)
			}
			continue
		}
		seen[e.pool] = e
		all = append(all, e)
		if strings.Contains(e.version, standIn) {
			bad = append(bad, e.name)
		}
	}
	slices.Sort(bad)
	if len(bad) > 0 && !s.AllowStandins {
		return nil, fmt.Errorf("%w (%s): they check the wiring of a cluster, they don't run anything; build with the real files, or use --allow-standins",
			ErrStandIns, strings.Join(bad, ", "))
	}
	sortEntries(all)
	return all, nil
}
