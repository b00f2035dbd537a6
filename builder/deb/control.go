package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	nfpmdeb "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

// controlArchive returns control.tar.gz. nfpm writes it for a package that has the conffiles and
// nothing else; md5sums and Installed-Size, which come from the streamed data, are put in here.
func (s *Spec) controlArchive(dir string, p *plan, data *written, scripts map[string]string, epoch time.Time) ([]byte, error) {
	info := s.controlInfo(p, epoch)
	for name, field := range map[string]*string{"preinst": &info.Scripts.PreInstall, "postinst": &info.Scripts.PostInstall,
		"prerm": &info.Scripts.PreRemove, "postrm": &info.Scripts.PostRemove} {
		*field = ""
		if scripts[name] == "" {
			continue
		}
		*field = filepath.Join(dir, name)
		if err := os.WriteFile(*field, []byte(scripts[name]), 0o600); err != nil {
			return nil, fmt.Errorf("package %s: write %s: %w", s.Info.Name, name, err)
		}
	}
	if info.Arch == "" {
		info.Arch = "all"
		if data.elf {
			info.Arch = "amd64"
		}
	}
	var whole bytes.Buffer
	if err := nfpmdeb.Default.Package(info, &whole); err != nil {
		return nil, fmt.Errorf("package %s: nfpm: %w", s.Info.Name, err)
	}
	s.Info.Arch = info.Arch
	members, err := controlMembers(&whole)
	if err != nil {
		return nil, fmt.Errorf("package %s: nfpm's control archive: %w", s.Info.Name, err)
	}
	return rewriteControl(members, data, epoch)
}

// controlInfo is the nfpm.Info of the package without its data.
func (s *Spec) controlInfo(p *plan, epoch time.Time) *nfpm.Info {
	info := s.Info
	info.VersionSchema, info.Platform, info.MTime = "none", "linux", epoch
	info.Changelog, info.DisableGlobbing, info.Umask = "", true, 0o22
	info.Deb.Compression, info.Deb.Signature = "none", nfpm.DebSignature{}
	info.Contents = nil
	for _, script := range []*string{&info.Deb.Scripts.Config, &info.Deb.Scripts.Templates, &info.Deb.Scripts.Rules} {
		if *script != "" && !filepath.IsAbs(*script) {
			*script = filepath.Join(s.Dir, *script)
		}
	}
	for _, e := range p.entries {
		if e.Conffile {
			info.Contents = append(info.Contents, &files.Content{Source: os.DevNull, Destination: e.Path,
				Type: files.TypeConfigNoReplace, FileInfo: &files.ContentFileInfo{Mode: 0o644, MTime: epoch}})
		}
	}
	return &info
}

type controlFile struct {
	name    string
	mode    int64
	content []byte
}

// controlMembers reads the second member of a small deb made by nfpm.
func controlMembers(deb *bytes.Buffer) ([]controlFile, error) {
	const header, magic = 60, 8
	b := deb.Bytes()
	at := magic + header + 4 // debian-binary: "2.0\n"
	if len(b) < at+header || !strings.HasPrefix(string(b[at:]), "control.tar.gz") {
		return nil, errors.New("control.tar.gz is not the second member")
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(b[at+48 : at+58])))
	if err != nil || at+header+size > len(b) {
		return nil, errors.New("bad size in its header")
	}
	z, err := gzip.NewReader(bytes.NewReader(b[at+header : at+header+size]))
	if err != nil {
		return nil, err
	}
	var out []controlFile
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			return nil, err
		}
		out = append(out, controlFile{strings.TrimPrefix(h.Name, "./"), h.Mode, content})
	}
}

var installedSize = regexp.MustCompile(`(?m)^Installed-Size: .*$`)

func rewriteControl(members []controlFile, data *written, epoch time.Time) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	tw := tar.NewWriter(z)
	if err := writeHeader(tw, &tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755}, epoch); err != nil {
		return nil, err
	}
	for _, m := range members {
		switch m.name {
		case "control":
			m.content = installedSize.ReplaceAll(m.content, fmt.Appendf(nil, "Installed-Size: %d", data.kib))
		case "md5sums":
			m.content = data.md5sums.Bytes()
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: "./" + m.name, Mode: m.mode, Size: int64(len(m.content))}
		if err := writeHeader(tw, h, epoch); err != nil {
			return nil, err
		}
		if _, err := tw.Write(m.content); err != nil {
			return nil, fmt.Errorf("write %s: %w", m.name, err)
		}
	}
	if err := errors.Join(tw.Close(), z.Close()); err != nil {
		return nil, fmt.Errorf("end control.tar.gz: %w", err)
	}
	return out.Bytes(), nil
}
