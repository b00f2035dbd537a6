package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// xzProgram decompresses with the xz program.
var xzProgram = Piped(func(ctx context.Context, in io.Reader, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "xz", "-dc", "-T1")
	cmd.Stdin, cmd.Stdout = in, out
	return cmd.Run()
})

// member is one member of an ar archive.
type member struct{ name, content string }

func arFile(members ...member) []byte {
	var b bytes.Buffer
	b.WriteString(arMagic)
	for _, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m.name, 0, 0, 0, "100644", len(m.content), m.content)
		if len(m.content)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func compressed(t testing.TB, format string, content []byte) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch format {
	case "":
		return string(content)
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const controlText = `Package: demo
Version: 1.0-1
Architecture: all
Description: a demo
 with a second line
 .
 and a paragraph
`

func controlTar(t testing.TB) []byte {
	return tarFile(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		file("./control", controlText),
		file("./conffiles", "/etc/demo/b\nremove-on-upgrade /etc/demo/old\n/etc/demo/a\n"),
		file("./postinst", "#!/bin/sh\n"),
		file("./triggers", "interest-noawait /usr/lib/demo\n"),
	)
}

func debFile(t testing.TB, format string) []byte {
	return arFile(
		member{"debian-binary", "2.0\n"},
		member{"control.tar" + format, compressed(t, format, controlTar(t))},
		member{"_ignored", "x"},
		member{"data.tar" + format + "/", compressed(t, format, tarFile(t, file("./usr/bin/demo", "demo")))},
	)
}

func TestOpenDeb(t *testing.T) {
	for _, format := range []string{"", ".gz", ".xz", ".zst"} {
		for name, decompress := range map[string]Decompress{"Go": nil, "program": xzProgram} {
			t.Run(name+format, func(t *testing.T) {
				content := debFile(t, format)
				d, err := OpenDeb(t.Context(), bytes.NewReader(content), int64(len(content)), DebOptions{Name: "demo.deb", XZ: decompress})
				if err != nil {
					t.Fatal(err)
				}
				if got, want := d.Control.Get("description"), "a demo\nwith a second line\n.\nand a paragraph"; got != want {
					t.Errorf("Description is %q, want %q", got, want)
				}
				if diff := cmp.Diff([]string{"/etc/demo/a", "/etc/demo/b"}, d.Conffiles); diff != "" {
					t.Errorf("conffiles (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"postinst"}, d.Scripts()); diff != "" {
					t.Errorf("scripts (-want +got):\n%s", diff)
				}
				if got := string(d.Files["triggers"]); got != "interest-noawait /usr/lib/demo\n" {
					t.Errorf("triggers are %q", got)
				}
				dst := t.TempDir()
				extractDeb(t, d, dst)
				if got, err := os.ReadFile(filepath.Join(dst, "usr/bin/demo")); string(got) != "demo" || err != nil {
					t.Errorf("usr/bin/demo holds %q, error %v", got, err)
				}
			})
		}
	}
}

func extractDeb(t testing.TB, d *Deb, dst string) []Entry {
	t.Helper()
	data, err := d.Data(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	root := openRoot(t, dst)
	entries, err := ExtractTar(t.Context(), data, root, Options{Name: d.DataName(), Merge: true, Xattrs: true})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestOpenDebRefuses(t *testing.T) {
	good := debFile(t, ".gz")
	control := member{"control.tar", string(controlTar(t))}
	data := member{"data.tar", string(tarFile(t, file("a", "a")))}
	version := member{"debian-binary", "2.0\n"}
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"nothing", nil, "bad.deb: malformed archive: not a Debian package"},
		{"a web page", []byte("<!DOCTYPE html><html></html>"), "not a Debian package"},
		{"cut off in the data", good[:len(good)-40], `member "data.tar.gz" should have`},
		{"cut off after control", arFile(version, control), "ends before its last member"},
		{"old format", arFile(member{"debian-binary", "0.939000\n"}, control, data), `package format "0.939000"; 2.0 is known`},
		{"no version", arFile(control, data), `"control.tar" stands where debian-binary is expected`},
		{"data first", arFile(version, data, control), `"data.tar" stands where control.tar is expected`},
		{"unknown compression", arFile(version, member{"control.tar.lz4", "x"}, data), `compression ".lz4" is not known`},
		{"control cut off", arFile(version, member{"control.tar", control.content[:700]}, data), "malformed archive"},
		{"no control file", arFile(version, member{"control.tar", data.content}, data), "there is no file named control"},
		{"no package field", arFile(version, member{"control.tar", string(tarFile(t, file("control", "Version: 1\n")))}, data), "control has no field Package"},
		{"twice the same field", arFile(version, member{"control.tar", string(tarFile(t, file("control", "Package: a\npackage: b\n")))}, data), "line 2: field package stands twice"},
		{"link in control", arFile(version, member{"control.tar", string(tarFile(t, tar.Header{Name: "control", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}))}, data), "files only"},
		{"bad ar size", bytes.Replace(good, []byte("4         `"), []byte("-4        `"), 1), `bad size "-4`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := OpenDeb(t.Context(), bytes.NewReader(test.content), int64(len(test.content)), DebOptions{Name: "bad.deb"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to say %q", err, test.want)
			}
		})
	}
}

// aptDeb fetches a package with the host's apt.
func aptDeb(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "apt-get", "download", "-q", name)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "apt-get download %s: %v\n%s", name, err, out)
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("apt-get download %s left %v (%v)", name, debs, err)
	}
	return debs[0]
}

// missing ends a test that needs something that this machine has not.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// TestExtractRealDeb compares with what dpkg-deb makes of the same package.
func TestExtractRealDeb(t *testing.T) {
	for _, name := range []string{"base-files", "libc6"} {
		t.Run(name, func(t *testing.T) {
			path := aptDeb(t, name)
			want, got := t.TempDir(), t.TempDir()
			if out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--extract", path, want).CombinedOutput(); err != nil {
				t.Fatalf("dpkg-deb: %v\n%s", err, out)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			d, err := OpenDeb(t.Context(), f, info.Size(), DebOptions{Name: name, XZ: xzProgram})
			if err != nil {
				t.Fatal(err)
			}
			entries := extractDeb(t, d, got)
			// dpkg-deb sets "." too, a merging extraction leaves it alone; and
			// its tar leaves directories with symbolic links at the present time.
			dirTimes := regexp.MustCompile(`(?m)( type=dir .*) time=\S+`)
			same := func(dir string) string {
				_, rest, _ := strings.Cut(manifestOf(t, dir), "\n./")
				return dirTimes.ReplaceAllString(rest, "$1")
			}
			if diff := cmp.Diff(same(want), same(got)); diff != "" {
				t.Errorf("trees differ (-dpkg +forge):\n%s", diff)
			}
			if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Type == tar.TypeSymlink }) {
				t.Errorf("no symbolic link among %d entries", len(entries))
			}
		})
	}
}

func TestPipedReportsFailure(t *testing.T) {
	content := arFile(member{"debian-binary", "2.0\n"}, member{"control.tar.xz", "no xz at all"}, member{"data.tar", ""})
	_, err := OpenDeb(t.Context(), bytes.NewReader(content), int64(len(content)), DebOptions{Name: "bad.deb", XZ: xzProgram})
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("error is %v, want xz's exit status in it", err)
	}
}

func BenchmarkXZ(b *testing.B) {
	path := aptDeb(b, "libc6")
	content, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for name, decompress := range map[string]Decompress{"Go": nil, "program": xzProgram} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				d, err := OpenDeb(b.Context(), bytes.NewReader(content), int64(len(content)), DebOptions{Name: "libc6", XZ: decompress})
				if err != nil {
					b.Fatal(err)
				}
				extractDeb(b, d, b.TempDir())
			}
		})
	}
}
