package aptrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// checkIndexed compares the new index with what was published and what was added: a package in the pool that
// somebody changed must not get a signature.
func (p *publisher) checkIndexed(all []entry, x indexer) error {
	indexed := map[string]entry{}
	for _, arch := range append([]string{"all"}, p.Architectures...) {
		dir := path.Join(component, "binary-"+arch)
		entries, err := readPackages(p.root, path.Join(tempName, "archive", "dists", dir, "Packages"))
		if err == nil {
			err = sameContent(filepath.Join(x.dists(), dir, "Packages"))
		}
		if err != nil {
			return fmt.Errorf("apt-ftparchive made no whole index: %w", err)
		}
		for _, e := range entries {
			indexed[e.pool] = e
		}
	}
	for _, e := range all {
		got, ok := indexed[e.pool]
		switch {
		case !ok:
			got.sha256 = "of no package that apt-ftparchive can read"
			fallthrough
		case got.sha256 != e.sha256:
			return fmt.Errorf("%s: %w: sha256 %s, want %s; take the file from a copy, or remove it and publish that package again",
				filepath.Join(p.Dir, e.pool), ErrTampered, got.sha256, e.sha256)
		}
	}
	if len(indexed) != len(all) {
		return fmt.Errorf("the index has %d packages instead of %d", len(indexed), len(all))
	}
	return nil
}

// finish adds what is missing to the tree of the publication: signatures, the key, and indexes by their hashes, its own and those of
// earlier publications.
func (p *publisher) finish(ctx context.Context, x indexer, release, public []byte, at time.Time) error {
	clear, err := clearSign(release, at, p.Keys)
	if err != nil {
		return err
	}
	detached, err := detachSign(release, at, p.Keys)
	if err != nil {
		return err
	}
	if said, signers, err := openInRelease(clear, ring(p.Keys)); err != nil || !bytes.Equal(said, release) || len(signers) != len(p.Keys) {
		return fmt.Errorf("the signature that was made does not hold: %w", errors.Join(err, openRelease(release, detached, ring(p.Keys))))
	}
	mtime := p.nextTime()
	for name, text := range map[string][]byte{"Release": release, "InRelease": clear, "Release.gpg": detached, keyFile: public} {
		file := filepath.Join(x.dists(), name)
		if err := errors.Join(os.WriteFile(file, text, 0o644), os.Chmod(file, 0o644), os.Chtimes(file, mtime, mtime)); err != nil {
			return err
		}
	}
	for n := max(1, p.old.number+2-p.History); n <= p.old.number; n++ {
		if err := p.linkByHash(ctx, path.Join("publications", p.Suite, strconv.Itoa(n)), x); err != nil {
			return fmt.Errorf("indexes of publication %d: %w", n, err)
		}
	}
	if err := p.linkByHash(ctx, path.Join(tempName, "archive", "dists"), x); err != nil {
		return err
	}
	// apt-ftparchive tells of some failures by what it leaves out.
	whole := publication{dir: path.Join(tempName, "archive", "dists"), release: release}
	if err := whole.readIndexes(ctx, p.root, p.Spec); err != nil {
		return fmt.Errorf("what was written is not whole: %w", err)
	}
	if want := 3 * (1 + len(p.Architectures)); whole.files != want {
		return fmt.Errorf("apt-ftparchive put %d files into the release file instead of %d", whole.files, want)
	}
	return syncTree(x.dists())
}

// checkDate refuses what clients would.
func (p *publisher) checkDate(at time.Time) error {
	const mend = "SOURCE_DATE_EPOCH sets the date, in seconds since 1970; date +%s says the present one"
	switch {
	case at.After(p.Now.Add(time.Hour)):
		return fmt.Errorf("the publication would have the date %s, which is to come: clients would refuse it; %s", at.Format(dateForm), mend)
	case p.ValidFor > 0 && at.Add(p.ValidFor).Before(p.Now):
		return fmt.Errorf("the publication would have the date %s and be valid for %v: it would be out of date already; %s", at.Format(dateForm), p.ValidFor, mend)
	}
	return nil
}

// nextTime is the time of the files of a publication, by which http servers and clients know a newer one: they count
// in seconds, so it differs from the last one's by one at least.
func (p *publisher) nextTime() time.Time {
	now := p.Now.Truncate(time.Second)
	if fi, err := p.root.Stat(path.Join(p.old.dir, "InRelease")); p.old.number > 0 && err == nil && !fi.ModTime().Before(now) {
		return fi.ModTime().Truncate(time.Second).Add(time.Second)
	}
	return now
}

// linkByHash gives the indexes of a publication their names by hash in the new one.
func (p *publisher) linkByHash(ctx context.Context, dir string, x indexer) error {
	for _, arch := range append([]string{"all"}, p.Architectures...) {
		sub := path.Join(component, "binary-"+arch)
		to := filepath.Join(x.dists(), sub, byHash)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		for _, name := range []string{"Packages", "Packages.gz", "Packages.xz"} {
			file := path.Join(dir, sub, name)
			sum, _, err := fileDigest(ctx, p.root, file)
			if errors.Is(err, fs.ErrNotExist) { // of another architecture, or pruned
				continue
			}
			if err != nil {
				return err
			}
			if err := os.Link(filepath.Join(p.Dir, file), filepath.Join(to, sum)); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	return nil
}

// show has clients see the publication.
func (p *publisher) show(x indexer) error {
	n := p.old.number + 1
	link, dir := filepath.Join(p.temp, "link"), filepath.Join(p.Dir, "publications", p.Suite)
	if err := os.Symlink(linkTarget(p.Suite, n), link); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(x.dists(), filepath.Join(dir, strconv.Itoa(n))), syncPath(dir)); err != nil {
		return err
	}
	p.placed = nil // from here on clients may ask for them
	dists := filepath.Join(p.Dir, "dists")
	return errors.Join(os.Rename(link, filepath.Join(dists, p.Suite)), syncPath(dists))
}

// sweep removes a publication that a killed publisher made and that nobody has seen.
func (p *publisher) sweep() error {
	all, err := p.publications(p.Suite)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n > p.old.number {
			if err := os.RemoveAll(filepath.Join(p.Dir, "publications", p.Suite, strconv.Itoa(n))); err != nil {
				return err
			}
		}
	}
	return nil
}

// publications are the numbers of a suite's.
func (p *publisher) publications(suite string) ([]int, error) {
	found, err := fs.ReadDir(p.root.FS(), path.Join("publications", suite))
	if err != nil {
		return nil, err
	}
	var all []int
	for _, e := range found {
		if n, err := strconv.Atoi(e.Name()); err == nil && e.IsDir() {
			all = append(all, n)
		}
	}
	return all, nil
}

// otherSuites are the packages of the repository's other suites, which share the pool.
func (p *publisher) otherSuites() ([]entry, error) {
	suites, err := fs.ReadDir(p.root.FS(), "dists")
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, suite := range suites {
		if suite.Name() == p.Suite {
			continue
		}
		_, dir, err := current(p.root, suite.Name())
		if err != nil {
			return nil, err
		}
		entries, err := p.packagesOf(dir)
		if err != nil {
			return nil, fmt.Errorf("suite %s: %w", suite.Name(), err)
		}
		all = append(all, entries...)
	}
	return all, nil
}

// packagesOf reads all indexes of a publication.
func (p *publisher) packagesOf(dir string) ([]entry, error) {
	indexes, err := fs.Glob(p.root.FS(), path.Join(dir, component, "binary-*", "Packages"))
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, name := range indexes {
		entries, err := readPackages(p.root, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, entries...)
	}
	return all, nil
}

// prune removes publications that are too old to be asked for, and packages that none has.
func (p *publisher) prune(newest int) error {
	suites, err := fs.ReadDir(p.root.FS(), "publications")
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, suite := range suites {
		numbers, err := p.publications(suite.Name())
		if err != nil {
			return err
		}
		for _, n := range numbers {
			dir := path.Join("publications", suite.Name(), strconv.Itoa(n))
			if suite.Name() == p.Suite && n <= newest-p.History {
				if err := os.RemoveAll(filepath.Join(p.Dir, dir)); err != nil {
					return err
				}
				continue
			}
			entries, err := p.packagesOf(dir)
			if err != nil {
				return err
			}
			for _, e := range entries {
				wanted[e.pool] = true
			}
		}
	}
	return p.prunePool(wanted)
}

func (p *publisher) prunePool(wanted map[string]bool) error {
	var files, folders []string
	err := fs.WalkDir(p.root.FS(), "pool", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Count(name, "/") > 1 {
			folders = append(folders, name)
		} else if err == nil && d.Type().IsRegular() && strings.HasSuffix(name, ".deb") && !wanted[name] {
			files = append(files, name)
		}
		return err
	})
	for _, name := range files {
		err = errors.Join(err, os.Remove(filepath.Join(p.Dir, name)))
	}
	for i := len(folders) - 1; i >= 0; i-- { // the inner ones first; one that is not empty stays
		_ = os.Remove(filepath.Join(p.Dir, folders[i]))
	}
	return err
}
