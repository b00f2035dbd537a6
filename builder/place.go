package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/store"
)

// placedName is the file of the output folder that says what forge put there. With it a build
// that has nothing to do reads no result to know its digest, and one that somebody changed is
// noticed and put back.
const placedName = ".forge/placed.json"

// placed is one result in the output folder: a file, or a folder that appears as a whole.
type placed struct {
	From     store.Digest          `json:"from"`           // what it was made of
	Note     string                `json:"note,omitempty"` // what its maker wants to know without making it again
	Roles    []string              `json:"roles"`          // whose result it is
	Unlisted bool                  `json:"unlisted,omitempty"`
	Files    map[string]placedFile `json:"files"` // by path below the output folder
}

type placedFile struct {
	Digest    store.Digest `json:"digest"`
	Size      int64        `json:"size"`
	Signature string       `json:"signature"`
}

// placer puts results into an output folder, each by one rename, and leaves those alone that are
// there already. One placer at a time has the folder.
type placer struct {
	out     string
	store   *store.Store
	lock    *flock.Flock
	results map[string]placed // by path below out
	before  map[string]placed // what they were when the folder was opened
	claimed map[string]bool   // results of this build
	written int
}

// openPlacer waits until no other forge places results in the folder out, which it makes.
func openPlacer(ctx context.Context, out string, st *store.Store) (*placer, error) {
	p := &placer{out: out, store: st, results: map[string]placed{}, claimed: map[string]bool{}}
	if err := os.MkdirAll(filepath.Join(out, ".forge"), 0o755); err != nil {
		return nil, err
	}
	p.lock = flock.New(filepath.Join(out, ".forge", "lock"))
	if ok, err := p.lock.TryLockContext(ctx, lockPause); err != nil || !ok {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := errors.Join(os.RemoveAll(p.temp()), os.RemoveAll(p.former())); err != nil { // of a forge that was killed
		return nil, errors.Join(err, p.lock.Close())
	}
	b, err := os.ReadFile(filepath.Join(out, placedName))
	if err == nil {
		err = json.Unmarshal(b, &p.results)
	}
	if err != nil || p.results == nil { // absent or not readable: everything is placed anew
		p.results = map[string]placed{}
	}
	p.before = maps.Clone(p.results)
	return p, nil
}

func (p *placer) close() error { return errors.Join(os.RemoveAll(p.former()), p.lock.Close()) }

func (p *placer) temp() string { return filepath.Join(p.out, ".forge", "tmp") }

// result is something to place.
type result struct {
	role, path string       // path below out
	from       store.Digest // what it is made of: another one makes it another result
	digest     store.Digest // of a file, where that is known; "" has it read
	unlisted   bool         // has no line in SHA256SUMS
	make       func(tmp string) (note string, err error)
}

// file places the blob d at path.
func (p *placer) file(ctx context.Context, role, path string, d store.Digest) error {
	_, err := p.place(result{role: role, path: path, from: d, digest: d, make: func(tmp string) (string, error) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		blob, err := p.store.BlobPath(d)
		if err != nil {
			return "", err
		}
		return "", copyFile(blob, tmp, 0o644)
	}})
	return err
}

// text places what write writes at path; from is the digest of what that depends on.
func (p *placer) text(path string, from store.Digest, write func(io.Writer) error) error {
	_, err := p.place(result{path: path, from: from, unlisted: true, make: func(tmp string) (string, error) {
		f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return "", err
		}
		return "", errors.Join(write(f), f.Chmod(0o644), f.Close())
	}})
	return err
}

// place makes a result, unless it is there and untouched. It returns the note of make, from this
// run or the one that made it.
func (p *placer) place(r result) (string, error) {
	p.claimed[r.path] = true
	have, ok := p.results[r.path]
	if ok && have.From == r.from && p.untouched(r.path, have) {
		if !slices.Contains(have.Roles, r.role) {
			have.Roles = append(have.Roles, r.role)
			p.results[r.path] = have
		}
		return have.Note, nil
	}
	tmp, path := filepath.Join(p.temp(), "result"), filepath.Join(p.out, r.path)
	if err := errors.Join(os.MkdirAll(p.temp(), 0o755), os.MkdirAll(filepath.Dir(path), 0o755)); err != nil {
		return "", err
	}
	note, err := r.make(tmp)
	if err == nil {
		err = syncAll(tmp)
	}
	if err == nil && !r.unlisted {
		err = p.dropSums()
	}
	if err == nil {
		p.keepFormer(r.path)
		err = exchange(tmp, path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", r.path, err), os.RemoveAll(p.temp()))
	}
	now := placed{From: r.from, Note: note, Unlisted: r.unlisted, Roles: append(have.Roles, r.role)}
	slices.Sort(now.Roles)
	now.Roles = slices.Compact(now.Roles)
	if now.Files, err = p.scan(r); err != nil {
		return "", err
	}
	p.results[r.path] = now
	p.written++
	return note, p.save() // now: a run that ends here must not place it again
}

// dropSums takes the sums away before a result changes: better none than wrong ones, should the build end
// before it writes the new ones.
func (p *placer) dropSums() error {
	err := os.Remove(filepath.Join(p.out, SumsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// exchange gives the file or folder at tmp the name path in one step, whatever has it now.
func exchange(tmp, path string) error {
	err := os.Rename(tmp, path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, syncFile(filepath.Dir(path)))
	}
	// A folder can't be renamed over one that is not empty, but the two can change places.
	err = unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // not on this file system
		err = errors.Join(os.RemoveAll(path), os.Rename(tmp, path))
	}
	return errors.Join(err, os.RemoveAll(tmp), syncFile(filepath.Dir(path)))
}

var errTouched = errors.New("not as forge left it")

// untouched tells whether exactly the files of a result are there, as they were left.
func (p *placer) untouched(rel string, r placed) bool {
	n := 0
	err := p.walk(rel, func(name string, fi fs.FileInfo) error {
		if f, ok := r.Files[name]; !ok || f.Signature != store.Signature(fi) {
			return errTouched
		}
		n++
		return nil
	})
	return err == nil && n == len(r.Files)
}

// scan takes down the files of a result that was placed a moment ago. The name of a blob in an OCI
// layout is its digest, and the store has checked the large ones.
func (p *placer) scan(r result) (map[string]placedFile, error) {
	files := map[string]placedFile{}
	err := p.walk(r.path, func(name string, fi fs.FileInfo) error {
		d, err := r.digest, error(nil)
		if strings.HasSuffix(filepath.Dir(name), "/blobs/sha256") {
			d, err = store.ParseDigest(filepath.Base(name))
		} else if d == "" {
			d, err = fileDigest(filepath.Join(p.out, name))
		}
		files[name] = placedFile{Digest: d, Size: fi.Size(), Signature: store.Signature(fi)}
		return err
	})
	return files, err
}

// walk calls visit for each file of a result, with its path below out.
func (p *placer) walk(rel string, visit func(name string, fi fs.FileInfo) error) error {
	return filepath.WalkDir(filepath.Join(p.out, rel), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(p.out, path)
		if err != nil {
			return err
		}
		return visit(name, fi)
	})
}

// retire forgets the results of roles that this build did not make again. Packages go: an old one
// beside a new one, a stand-in beside the real package, would be installed by mistake.
func (p *placer) retire(roles []string) error {
	changed := false
	for rel, r := range p.results {
		if p.claimed[rel] {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(r.Roles), func(role string) bool { return slices.Contains(roles, role) })
		if len(left) == len(r.Roles) {
			continue
		}
		changed = true
		if r.Roles = left; len(left) > 0 {
			p.results[rel] = r
			continue
		}
		stale := strings.HasPrefix(rel, "debs/") || filepath.Base(rel) == BundleName // a signature of what was there
		if stale && p.untouched(rel, r) {
			if err := errors.Join(p.dropSums(), os.Remove(filepath.Join(p.out, rel))); err != nil {
				return err
			}
		}
		delete(p.results, rel)
	}
	if changed {
		return p.save()
	}
	return nil
}

// sums returns the digests of all results that are in the folder, untouched, by path.
func (p *placer) sums() map[string]store.Digest {
	out := map[string]store.Digest{}
	for rel, r := range p.results {
		if r.Unlisted || !p.claimed[rel] && !p.untouched(rel, r) {
			continue
		}
		for name, f := range r.Files {
			out[name] = f.Digest
		}
	}
	return out
}

func (p *placer) save() error {
	b, err := json.MarshalIndent(p.results, "", " ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(p.temp(), "placed.json")
	if err := os.MkdirAll(p.temp(), 0o755); err != nil {
		return err
	}
	err = os.WriteFile(tmp, b, 0o644)
	if err == nil {
		err = syncFile(tmp)
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(p.out, placedName))
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(p.temp()))
	}
	return err
}
