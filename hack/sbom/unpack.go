package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/archive"
)

// maxProgram bounds one program of a release, in bytes.
const maxProgram = 512 << 20

// program is one of the programs in an archive or package.
type program struct {
	path   string // without a leading "./"
	sha256 string
	info   *buildinfo.BuildInfo
}

// unpack finds the programs, using the folder temp, and the time of the newest file.
func unpack(ctx context.Context, file, temp string) ([]program, time.Time, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	content, err := open(ctx, f)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer content.Close()
	var programs []program
	var newest time.Time
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			slices.SortFunc(programs, func(a, b program) int { return strings.Compare(a.path, b.path) })
			return programs, newest, nil
		}
		if err != nil {
			return nil, newest, err
		}
		if h.ModTime.After(newest) {
			newest = h.ModTime
		}
		if h.Typeflag != tar.TypeReg || h.Mode&0o111 == 0 {
			continue
		}
		p, err := readProgram(r, h, temp)
		if err != nil {
			return nil, newest, fmt.Errorf("%s: %w", h.Name, err)
		}
		if p != nil {
			programs = append(programs, *p)
		}
	}
}

// open starts to read the tar of an archive, or that of a package's files.
func open(ctx context.Context, f *os.File) (io.ReadCloser, error) {
	if path.Ext(f.Name()) != ".deb" {
		return gzip.NewReader(f)
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	deb, err := archive.OpenDeb(ctx, f, fi.Size(), archive.DebOptions{Name: fi.Name()})
	if err != nil {
		return nil, err
	}
	return deb.Data(ctx)
}

// readProgram returns nil for a file that is no ELF program, such as a script.
func readProgram(r io.Reader, h *tar.Header, temp string) (*program, error) {
	if h.Size > maxProgram {
		return nil, fmt.Errorf("has %d bytes, more than a program of a release may have (%d)", h.Size, maxProgram)
	}
	f, err := os.CreateTemp(temp, "program")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return nil, err
	}
	magic := make([]byte, 4)
	if n, _ := f.ReadAt(magic, 0); !bytes.Equal(magic[:n], []byte("\x7fELF")) {
		return nil, nil
	}
	info, err := buildinfo.Read(f)
	if err != nil {
		return nil, err
	}
	digest, err := sha256Of(f.Name())
	if err != nil {
		return nil, err
	}
	return &program{path: strings.TrimPrefix(h.Name, "./"), sha256: digest, info: info}, nil
}
