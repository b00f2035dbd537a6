package deb

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/files"

	"github.com/mesos-forge/forge/builder/recipe"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const unit = "[Unit]\nDescription=Demo\n\n[Service]\nExecStart=/usr/bin/demo\nUser=demo\n\n[Install]\nWantedBy=multi-user.target\n"

// demo is a package with one of each thing. Its nfpm files lie in a fresh directory.
func demo(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string, mode fs.FileMode) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("conf/log4j.properties", "log4j.rootLogger=INFO\n", 0o664)
	write("lib/a.jar", strings.Repeat("PK\x03\x04 not a real jar ", 1000), 0o600)
	write("lib/b.jar", "PK\x03\x04", 0o644)
	write("scripts/postinst", "#!/bin/sh\nif [ \"$1\" = configure ]; then\n\tmkdir -p /var/log/demo\n\techo configured >/var/log/demo/install.log\nfi\n", 0o644)
	write("tree/usr/share/demo/run.sh", "#!/bin/sh\nexit 0\n", 0o775)
	write("tree/etc/demo/tree.conf", "x=1\n", 0o640)
	// A tree carries its modes: those of the directories must not be the test's umask.
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(name, 0o755)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("run.sh", filepath.Join(dir, "tree/usr/share/demo/start.sh")); err != nil {
		t.Fatal(err)
	}
	spec := Spec{
		Info: nfpm.Info{
			Name: "forge-demo", Version: "1.2.1-1", Section: "java", Maintainer: "The Forge <forge@example.org>",
			Description: "demonstration of every part of a package\nIt has files, a unit, users and state.\n\nSecond paragraph.",
			Homepage:    "https://example.org/demo",
			Overridables: nfpm.Overridables{
				Depends: []string{"passwd", "init-system-helpers (>= 1.54~)"}, Conflicts: []string{"forge-other"},
				Contents: files.Contents{
					{Source: "conf/log4j.properties", Destination: "/etc/demo/log4j.properties", Type: files.TypeConfigNoReplace},
					{Source: "lib/*.jar", Destination: "/usr/share/demo/lib"},
					{Source: "/usr/share/demo/lib", Destination: "/usr/share/demo/jars", Type: files.TypeSymlink},
				},
				Scripts: nfpm.Scripts{PostInstall: "scripts/postinst"},
			},
		},
		Dir:   dir,
		Trees: []Tree{{Dir: filepath.Join(dir, "tree")}},
		Entries: []Entry{
			{Path: "/usr/bin/demo", Kind: recipe.EntryFile, Text: []byte("#!/bin/sh\nexec sleep infinity\n"), Mode: 0o755},
			{Path: "/usr/lib/systemd/system/demo.service", Kind: recipe.EntryFile, Text: []byte(unit)},
			{Path: "/usr/lib/systemd/system/demo-agent.service", Kind: recipe.EntryFile, Text: []byte(unit)},
			{Path: "/etc/demo/secret.conf", Kind: recipe.EntryFile, Text: []byte("password=\n"), Mode: 0o640, Group: "demo", Conffile: true},
			{Path: "/var/lib/demo", Kind: recipe.EntryDir, Mode: 0o750, Owner: "demo", Group: "demo"},
		},
		Groups: []recipe.Group{{Name: "demo", GID: 731}, {Name: "demoextra", GID: 732}},
		Users: []recipe.User{{Name: "demo", UID: 731, Group: "demo", Groups: []string{"demoextra"},
			Home: "/var/lib/demo", Comment: "Demo daemon"}},
		Enable:    []string{"demo-agent.service"},
		Purge:     []string{"/var/log/demo", "/etc/demo/rendered.xml"},
		Changelog: []recipe.Change{{Version: "1.2.1", Revision: 1, Date: "2026-01-02", Changes: []string{"First package, with a sentence that is long enough to need a second line in the changelog.", "Another change."}}},
		LintianOverrides: []recipe.LintianOverride{{Tag: "no-manual-page", Pattern: "[usr/bin/demo]",
			Reason: "The program is run by its unit alone, and upstream has no manual."}},
	}
	spec.Copyright, err = Copyright("demo", "https://example.org/demo", Work{Files: "*", Holders: []string{"2005-2013 The Demo Foundation", "2026 The Forge"}, Licence: "Apache-2.0"})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func build(t *testing.T, s Spec) (Result, []byte) {
	t.Helper()
	var b bytes.Buffer
	r, err := Build(t.Context(), s, epoch, &b)
	if err != nil {
		t.Fatal(err)
	}
	return r, b.Bytes()
}

// TestSameBytes builds in other folders, with other umasks, file times, file modes and time zones.
func TestSameBytes(t *testing.T) {
	for _, compression := range []string{"", "gzip:9", "zstd", "zstd:19", "xz", "none"} {
		t.Run(compression, func(t *testing.T) {
			first := demo(t)
			first.Info.Deb.Compression = compression
			r, want := build(t, first)
			if r.Filename != "forge-demo_1.2.1-1_all.deb" || r.Arch != "all" {
				t.Errorf("result %+v", r)
			}
			old := syscall.Umask(0o077)
			defer syscall.Umask(old)
			local := time.Local
			time.Local = time.FixedZone("elsewhere", 5*3600)
			defer func() { time.Local = local }()
			t.Setenv("SOURCE_DATE_EPOCH", "1")
			t.Setenv("LC_ALL", "tr_TR.UTF-8")
			second := demo(t)
			second.Info.Deb.Compression = compression
			err := filepath.WalkDir(second.Dir, func(name string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					err = os.Chtimes(name, time.Now(), time.Unix(1, 0))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(second.Dir, "lib/b.jar"), 0o600); err != nil {
				t.Fatal(err)
			}
			second.TempDir = t.TempDir()
			if _, got := build(t, second); !bytes.Equal(got, want) {
				t.Errorf("two builds differ: %x and %x", sha256.Sum256(got), sha256.Sum256(want))
			}
			if left, _ := os.ReadDir(second.TempDir); len(left) > 0 {
				t.Errorf("left in the temporary directory: %v", left)
			}
		})
	}
}

func TestArchOfELF(t *testing.T) {
	s := demo(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Entries = append(s.Entries, Entry{Path: "/usr/bin/tool", Kind: recipe.EntryFile, Source: exe, Mode: 0o755})
	if r, _ := build(t, s); r.Arch != "amd64" || r.Filename != "forge-demo_1.2.1-1_amd64.deb" {
		t.Errorf("result %+v, want amd64", r)
	}
}

// TestMemory builds a package of 512 MB and looks at what was allocated for it.
func TestMemory(t *testing.T) {
	s := demo(t)
	s.Entries = append(s.Entries, Entry{Path: "/usr/share/demo/big", Kind: recipe.EntryFile, FS: zeros(512 << 20), Source: "big"})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Build(t.Context(), s, epoch, io.Discard); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
		t.Errorf("%d MB were allocated for 512 MB of content", grown>>20)
	}
}

// zeros is a file system with one file of that many zero bytes.
type zeros int64

func (z zeros) Open(string) (fs.File, error) {
	return &zeroFile{io.LimitReader(zeroReader{}, int64(z)), int64(z)}, nil
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type zeroFile struct {
	io.Reader
	size int64
}

func (f *zeroFile) Close() error               { return nil }
func (f *zeroFile) Stat() (fs.FileInfo, error) { return zeroInfo(f.size), nil }

type zeroInfo int64

func (zeroInfo) Name() string       { return "big" }
func (z zeroInfo) Size() int64      { return int64(z) }
func (zeroInfo) Mode() fs.FileMode  { return 0o644 }
func (zeroInfo) ModTime() time.Time { return time.Time{} }
func (zeroInfo) IsDir() bool        { return false }
func (zeroInfo) Sys() any           { return nil }

func TestFaults(t *testing.T) {
	file := func(path string) Entry { return Entry{Path: path, Kind: recipe.EntryFile} }
	tests := []struct {
		name  string
		spoil func(*Spec)
		want  string
	}{
		{"name", func(s *Spec) { s.Info.Name = "Demo" }, `name "Demo": want lower case`},
		{"version", func(s *Spec) { s.Info.Version = "v1" }, `version "v1": want UPSTREAM-REVISION`},
		{"maintainer", func(s *Spec) { s.Info.Maintainer = "" }, "maintainer and description must be set"},
		{"changelog", func(s *Spec) { s.Changelog = nil }, "the changelog has no entry"},
		{"changelog date", func(s *Spec) { s.Changelog[0].Date = "yesterday" }, `date "yesterday": want YYYY-MM-DD`},
		{"copyright", func(s *Spec) { s.Copyright = "mine" }, "not in DEP-5 form"},
		{"uid twice", func(s *Spec) { s.Users = append(s.Users, recipe.User{Name: "x", UID: 731, Group: "demo", Home: "/x"}) }, "users demo and x have the same id 731"},
		{"gid twice", func(s *Spec) { s.Groups[1].GID = 731 }, "groups demo and demoextra have the same id 731"},
		{"user's home", func(s *Spec) { s.Users[0].Home = "/x; rm -rf /" }, "user demo: home and shell must be plain"},
		{"user's comment", func(s *Spec) { s.Users[0].Comment = "it's" }, "comment without quotes"},
		{"purge of data", func(s *Spec) { s.Purge = []string{"/var/lib/demo"} }, `purge "/var/lib/demo": want a plain path below one of`},
		{"purge of a parent", func(s *Spec) { s.Purge = []string{"/var/log/"} }, `purge "/var/log/"`},
		{"purge by dots", func(s *Spec) { s.Purge = []string{"/etc/../usr"} }, `purge "/etc/../usr"`},
		{"override without reason", func(s *Spec) { s.LintianOverrides[0].Reason = " " }, "want a tag, a one-line pattern and a reason"},
		{"unit that is not there", func(s *Spec) { s.Enable = []string{"demos.service"} }, `enable "demos.service": the package has no such unit`},
		{"compression", func(s *Spec) { s.Info.Deb.Compression = "brotli" }, `compression "brotli": want gzip, zstd, xz or none`},
		{"compression level", func(s *Spec) { s.Info.Deb.Compression = "zstd:99" }, "want a level from 1 to 22"},
		{"relative path", func(s *Spec) { s.Entries = append(s.Entries, file("usr/x")) }, `path "usr/x": want an absolute, clean path`},
		{"path with dots", func(s *Spec) { s.Entries = append(s.Entries, file("/usr/../x")) }, "want an absolute, clean path"},
		{"path with a line end", func(s *Spec) { s.Entries = append(s.Entries, file("/usr/x\ny")) }, "without control characters"},
		{"file twice", func(s *Spec) { s.Entries = append(s.Entries, file("/usr/bin/demo")) }, "/usr/bin/demo comes twice"},
		{"file as a directory", func(s *Spec) { s.Entries = append(s.Entries, file("/usr/bin/demo/x")) }, "/usr/bin/demo is a file, yet /usr/bin/demo/x lies in it"},
		{"directory with two modes", func(s *Spec) {
			s.Entries = append(s.Entries, Entry{Path: "/var/lib/demo", Kind: recipe.EntryDir, Mode: 0o700})
		}, "/var/lib/demo comes twice"},
		{"owner", func(s *Spec) { s.Entries[0].Owner = "$(id)" }, "not names of a user and a group"},
		{"empty link", func(s *Spec) { s.Entries[0] = Entry{Path: "/usr/x", Kind: recipe.EntryLink} }, "can't be a link's target"},
		{"missing source", func(s *Spec) { s.Entries[0].Text, s.Entries[0].Source = nil, "/nonexistent" }, "content of /usr/bin/demo: open /nonexistent"},
		{"directory as source", func(s *Spec) { s.Entries[0].Text, s.Entries[0].Source = nil, "/" }, "is not a regular file"},
		{"missing nfpm source", func(s *Spec) { s.Info.Contents[0].Source = "conf/none" }, "conf/none"},
		{"nfpm and entry collide", func(s *Spec) { s.Info.Contents[0].Destination = "/usr/bin/demo" }, "/usr/bin/demo comes twice"},
		{"script missing", func(s *Spec) { s.Info.Scripts.PreRemove = "scripts/none" }, "prerm: open"},
		{"script of another language", func(s *Spec) {
			s.Info.Scripts.PreRemove = filepath.Join(s.Dir, "perl")
			os.WriteFile(s.Info.Scripts.PreRemove, []byte("#!/usr/bin/perl\n1;\n"), 0o644)
		}, "only POSIX sh is possible"},
		{"tree with a socket", func(s *Spec) { syscall.Mkfifo(filepath.Join(s.Dir, "tree/fifo"), 0o644) }, "is neither file, directory nor link"},
		{"tree of a stranger", func(s *Spec) { os.Chown(filepath.Join(s.Dir, "tree/etc/demo/tree.conf"), 4242, 0) }, "belongs to 4242:0, which the package does not name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := demo(t)
			tt.spoil(&s)
			s.TempDir = t.TempDir()
			var out bytes.Buffer
			_, err := Build(t.Context(), s, epoch, &out)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "package ") {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if out.Len() > 0 {
				t.Errorf("%d bytes were written in spite of the error", out.Len())
			}
			if left, _ := os.ReadDir(s.TempDir); len(left) > 0 {
				t.Errorf("left in the temporary directory: %v", left)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	s := demo(t)
	for _, limit := range []int{0, 8, 60, 100, 500} {
		if _, err := Build(t.Context(), s, epoch, &limited{limit}); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("after %d bytes: %v", limit, err)
		}
	}
}

type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	l.left -= len(p)
	return len(p), nil
}

func TestFromOverlay(t *testing.T) {
	fsys := fstest.MapFS{"overlays/x/etc/x.conf": {Data: []byte("x\n")}}
	o := &recipe.Overlay{Entries: []recipe.OverlayEntry{
		{Path: "/etc/x.conf", Kind: recipe.EntryFile, Source: "overlays/x/etc/x.conf", Mode: 0o600, Owner: "demo", Group: "demo", Conffile: true},
		{Path: "/usr/bin/x", Kind: recipe.EntryLink, Target: "demo", Owner: "root", Group: "root"},
		{Path: "/srv/x", Kind: recipe.EntryDir, Mode: 0o1777, Owner: "root", Group: "root"},
	}}
	s := demo(t)
	s.Entries = append(s.Entries, FromOverlay(fsys, o)...)
	_, raw := build(t, s)
	list := contents(t, raw)
	for _, want := range []string{"-rw------- root/root 2 ./etc/x.conf", "lrwxrwxrwx root/root 0 ./usr/bin/x -> demo", "drwxrwxrwt root/root 0 ./srv/x/"} {
		if !strings.Contains(list, want+"\n") {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
}

func TestCopyrightFaults(t *testing.T) {
	if _, err := Copyright("x", "y", Work{Files: "*", Holders: []string{"z"}, Licence: "Proprietary"}); err == nil || !strings.Contains(err.Error(), `no text for the licence "Proprietary"`) {
		t.Errorf("unknown licence: %v", err)
	}
	if _, err := Copyright("x", "y", Work{Files: "*", Licence: "Apache-2.0"}); err == nil || !strings.Contains(err.Error(), "no copyright holders") {
		t.Errorf("no holders: %v", err)
	}
}
