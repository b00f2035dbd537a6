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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/mesos-forge/forge/builder/archive"
)

// ErrTampered says that a file of a repository is not what was published.
var ErrTampered = errors.New("it is not what was published")

const (
	maxRelease = 1 << 20   // bytes
	maxIndex   = 256 << 20 // bytes
	// keyFile is the public key, beside the release file that it fits.
	keyFile   = "archive-key.asc"
	component = "main"
)

// publication is what a repository's suite is now.
type publication struct {
	number  int // 0: there is none
	dir     string
	release []byte
	key     []byte // archive-key.asc
	date    time.Time
	signers []string
	entries []entry
	files   int // that the release file names
}

// linkTarget is where the link of a suite leads.
func linkTarget(suite string, number int) string {
	return path.Join("..", "publications", suite, strconv.Itoa(number))
}

// current returns the number of the suite's publication, and its folder below the repository.
func current(root *os.Root, suite string) (int, string, error) {
	link := path.Join("dists", suite)
	target, err := root.Readlink(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, "", nil
	case err != nil:
		return 0, "", fmt.Errorf("%s: forge did not make this repository; publish to a folder of its own: %w", link, err)
	}
	n, err := strconv.Atoi(path.Base(target))
	if err != nil || n < 1 || target != linkTarget(suite, n) {
		return 0, "", fmt.Errorf("%s leads to %q: forge did not make this repository; publish to a folder of its own", link, target)
	}
	return n, path.Join("publications", suite, strconv.Itoa(n)), nil
}

// read checks the suite's publication against its signature, which must be of one of the keys, or with renew of the
// key that lies beside it. Packages are not read.
func read(ctx context.Context, root *os.Root, s *Spec) (*publication, error) {
	n, dir, err := current(root, s.Suite)
	if err != nil || n == 0 {
		return &publication{}, err
	}
	p := &publication{number: n, dir: dir}
	if p.key, err = readBounded(root, path.Join(dir, keyFile), MaxKey); err != nil {
		return nil, p.tampered(s, keyFile, err)
	}
	keys := ring(s.Keys)
	if s.NewKey {
		if keys, err = readKeys(p.key); err != nil {
			return nil, p.tampered(s, keyFile, err)
		}
	}
	if err := p.readRelease(root, s, keys); err != nil {
		return nil, err
	}
	return p, p.readIndexes(ctx, root, s)
}

// tampered names a file as clients know it.
func (p *publication) tampered(s *Spec, name string, why error) error {
	return fmt.Errorf("%s: %w: %w; take the repository from a copy, or publish to an empty folder",
		filepath.Join(s.Dir, "dists", s.Suite, name), ErrTampered, why)
}

func (p *publication) readRelease(root *os.Root, s *Spec, keys openpgp.EntityList) error {
	text, err := readBounded(root, path.Join(p.dir, "InRelease"), maxRelease)
	if err != nil {
		return p.tampered(s, "InRelease", err)
	}
	p.release, p.signers, err = openInRelease(text, keys)
	if errors.Is(err, errNotSigned) {
		return fmt.Errorf("%s: %w: %w (%s); clients that trust the other key would refuse what this one signs: "+
			"sign with both for a while (--key twice), or with this one alone (--new-key) and have every client take the new key",
			filepath.Join(s.Dir, "dists", s.Suite, "InRelease"), ErrKeyForeign, err, strings.Join(fingerprints(keys), ", "))
	}
	if err != nil {
		return p.tampered(s, "InRelease", err)
	}
	release, err := readBounded(root, path.Join(p.dir, "Release"), maxRelease)
	if err == nil && !bytes.Equal(release, p.release) {
		err = errors.New("it says something else than InRelease")
	}
	if err != nil {
		return p.tampered(s, "Release", err)
	}
	detached, err := readBounded(root, path.Join(p.dir, "Release.gpg"), maxRelease)
	if err == nil {
		err = openRelease(release, detached, keys)
	}
	if err != nil {
		return p.tampered(s, "Release.gpg", err)
	}
	return nil
}

// readIndexes checks the files that the release file names, and reads which packages there are.
func (p *publication) readIndexes(ctx context.Context, root *os.Root, s *Spec) error {
	paragraphs, err := archive.ParseParagraphs(p.release)
	if err == nil && len(paragraphs) != 1 {
		err = fmt.Errorf("it has %d paragraphs", len(paragraphs))
	}
	if err != nil {
		return p.tampered(s, "Release", err)
	}
	if p.date, err = time.Parse(dateForm, paragraphs[0].Get("Date")); err != nil {
		return p.tampered(s, "Release", err)
	}
	for line := range strings.Lines(paragraphs[0].Get("SHA256")) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || !filepath.IsLocal(f[2]) {
			return p.tampered(s, "Release", fmt.Errorf("line %q", line))
		}
		if err := p.readIndex(ctx, root, s, f[0], f[2]); err != nil {
			return err
		}
		p.files++
	}
	sortEntries(p.entries)
	p.entries = slices.CompactFunc(p.entries, func(a, b entry) bool { return a.pool == b.pool })
	return nil
}

func (p *publication) readIndex(ctx context.Context, root *os.Root, s *Spec, want, name string) error {
	for _, file := range []string{name, path.Join(path.Dir(name), byHash, want)} {
		got, _, err := fileDigest(ctx, root, path.Join(p.dir, file))
		if err == nil && got != want {
			err = fmt.Errorf("sha256 %s, the release file says %s", got, want)
		}
		if err != nil {
			return p.tampered(s, file, err)
		}
	}
	if path.Base(name) != "Packages" {
		return nil
	}
	entries, err := readPackages(root, path.Join(p.dir, name))
	if err != nil {
		return p.tampered(s, name, err)
	}
	p.entries = append(p.entries, entries...)
	return nil
}

// readPackages reads an index of packages.
func readPackages(root *os.Root, name string) ([]entry, error) {
	text, err := readBounded(root, name, maxIndex)
	if err != nil {
		return nil, err
	}
	paragraphs, err := archive.ParseParagraphs(text)
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, p := range paragraphs {
		e := entry{name: p.Get("Package"), version: p.Get("Version"), arch: p.Get("Architecture"), pool: p.Get("Filename"), sha256: p.Get("SHA256")}
		if e.size, err = strconv.ParseInt(p.Get("Size"), 10, 64); err != nil || e.sha256 == "" {
			return nil, fmt.Errorf("package %s: size %q, sha256 %q", e, p.Get("Size"), e.sha256)
		}
		if !nameForm.MatchString(e.name) || !versionForm.MatchString(e.version) || e.pool != poolPath(e.name, e.version, e.arch) || !filepath.IsLocal(e.pool) {
			return nil, fmt.Errorf("package %s lies in %q, which is not its place", e, e.pool)
		}
		all = append(all, e)
	}
	return all, nil
}
