package evidence

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/store"
)

// maxSums is the most that is read of a file of sums, in bytes.
const maxSums = 16 << 20

// folder is an output folder.
type folder struct {
	root *os.Root
	dir  string
	sums map[string]string // sha256, hexadecimal, by path with slashes
}

// openFolder finds the output folder that holds path, and the path below it.
func openFolder(path string) (*folder, string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Lstat(path); err != nil {
		return nil, "", err
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, builder.SumsName)); err == nil && dir != path {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return nil, "", err
			}
			f := &folder{dir: dir}
			if f.root, err = os.OpenRoot(dir); err != nil {
				return nil, "", err
			}
			if err := f.readSums(); err != nil {
				return nil, "", errors.Join(err, f.close())
			}
			return f, filepath.ToSlash(rel), nil
		}
		if dir == filepath.Dir(dir) {
			return nil, "", fmt.Errorf("%s lies in no output folder of forge: no %s is beside it or above", path, builder.SumsName)
		}
	}
}

func (f *folder) close() error { return f.root.Close() }

// readSums reads SHA256SUMS.
func (f *folder) readSums() error {
	in, err := f.root.Open(builder.SumsName)
	if err != nil {
		return err
	}
	defer in.Close()
	f.sums = map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(in, maxSums))
	for n := 1; lines.Scan(); n++ {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if _, err := store.ParseDigest("sha256:" + sum); err != nil || !ok || !filepath.IsLocal(name) {
			return fmt.Errorf("%s, line %d: %q is no checksum and name", filepath.Join(f.dir, builder.SumsName), n, lines.Text())
		}
		f.sums[name] = sum
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(f.dir, builder.SumsName), err)
	}
	return nil
}

// digest reads a file and returns its sha256, in hexadecimal digits.
func (f *folder) digest(name string) (string, error) {
	in, err := f.root.Open(filepath.FromSlash(name))
	if err != nil {
		return "", err
	}
	defer in.Close()
	d, _, err := store.DigestReader(in)
	return d.Hex(), err
}

// read returns a file of at most max bytes.
func (f *folder) read(name string, max int64) ([]byte, error) {
	in, err := f.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return readAll(in, filepath.Join(f.dir, name), max)
}

// compare holds a file to a digest; by says whose it is.
func (f *folder) compare(name, want, by string) error {
	got, err := f.digest(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s names %s, which is not there: %w", by, filepath.Join(f.dir, name), err)
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%w: %s has sha256 %s, %s says %s", ErrTampered, filepath.Join(f.dir, name), got, by, want)
	}
	return nil
}

// roles are those with a signed provenance, or with any where signed is false.
func (f *folder) roles(signed bool) ([]string, error) {
	name := builder.ProvenanceName
	if signed {
		name = builder.BundleName
	}
	found, err := fs.Glob(f.root.FS(), "*/"+name)
	for i := range found {
		found[i] = strings.TrimSuffix(found[i], "/"+name)
	}
	return found, err
}

// lockName is where the lock of a provenance's role lies.
func lockName(p *provenance.Provenance) string { return p.Parameters.Role + "/" + provenance.LockName }
