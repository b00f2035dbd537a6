package aptrepo

import (
	"bytes"
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
	"time"

	"github.com/gofrs/flock"
)

const (
	tempName = ".tmp"
	lockName = ".lock"
	// lockPause is how often one that waits for another publisher looks again.
	lockPause = 50 * time.Millisecond
	// DefaultHistory is how many publications keep their indexes and packages for clients that are in the middle of
	// an update.
	DefaultHistory = 20
)

// Spec says what is published.
type Spec struct {
	Dir   string   // the repository, an absolute path; made when it is not there
	Debs  []string // packages to add
	Keys  []*Key   // all of them sign
	Tools string   // tree with apt-utils; "": the host's

	Suite, Codename, Origin, Label, Description string
	Architectures                               []string // those of packages, besides "all"

	Date     time.Time     // of the publication; a later one is taken where the last publication has that
	ValidFor time.Duration // how long after Date clients accept it; 0: for ever
	Now      time.Time     // what the clock says

	NewKey        bool // another key may have signed the repository so far
	AllowStandins bool
	KeepVersions  int // of each package, the newest; 0: all
	History       int // publications; 0: DefaultHistory
}

// Result is what was published.
type Result struct {
	Suite       string    `json:"suite"`
	Publication int       `json:"publication"` // counts from 1
	Changed     bool      `json:"changed"`     // false: everything was there already
	Date        time.Time `json:"date"`
	Added       []string  `json:"added,omitempty"`   // packages: NAME VERSION (ARCHITECTURE)
	Removed     []string  `json:"removed,omitempty"` // packages that are in the index no more
	Packages    int       `json:"packages"`          // in the index
	Keys        []string  `json:"keys"`              // fingerprints
	PublicKey   string    `json:"public_key"`        // path of the file
}

var (
	suiteForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`)
	fieldForm = regexp.MustCompile(`^[^"\\@\x00-\x1f]*$`) // what needs no quotes in apt's configuration
)

func (s *Spec) check() error {
	if s.History == 0 {
		s.History = DefaultHistory
	}
	for name, text := range map[string]string{"origin": s.Origin, "label": s.Label, "description": s.Description} {
		if !fieldForm.MatchString(text) {
			return fmt.Errorf("%s %q: no quotes, backslashes, @ or line ends", name, text)
		}
	}
	switch {
	case !suiteForm.MatchString(s.Suite) || !suiteForm.MatchString(s.Codename):
		return fmt.Errorf("suite %q, codename %q: want lower case letters, digits, . + -", s.Suite, s.Codename)
	case !filepath.IsAbs(s.Dir):
		return fmt.Errorf("the repository %q is no absolute path", s.Dir)
	case len(s.Keys) == 0:
		return errors.New("no key to sign the repository with")
	case s.KeepVersions < 0 || s.History < 1:
		return fmt.Errorf("keep %d versions and %d publications: want numbers from 1 on", s.KeepVersions, s.History)
	}
	return nil
}

// Publish adds packages to the repository. On an error, and when it is killed, what was published before stays as it
// was.
func Publish(ctx context.Context, s Spec) (*Result, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	add, err := readDebs(ctx, &s)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, explain(err, s.Dir)
	}
	if s.Dir, err = filepath.EvalSymlinks(s.Dir); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(s.Dir, lockName))
	if ok, err := lock.TryLockContext(ctx, lockPause); err != nil || !ok {
		return nil, explain(fmt.Errorf("lock the repository %s: %w", s.Dir, err), s.Dir)
	}
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	p := &publisher{Spec: &s, root: root, temp: filepath.Join(s.Dir, tempName)}
	res, err := p.publish(ctx, add)
	return res, errors.Join(explain(err, s.Dir), root.Close(), lock.Close())
}

// publisher is one that has the lock.
type publisher struct {
	*Spec
	root *os.Root
	temp string

	old       *publication
	published map[string]entry // what all suites have, by path
	placed    []string         // packages that this run put into the pool
}

func (p *publisher) publish(ctx context.Context, add []entry) (res *Result, err error) {
	if err := p.claim(); err != nil {
		return nil, err
	}
	if p.old, err = read(ctx, p.root, p.Spec); err != nil {
		return nil, err
	}
	if err := p.sweep(); err != nil {
		return nil, err
	}
	added, err := p.compare(add)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = explain(err, p.Dir) // before there is space again
		if err != nil {
			for _, name := range p.placed {
				err = errors.Join(err, os.Remove(filepath.Join(p.Dir, name)))
			}
		}
		err = errors.Join(err, os.RemoveAll(p.temp))
	}()
	all, removed := newestVersions(append(slices.Clone(p.old.entries), added...), p.KeepVersions)
	if err := p.fillPool(ctx, add, all); err != nil {
		return nil, err
	}
	return p.switchTo(ctx, all, added, removed)
}

// claim makes the repository's folders, and refuses those of another program.
func (p *publisher) claim() error {
	for _, name := range []string{"pool", "dists"} {
		_, ours := p.root.Stat("publications")
		if fi, err := p.root.Stat(name); err == nil && fi.IsDir() && ours != nil {
			return fmt.Errorf("%s has a folder %s that forge did not make; publish to a folder of its own", p.Dir, name)
		}
	}
	for _, name := range []string{path.Join("publications", p.Suite), "dists", "pool"} {
		if err := p.root.MkdirAll(name, 0o755); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(p.temp); err != nil { // of one that was killed
		return err
	}
	return os.Mkdir(p.temp, 0o755)
}

// compare returns which packages are new. A package that is there with another content is refused.
func (p *publisher) compare(add []entry) ([]entry, error) {
	p.published = map[string]entry{}
	others, err := p.otherSuites()
	if err != nil {
		return nil, err
	}
	for _, e := range others {
		p.published[e.pool] = e
	}
	ids := map[string]bool{}
	for _, e := range p.old.entries {
		p.published[e.pool], ids[e.id()] = e, true
	}
	var added []entry
	for _, e := range add {
		if have, ok := p.published[e.pool]; ok && have.sha256 != e.sha256 {
			return nil, fmt.Errorf("%s is published already as %s with another content (sha256 %s, now %s): "+
				"one version has one content; raise the revision in the recipe, or publish what was published", e, have.pool, have.sha256, e.sha256)
		}
		if !ids[e.id()] {
			added = append(added, e)
		}
	}
	return added, nil
}

// fillPool puts the packages into the pool that are not there.
func (p *publisher) fillPool(ctx context.Context, add, all []entry) error {
	sources := map[string]entry{}
	for _, e := range add {
		sources[e.pool] = e
	}
	for _, e := range all {
		fi, err := p.root.Lstat(e.pool)
		from, given := sources[e.pool]
		_, published := p.published[e.pool]
		switch {
		case err == nil && published && (!fi.Mode().IsRegular() || fi.Size() != e.size):
			return fmt.Errorf("%s: %w: a file of %d bytes was; take the repository from a copy", filepath.Join(p.Dir, e.pool), ErrTampered, e.size)
		case err == nil && published: // its digest is compared when it is indexed
		case given:
			if err := place(ctx, p.temp, from, filepath.Join(p.Dir, e.pool)); err != nil {
				return fmt.Errorf("%s: %w", e.pool, err)
			}
			p.placed = append(p.placed, e.pool)
		case err != nil:
			return fmt.Errorf("%s: %w: %w; publish that package again, or take the repository from a copy", filepath.Join(p.Dir, e.pool), ErrTampered, err)
		}
	}
	return nil
}

// switchTo makes the publication and has clients see it.
func (p *publisher) switchTo(ctx context.Context, all, added, removed []entry) (*Result, error) {
	x := indexer{spec: p.Spec, temp: p.temp}
	if err := x.prepare(); err != nil {
		return nil, err
	}
	said, err := x.packages(ctx, all)
	if err != nil {
		return nil, err
	}
	if err := p.checkIndexed(all, x); err != nil {
		return nil, fmt.Errorf("%w\napt-ftparchive said: %s", err, cmp.Or(said, "nothing"))
	}
	if said != "" {
		return nil, fmt.Errorf("make the index: apt-ftparchive: %s", said)
	}
	at := p.Date.UTC().Truncate(time.Second)
	if last := p.old.date.Add(time.Second); p.old.number > 0 && at.Before(last) {
		at = last // a client takes none that is older than what it has
	}
	release, err := x.release(ctx, at)
	if err != nil {
		return nil, err
	}
	var public bytes.Buffer
	if err := writePublic(&public, p.Keys); err != nil {
		return nil, err
	}
	res := &Result{Suite: p.Suite, Publication: p.old.number, Date: p.old.date, Packages: len(all), Keys: fingerprints(ring(p.Keys)),
		Added: names(added), Removed: names(removed), PublicKey: filepath.Join(p.Dir, "dists", p.Suite, keyFile)}
	if p.unchanged(release, public.Bytes()) {
		return res, nil
	}
	if err := p.checkDate(at); err != nil {
		return nil, err
	}
	if err := p.finish(ctx, x, release, public.Bytes(), at); err != nil {
		return nil, err
	}
	if err := p.show(x); err != nil {
		return nil, err
	}
	res.Publication, res.Changed, res.Date = p.old.number+1, true, at
	return res, p.prune(res.Publication)
}

// unchanged tells whether the newest publication says the same. One that is valid for a time is made anew as soon as
// there is a later date.
func (p *publisher) unchanged(release, public []byte) bool {
	return p.old.number > 0 && sameBut(release, p.old.release) && bytes.Equal(public, p.old.key) &&
		slices.Equal(p.old.signers, fingerprints(ring(p.Keys))) &&
		(p.ValidFor > 0) == strings.Contains(string(p.old.release), "\nValid-Until:") &&
		(p.ValidFor == 0 || !p.Date.After(p.old.date))
}

func names(all []entry) []string {
	var out []string
	for _, e := range all {
		out = append(out, e.String())
	}
	return out
}
