package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/store"
)

const (
	maxFiles = 100_000 // in a folder
	maxDepth = 16      // of folders in it
)

// Folder is a Source: a folder with files, in any subfolders. It is read once, at the first
// Fetch. A folder that is not there has nothing. It is safe for use by several goroutines.
type Folder struct {
	dir string

	once    sync.Once
	scanErr error
	root    *os.Root
	byName  map[string][]string // base name to paths in the folder, sorted
	paths   []string            // sorted
	sizes   map[string]int64    // bytes, of the paths that are no links

	mu      sync.Mutex
	digests map[string]store.Digest // by path, of files that were hashed
}

var _ source.Source = (*Folder)(nil)

// Open returns the source for a folder. Nothing is read yet.
func Open(dir string) *Folder {
	return &Folder{dir: dir, byName: map[string][]string{}, sizes: map[string]int64{}, digests: map[string]store.Digest{}}
}

// Close gives up what the folder holds open.
func (f *Folder) Close() error {
	f.once.Do(func() {})
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// String names the folder.
func (f *Folder) String() string { return "folder " + f.dir }

// Match returns the paths in the folder of all files whose names match a glob (path.Match), sorted.
func (f *Folder) Match(glob string) ([]string, error) {
	f.once.Do(f.scan)
	if f.scanErr != nil {
		return nil, f.scanErr
	}
	return f.match(glob)
}

func (f *Folder) match(glob string) ([]string, error) {
	var found []string
	for _, p := range f.paths {
		ok, err := path.Match(glob, path.Base(p))
		if err != nil {
			return nil, fmt.Errorf("glob %q: %w", glob, err)
		}
		if ok {
			found = append(found, p)
		}
	}
	return found, nil
}

// Open opens the regular file at a path that Match returned.
func (f *Folder) Open(p string) (*os.File, error) {
	file, err := f.root.Open(p)
	if err != nil {
		return nil, f.explain(p, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		file.Close()
		return nil, f.explain(p, err)
	}
	return file, nil
}

// Fetch looks for a's exact name, then for its glob, then, where the digest is known, for a file
// of any name that has it. A file that has the name but not the digest is an error, as are
// several files for a glob.
func (f *Folder) Fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	f.once.Do(f.scan)
	if f.scanErr != nil {
		return source.Result{}, f.scanErr
	}
	name, err := f.find(ctx, a)
	if err != nil {
		return source.Result{}, err
	}
	return f.put(ctx, name, a, blobs)
}

// find returns the path of the file to take.
func (f *Folder) find(ctx context.Context, a source.Artifact) (string, error) {
	found := f.byName[a.File]
	if len(found) == 0 && a.Pattern != "" {
		var err error
		if found, err = f.match(a.Pattern); err != nil {
			return "", fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return f.withDigest(ctx, f.paths, a)
	}
	if a.Digest != "" {
		if p, err := f.withDigest(ctx, found, a); !errors.Is(err, source.ErrNotFound) {
			return p, err
		}
		return found[0], nil // to be refused, with both digests
	}
	return "", fmt.Errorf("%s: %s has several files for it: %s; leave one there", a.Name, f, strings.Join(found, ", "))
}

// withDigest returns the first of paths that has a's digest.
func (f *Folder) withDigest(ctx context.Context, paths []string, a source.Artifact) (string, error) {
	if a.Digest == "" {
		return "", fmt.Errorf("%s: %w", f, source.ErrNotFound)
	}
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if size, ok := f.sizes[p]; !ok || a.Size > 0 && size != a.Size {
			continue
		}
		d, err := f.digest(p)
		if err != nil {
			return "", err
		}
		if d == a.Digest {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: %w", f, source.ErrNotFound)
}

func (f *Folder) digest(p string) (store.Digest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d, ok := f.digests[p]; ok {
		return d, nil
	}
	file, err := f.root.Open(p)
	if err != nil {
		return "", f.explain(p, err)
	}
	defer file.Close()
	d, _, err := store.DigestReader(file)
	if err != nil {
		return "", f.explain(p, err)
	}
	f.digests[p] = d
	return d, nil
}

func (f *Folder) put(ctx context.Context, p string, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	file, err := f.Open(p)
	if err != nil {
		return source.Result{}, err
	}
	defer file.Close()
	if a.File == "" {
		a.File = path.Base(p)
	}
	return source.Put(ctx, a, path.Base(p), file, f.dir+"/"+p, blobs)
}

// scan lists the files of the folder. Links are listed too: opening them shows where they lead.
func (f *Folder) scan() {
	f.root, f.scanErr = os.OpenRoot(f.dir)
	if errors.Is(f.scanErr, fs.ErrNotExist) {
		f.scanErr = nil
		return
	}
	if f.scanErr != nil {
		f.scanErr = fmt.Errorf("%s: %w", f, f.scanErr)
		return
	}
	f.scanErr = fs.WalkDir(f.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return f.explain(p, err)
		case d.IsDir():
			if p != "." && strings.Count(p, "/") >= maxDepth {
				return fs.SkipDir
			}
			return nil
		case len(f.paths) == maxFiles:
			return fmt.Errorf("%s: more than %d files", f, maxFiles)
		}
		if d.Type()&fs.ModeSymlink == 0 {
			info, err := d.Info()
			if err != nil {
				return f.explain(p, err)
			}
			if !info.Mode().IsRegular() {
				return nil // a socket, a device: nobody means it
			}
			f.sizes[p] = info.Size()
		}
		f.paths = append(f.paths, p)
		f.byName[d.Name()] = append(f.byName[d.Name()], p)
		return nil
	})
}

// explain completes an error about a file in the folder.
func (f *Folder) explain(p string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %s: %w", f, p, err)
}
