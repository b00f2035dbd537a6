package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func written(t *testing.T, dir string, o TarOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteTar(t.Context(), dir, &b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// listing describes a tar archive, one line per entry.
func listing(t *testing.T, content []byte) string {
	t.Helper()
	var b strings.Builder
	r := tar.NewReader(bytes.NewReader(content))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%c %04o %d:%d %q %d %v", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Uname+h.Gname, h.ModTime.Unix(), h.Format)
		fmt.Fprintf(&b, " %q", h.Name)
		if h.Linkname != "" {
			fmt.Fprintf(&b, " -> %q", h.Linkname)
		}
		keys := make([]string, 0, len(h.PAXRecords))
		for key := range h.PAXRecords {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			fmt.Fprintf(&b, " %s=%q", key, h.PAXRecords[key])
		}
		if h.Typeflag == tar.TypeReg {
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " = %q", body)
		}
		b.WriteByte('\n')
	}
}

func TestWriteTarGolden(t *testing.T) {
	dir := t.TempDir()
	writeSample(t, dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, "usr", strings.Repeat("long", 30))
	if err := os.WriteFile(long, []byte("long"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(long, time.Unix(1, 5), time.Unix(1, 5)); err != nil {
		t.Fatal(err)
	}
	o := TarOptions{Clamp: time.Unix(1_650_000_000, 0), Delta: true, Top: true, Exclude: func(path string) bool { return path == "tmp" }}
	one := written(t, dir, o)
	golden(t, "tar.golden", []byte(listing(t, one)))
	if two := written(t, dir, o); !bytes.Equal(one, two) {
		t.Error("two archives of one tree differ")
	}
}

func TestWriteTarIsTheSameForEqualTrees(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	writeSample(t, one)
	writeSample(t, two)
	o := TarOptions{Delta: true}
	if !bytes.Equal(written(t, one, o), written(t, two, o)) {
		t.Error("archives of equal trees differ")
	}
}

// TestTarRoundTrip packs, unpacks and compares.
func TestTarRoundTrip(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	writeSample(t, one)
	for _, marks := range []string{"gone", "opaque"} {
		if err := os.Remove(filepath.Join(one, marks)); err != nil {
			t.Fatal(err)
		}
	}
	setTimes(t, one, sampleTime.Truncate(time.Second))
	content := written(t, one, TarOptions{Top: true})
	o := Options{Name: "round.tar", Xattrs: true, AllowDevices: true, AllowFIFOs: true}
	entries, err := ExtractTar(t.Context(), bytes.NewReader(content), openRoot(t, two), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(manifestOf(t, one), manifestOf(t, two)); diff != "" {
		t.Errorf("tree after a round trip (-want +got):\n%s", diff)
	}
	// Directories lose their times and modes, and get them back.
	for _, e := range entries {
		if e.Type == tar.TypeDir {
			if err := os.Chmod(filepath.Join(two, e.Name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	setTimes(t, filepath.Join(two, "usr"), time.Unix(5, 0))
	files := setFileTimes(t, two, sampleTime.Truncate(time.Second))
	other := Entry{Name: "usr", Type: tar.TypeDir, Mode: 0o711, UID: 9, GID: 9}
	if err := SetDirs(openRoot(t, two), append(entries, other)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(manifestOf(t, one), manifestOf(t, two)); diff != "" || files == 0 {
		t.Errorf("tree after SetDirs (-want +got):\n%s", diff)
	}
}

// setFileTimes sets the times of all that is no directory.
func setFileTimes(t *testing.T, dir string, when time.Time) (files int) {
	t.Helper()
	nodes, err := scan(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ts := unix.NsecToTimespec(when.UnixNano())
	for _, n := range nodes {
		if n.isDir() {
			continue
		}
		files++
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, n.path), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestWriteTarRefuses(t *testing.T) {
	tests := []struct {
		name  string
		delta bool
		make  func(dir string) error
		want  string
	}{
		{"whiteout in a base", false, func(dir string) error { return unix.Mknod(filepath.Join(dir, "x"), unix.S_IFCHR, 0) }, "x: type of entry not allowed: device 0,0 marks a removed file"},
		{"reserved name", true, func(dir string) error { return os.WriteFile(filepath.Join(dir, ".wh.x"), nil, 0o644) }, `names that start with ".wh."`},
		{"redirect", true, func(dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
				return err
			}
			return unix.Setxattr(filepath.Join(dir, "d"), "user.overlay.redirect", []byte("/e"), 0)
		}, `d: type of entry not allowed: user.overlay.redirect="/e" has no counterpart`},
		{"opaque in a base", false, func(dir string) error { return unix.Setxattr(dir, "user.overlay.opaque", []byte("y"), 0) }, "no delta"},
		{"socket", true, func(dir string) error { return unix.Mknod(filepath.Join(dir, "s"), unix.S_IFSOCK|0o600, 0) }, "s: type of entry not allowed: a socket"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := test.make(dir); err != nil {
				t.Fatal(err)
			}
			err := WriteTar(t.Context(), dir, io.Discard, TarOptions{Delta: test.delta})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to say %q", err, test.want)
			}
		})
	}
	full := errors.New("disk full")
	dir := t.TempDir()
	writeSample(t, dir)
	if err := WriteTar(t.Context(), dir, failingWriter{full}, TarOptions{Delta: true}); !errors.Is(err, full) {
		t.Errorf("error is %v, want %v", err, full)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
