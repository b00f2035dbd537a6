package deb

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Build writes the package to w. epoch (seconds count) is the time of everything in it. The
// compressed data goes through a file in s.TempDir, because its sums come before it in a deb.
func Build(ctx context.Context, s Spec, epoch time.Time, w io.Writer) (Result, error) {
	epoch = epoch.UTC().Truncate(time.Second)
	if err := s.check(); err != nil {
		return Result{}, err
	}
	if s.Info.Section == "" {
		s.Info.Section = "misc"
	}
	docs, err := s.docs(epoch)
	if err != nil {
		return Result{}, err
	}
	p, err := s.newPlan(docs)
	if err != nil {
		return Result{}, fmt.Errorf("package %s: %w", s.Info.Name, err)
	}
	scripts, err := s.scripts(p)
	if err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp(s.TempDir, "deb-")
	if err != nil {
		return Result{}, fmt.Errorf("package %s: %w", s.Info.Name, err)
	}
	defer os.RemoveAll(dir)
	return s.write(ctx, w, dir, p, scripts, epoch)
}

func (s *Spec) write(ctx context.Context, w io.Writer, dir string, p *plan, scripts map[string]string, epoch time.Time) (Result, error) {
	file, err := os.CreateTemp(dir, "data-")
	if err != nil {
		return Result{}, fmt.Errorf("package %s: %w", s.Info.Name, err)
	}
	defer file.Close()
	sums, suffix, err := s.compressData(ctx, file, p, epoch)
	if err != nil {
		return Result{}, fmt.Errorf("package %s: %w", s.Info.Name, err)
	}
	control, err := s.controlArchive(dir, p, sums, scripts, epoch)
	if err != nil {
		return Result{}, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return Result{}, fmt.Errorf("package %s: %w", s.Info.Name, err)
	}
	a, err := newAr(w, epoch)
	if err == nil {
		err = a.member("debian-binary", 4, strings.NewReader("2.0\n"))
	}
	if err == nil {
		err = a.member("control.tar.gz", int64(len(control)), bytes.NewReader(control))
	}
	if err == nil {
		err = a.member("data.tar"+suffix, size, file)
	}
	if err != nil {
		return Result{}, fmt.Errorf("package %s: %w", s.Info.Name, err)
	}
	_, version, hasEpoch := strings.Cut(s.Info.Version, ":")
	if !hasEpoch {
		version = s.Info.Version
	}
	return Result{Name: s.Info.Name, Version: s.Info.Version, Arch: s.Info.Arch, InstalledSize: sums.kib,
		Filename: fmt.Sprintf("%s_%s_%s.deb", s.Info.Name, version, s.Info.Arch)}, nil
}

func (s *Spec) compressData(ctx context.Context, w io.Writer, p *plan, epoch time.Time) (*written, string, error) {
	buffered := bufio.NewWriterSize(w, 1<<20)
	z, suffix, err := compressor(s.Info.Deb.Compression, buffered)
	if err != nil {
		return nil, "", err
	}
	sums, err := p.writeData(ctx, z, epoch)
	if closeErr := z.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = buffered.Flush()
	}
	return sums, suffix, err
}
