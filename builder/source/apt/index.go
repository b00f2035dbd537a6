package apt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mesos-forge/forge/builder/store"
)

// indexes calls f with each index of the snapshot and the archive that it is of.
func (s *Snapshot) indexes(f func(a Archive, path string) error) error {
	for _, a := range s.Archives {
		for _, suite := range a.Suites {
			for _, comp := range a.Components {
				path := s.listFile(a, suite, strings.ReplaceAll(comp, "/", "_")+"_binary-"+s.Arch+"_Packages")
				if err := f(a, path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// scan calls f with each paragraph of each index.
func (s *Snapshot) scan(f func(a Archive, paragraph []byte) error) error {
	return s.indexes(func(a Archive, path string) error {
		file, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("index of %s is gone: fetch the indexes again with --refresh: %w", a.Name, err)
		}
		if err != nil {
			return err
		}
		defer file.Close()
		return eachParagraph(file, func(b []byte) error { return f(a, b) })
	})
}

// field returns the value of a one-line field of a paragraph without parsing the rest of it.
func field(b []byte, name string) []byte {
	key := append([]byte(name), ':', ' ')
	if !bytes.HasPrefix(b, key) {
		i := bytes.Index(b, append([]byte{'\n'}, key...))
		if i < 0 {
			return nil
		}
		b = b[i+1:]
	}
	b = b[len(key):]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	return bytes.TrimSpace(b)
}

// find looks files up in the indexes. A file that is listed twice with two digests is an error:
// one of them would not be what apt means.
func (s *Snapshot) find(want map[poolFile]bool) (map[poolFile]Package, error) {
	byName := map[[2]string]poolFile{}
	for f := range want {
		byName[[2]string{f.archive, f.name}] = f
	}
	out := map[poolFile]Package{}
	err := s.scan(func(a Archive, b []byte) error {
		f, ok := byName[[2]string{a.Name, string(field(b, "Filename"))}]
		if !ok {
			return nil
		}
		p, err := parseParagraph(b)
		if err != nil {
			return fmt.Errorf("index of %s: %s: %w", a.Name, f.name, err)
		}
		pkg, err := indexed(p)
		if err != nil {
			return fmt.Errorf("index of %s: %w", a.Name, err)
		}
		pkg.Archive = a.Name
		if other, twice := out[f]; twice && other.Digest != pkg.Digest {
			return fmt.Errorf("index of %s: %s is listed with two digests, %s and %s", a.Name, f.name, other.Digest, pkg.Digest)
		}
		out[f] = pkg
		return nil
	})
	if err != nil {
		return nil, err
	}
	for f := range want {
		if _, ok := out[f]; !ok {
			return nil, fmt.Errorf("%s is in no index of %s", f.name, f.archive)
		}
	}
	return out, nil
}

func digestOf(path string) (store.Digest, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return store.DigestReader(f)
}
