package mavenbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/store"
)

// File is one file of a local repository.
type File struct {
	Path   string       `json:"path"` // below the repository: org/apache/mesos/mesos/0.19.0/mesos-0.19.0.jar
	Size   int64        `json:"size"` // bytes
	Digest store.Digest `json:"digest"`
}

const (
	maxFiles = 20_000
	maxBytes = 8 << 30 // of all files
)

var pathRE = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+~-]*(/[A-Za-z0-9_][A-Za-z0-9._+~-]*)+$`)

// Check tells whether f can be laid out.
func (f File) Check() error {
	if !pathRE.MatchString(f.Path) || strings.Contains(f.Path, "..") || f.Size < 0 {
		return fmt.Errorf("%q is not a file of a Maven repository", f.Path)
	}
	return nil
}

// note tells whether a file of a local repository is one of Maven's notes, which say when it asked and whom, or
// a checksum: no build needs them, and they differ from day to day. So do lists of versions.
func note(name string) bool {
	switch path.Ext(name) {
	case ".lastUpdated", ".sha1", ".sha256", ".sha512", ".md5", ".asc", ".lock", ".part", ".tmp":
		return true
	}
	return name == "_remote.repositories" || name == "resolver-status.properties" || strings.HasPrefix(name, "maven-metadata")
}

// Record runs the build with the network, and puts every file that it took from repositories into blobs.
// The files are sorted by path.
//
// With locked, the files of an earlier record, those that blobs has not got are fetched, and it is an error if
// a repository has other bytes for one of them, or none.
func (b *Builder) Record(ctx context.Context, p Project, locked []File, blobs Blobs) (files []File, err error) {
	if len(locked) > 0 && !slices.ContainsFunc(locked, func(f File) bool { return !blobs.HasBlob(f.Digest) }) {
		return locked, nil
	}
	s, err := b.newSite(ctx, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, f := range locked {
		if !blobs.HasBlob(f.Digest) {
			continue
		}
		if err := s.lay(f, blobs); err != nil {
			return nil, err
		}
	}
	if err := s.run(ctx, true); err != nil {
		return nil, err
	}
	if files, err = s.list(); err != nil {
		return nil, err
	}
	if len(locked) > 0 {
		if err := compare(p.Name, locked, files); err != nil {
			return nil, err
		}
		files = locked
	}
	for _, f := range files {
		if _, err := source.Adopt(source.Artifact{Name: f.Path, Digest: f.Digest, Size: f.Size}, s.path("repository", f.Path), path.Base(f.Path), "local repository", blobs); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// list takes down the files that are in the local repository now.
func (s *site) list() ([]File, error) {
	root, err := os.OpenRoot(s.path("repository"))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var files []File
	var total int64
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || note(e.Name()) {
			return err
		}
		f := File{Path: name}
		if err := f.Check(); err != nil {
			return err
		}
		if strings.Contains(path.Dir(name), "-SNAPSHOT") {
			return fmt.Errorf("project %s depends on %s, a snapshot: its bytes change from day to day; name a released version in the pom", s.project.Name, name)
		}
		if f.Digest, f.Size, err = digest(root, name); err != nil {
			return err
		}
		files, total = append(files, f), total+f.Size
		if len(files) > maxFiles || total > maxBytes {
			return fmt.Errorf("project %s takes more than %d files or %d bytes from repositories", s.project.Name, maxFiles, int64(maxBytes))
		}
		return nil
	})
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, err
}

func digest(root *os.Root, name string) (store.Digest, int64, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return store.DigestReader(f)
}

// compare wants each locked file among those that came.
func compare(project string, locked, came []File) error {
	have := map[string]File{}
	for _, f := range came {
		have[f.Path] = f
	}
	for _, f := range locked {
		switch got, ok := have[f.Path]; {
		case !ok:
			return fmt.Errorf("project %s: %s of the lock did not come from any repository: the project, Maven or the JDK is another one than when the lock was made; make it anew with forge lock", project, f.Path)
		case got.Digest != f.Digest:
			return &store.DigestError{Name: f.Path, Want: f.Digest, Got: got.Digest, From: "a Maven repository, for the build of " + project}
		}
	}
	return nil
}

// lay puts a file into the local repository.
func (s *site) lay(f File, blobs Blobs) error {
	if err := f.Check(); err != nil {
		return err
	}
	blob, err := blobs.BlobPath(f.Digest)
	if err != nil {
		return fmt.Errorf("project %s: %s: %w", s.project.Name, f.Path, err)
	}
	to := s.path("repository", f.Path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(blob)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
