// Package standin writes archives that stand in for files which can't be had: the same names, and in each
// file no more than a label. The same description gives the same bytes.
//
// It must not know recipes, sources or packages.
package standin

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// Archive says what is in one. Paths are those of the members, clean and relative.
type Archive struct {
	File     string            // its name: the ending says what it is
	Files    []string          // with the label alone
	Programs []string          // shell scripts that print the label and fail
	Texts    map[string]string // with a content of their own
	Links    map[string]string // symbolic links with their targets, in tar archives alone
	Dirs     []string          // empty
}

// date is the time of all members: the first that a zip archive can say.
var date = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// member is one entry: a folder, a link or a file.
type member struct {
	name   string
	mode   int64 // permission bits
	dir    bool
	target string // of a link
	data   []byte
}

// Write writes the archive to w.
func Write(w io.Writer, a Archive) error {
	members, err := a.members()
	if err != nil {
		return fmt.Errorf("stand-in of %s: %w", a.File, err)
	}
	switch path.Ext(a.File) {
	case ".jar", ".zip", ".egg":
		err = writeZip(w, members)
	case ".gz", ".tgz":
		err = writeTar(w, members)
	default:
		err = fmt.Errorf("want a name that ends in .tar.gz, .tgz, .jar, .zip or .egg")
	}
	if err != nil {
		return fmt.Errorf("stand-in of %s: %w", a.File, err)
	}
	return nil
}

// label is what each member says.
func (a Archive) label(name string) string {
	return fmt.Sprintf("Stand-in made by forge: this is not %s of %s, and does nothing.\n", name, a.File)
}

// members are the entries in the order of their names, each folder before what is in it.
func (a Archive) members() ([]member, error) {
	var out []member
	for _, name := range a.Dirs {
		out = append(out, member{name: name, mode: 0o755, dir: true})
	}
	for name, target := range a.Links {
		out = append(out, member{name: name, mode: 0o777, target: target})
	}
	for name, text := range a.Texts {
		out = append(out, member{name: name, mode: 0o644, data: []byte(text)})
	}
	for _, name := range a.Files {
		data := []byte(a.label(name))
		if path.Ext(name) == ".jar" {
			var err error
			if data, err = a.jar(name); err != nil {
				return nil, err
			}
		}
		out = append(out, member{name: name, mode: 0o644, data: data})
	}
	for _, name := range a.Programs {
		script := "#!/bin/sh\necho '" + strings.TrimSpace(strings.ReplaceAll(a.label(name), "'", "")) + "' >&2\nexit 1\n"
		out = append(out, member{name: name, mode: 0o755, data: []byte(script)})
	}
	return withFolders(out), nil
}

// withFolders adds the folders that hold the members, and sorts.
func withFolders(members []member) []member {
	have := map[string]bool{}
	for _, m := range members {
		have[m.name] = true
	}
	for _, m := range members {
		for dir := path.Dir(m.name); dir != "." && !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			members = append(members, member{name: dir, mode: 0o755, dir: true})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return members
}

// jar is a Java archive with nothing but a manifest that holds the label.
func (a Archive) jar(name string) ([]byte, error) {
	var b bytes.Buffer
	manifest := "Manifest-Version: 1.0\r\nForge-Standin: " + path.Base(name) + "\r\n\r\n"
	err := writeZip(&b, []member{{name: "META-INF/MANIFEST.MF", data: []byte(manifest)}, {name: "STANDIN", data: []byte(a.label(name))}})
	return b.Bytes(), err
}

func writeZip(w io.Writer, members []member) error {
	z := zip.NewWriter(w)
	for _, m := range members {
		if m.target != "" {
			return fmt.Errorf("%s: a zip archive holds no links", m.name)
		}
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: date}
		if m.dir {
			h.Name, h.Method = m.name+"/", zip.Store
		}
		f, err := z.CreateHeader(h)
		if err == nil {
			_, err = f.Write(m.data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return z.Close()
}

func writeTar(w io.Writer, members []member) error {
	g := gzip.NewWriter(w)
	t := tar.NewWriter(g)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: m.mode, ModTime: date, Typeflag: tar.TypeReg, Size: int64(len(m.data)), Linkname: m.target}
		switch {
		case m.dir:
			h.Name, h.Typeflag = m.name+"/", tar.TypeDir
		case m.target != "":
			h.Typeflag = tar.TypeSymlink
		}
		err := t.WriteHeader(h)
		if err == nil {
			_, err = t.Write(m.data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return g.Close()
}
