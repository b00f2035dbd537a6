package archive

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sampleTime is the mtime of everything in a sample tree.
var sampleTime = time.Unix(1_700_000_000, 123_456_789)

// writeSample makes a small tree with one of everything a rootfs holds.
func writeSample(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string, mode os.FileMode) {
		must(os.WriteFile(at(name), []byte(content), 0o600))
		must(os.Chmod(at(name), mode))
	}
	must(os.MkdirAll(at("usr/bin"), 0o755))
	must(os.Mkdir(at("usr-local"), 0o755))
	must(os.Mkdir(at("tmp"), 0o777))
	must(os.Chmod(at("tmp"), 0o777|os.ModeSticky))
	write("usr/bin/ping", "ping\n", 0o755)
	must(unix.Setxattr(at("usr/bin/ping"), "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
	must(unix.Setxattr(at("usr/bin/ping"), "user.note", []byte("a=b\x00"), 0))
	must(unix.Setxattr(at("usr"), "user.overlay.origin", []byte("x"), 0))
	must(unix.Setxattr(at("usr"), "user.overlay.impure", []byte("y"), 0))
	write("usr/bin/su", "su\n", 0o755)
	must(os.Chown(at("usr/bin/su"), 0, 42))
	must(os.Chmod(at("usr/bin/su"), 0o755|os.ModeSetuid))
	must(os.Link(at("usr/bin/su"), at("usr/bin/sudo")))
	must(os.Symlink("usr/bin", at("bin")))
	write("a name", "", 0o644)
	write("naïve", "x", 0o644)
	must(unix.Mkfifo(at("pipe"), 0o600))
	must(unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(unix.Mknod(at("gone"), unix.S_IFCHR, 0))
	must(os.Mkdir(at("opaque"), 0o755))
	must(unix.Setxattr(at("opaque"), "user.overlay.opaque", []byte("y"), 0))
	setTimes(t, dir, sampleTime)
}

// setTimes gives every path of the tree, symbolic links too, the same mtime.
func setTimes(t *testing.T, dir string, when time.Time) {
	t.Helper()
	nodes, err := scan(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ts := unix.NsecToTimespec(when.UnixNano())
	for i := range nodes {
		path := filepath.Join(dir, nodes[i].path)
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatalf("set times of %s: %v", path, err)
		}
	}
}

func manifestOf(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Manifest(t.Context(), dir, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func TestManifestGolden(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeSample(t, dir)
	golden(t, "manifest.golden", []byte(manifestOf(t, dir)))
}

func TestManifestIsTheSameForEqualTrees(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	writeSample(t, one)
	writeSample(t, two)
	if diff := cmp.Diff(manifestOf(t, one), manifestOf(t, two)); diff != "" {
		t.Errorf("manifests of equal trees differ:\n%s", diff)
	}
	first, err := ManifestDigest(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ManifestDigest(t.Context(), two)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || !strings.HasPrefix(first, "sha256:") || len(first) != 71 {
		t.Errorf("digests %q and %q", first, second)
	}
}

// changes are edits that a signature and a manifest must both notice.
var changes = []struct {
	name string
	edit func(dir string) error
}{
	{"content of the same size", func(dir string) error {
		path := filepath.Join(dir, "naïve")
		if err := os.WriteFile(path, []byte("y"), 0o644); err != nil {
			return err
		}
		return os.Chtimes(path, sampleTime, sampleTime)
	}},
	{"mode", func(dir string) error { return os.Chmod(filepath.Join(dir, "naïve"), 0o600) }},
	{"owner", func(dir string) error { return os.Chown(filepath.Join(dir, "naïve"), 7, 0) }},
	{"time", func(dir string) error { return os.Chtimes(filepath.Join(dir, "naïve"), sampleTime, sampleTime.Add(1)) }},
	{"new file", func(dir string) error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) }},
	{"removed file", func(dir string) error { return os.Remove(filepath.Join(dir, "naïve")) }},
	{"attribute", func(dir string) error {
		return unix.Setxattr(filepath.Join(dir, "naïve"), "user.note", []byte("1"), 0)
	}},
	{"broken hard link", func(dir string) error {
		path := filepath.Join(dir, "usr/bin/sudo")
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.WriteFile(path, []byte("su\n"), 0o755)
	}},
	{"link target", func(dir string) error {
		if err := os.Remove(filepath.Join(dir, "bin")); err != nil {
			return err
		}
		return os.Symlink("usr/sbin", filepath.Join(dir, "bin"))
	}},
}

func TestManifestAndSignatureNoticeChanges(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			writeSample(t, dir)
			before := manifestOf(t, dir)
			sign := func() string {
				signature, err := StatSignature(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				return signature
			}
			signed := sign()
			if again := sign(); again != signed {
				t.Fatalf("signature of an untouched tree changed from %s to %s", signed, again)
			}
			if err := c.edit(dir); err != nil {
				t.Fatal(err)
			}
			if manifestOf(t, dir) == before {
				t.Error("the manifest did not change")
			}
			if sign() == signed {
				t.Error("the signature did not change")
			}
		})
	}
}

func TestStatSignatureSurvivesRename(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeSample(t, dir)
	before, err := StatSignature(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	after, err := StatSignature(t.Context(), dir+"2")
	if err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Errorf("signature changed from %s to %s", before, after)
	}
}

func TestManifestErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Manifest(t.Context(), file, &bytes.Buffer{}); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("manifest of a file: %v, want ENOTDIR", err)
	}
	if _, err := StatSignature(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("signature of nothing: %v, want ErrNotExist", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Manifest(ctx, dir, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("manifest after cancel: %v, want context.Canceled", err)
	}
}
