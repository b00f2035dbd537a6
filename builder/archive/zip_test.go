package archive

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// zipEntry is one entry of a zip file. mode 0 leaves out what only Unix has.
type zipEntry struct {
	name    string
	mode    fs.FileMode
	content string
}

func zipFile(t testing.TB, entries ...zipEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: headerTime}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.name, "/") {
			continue
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExtractZip(t *testing.T) {
	dst := t.TempDir()
	content := zipFile(t, zipEntry{"META-INF/", 0, ""}, zipEntry{"META-INF/MANIFEST.MF", 0, "m"}, zipEntry{"webapps/hdfs/", 0, ""},
		zipEntry{"webapps/hdfs/index.html", 0, "<html>"}, zipEntry{"webapps/hdfs/run.sh", 0o755, "run"}, zipEntry{"webapps/link", fs.ModeSymlink | 0o777, "hdfs/run.sh"})
	got, err := ExtractZip(t.Context(), bytes.NewReader(content), int64(len(content)), openRoot(t, dst),
		Options{Name: "core.jar", Include: []string{"webapps/**"}, Strip: 1, ConfineLinks: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"./hdfs":            "type=dir mode=0755 uid=0 gid=0 time=1600000000.000000000",
		"./hdfs/index.html": "type=file mode=0644 uid=0 gid=0 time=1600000000.000000000 size=6",
		"./hdfs/run.sh":     "type=file mode=0755 uid=0 gid=0 time=1600000000.000000000 size=3",
		"./link":            "type=link mode=0777 uid=0 gid=0 time=1600000000.000000000 link=hdfs/run.sh",
	}
	lines := manifestLines(t, dst)
	delete(lines, ".")
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if len(got) != len(want) || got[1].Size != 6 || got[1].Mode != 0o644 || !got[1].ModTime.Equal(headerTime) {
		t.Errorf("entries are %+v", got)
	}
}

func TestExtractZipDosTimeIsUTC(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if _, err := w.CreateHeader(&zip.FileHeader{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content := b.Bytes()
	dosTime := content[bytes.Index(content, []byte("PK\x01\x02"))+12:]
	binary.LittleEndian.PutUint16(dosTime, 12<<11)
	binary.LittleEndian.PutUint16(dosTime[2:], (2014-1980)<<9|7<<5|4)
	dst := t.TempDir()
	if _, err := ExtractZip(t.Context(), bytes.NewReader(content), int64(len(content)), openRoot(t, dst), Options{Name: "old.zip"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dst, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2014, 7, 4, 12, 0, 0, 0, time.UTC); !info.ModTime().Equal(want) {
		t.Errorf("time is %v, want %v", info.ModTime().UTC(), want)
	}
}

func TestExtractZipRefuses(t *testing.T) {
	bomb := zipFile(t, zipEntry{"a", 0, strings.Repeat("a", 1<<20)})
	// Both headers say that the file is smaller than what it unpacks to.
	liar := bytes.ReplaceAll(bytes.Clone(bomb), []byte{0, 0, 0x10, 0}, []byte{0, 0, 1, 0})
	encrypted := zipFile(t, zipEntry{"a", 0, "x"})
	directory := bytes.Index(encrypted, []byte("PK\x01\x02"))
	encrypted[directory+8] |= 1
	broken := zipFile(t, zipEntry{"a", 0, "some content that is long enough to be compressed"})
	broken[bytes.Index(broken, []byte("PK\x01\x02"))+16] ^= 0xff // its checksum
	tests := []struct {
		name    string
		content []byte
		options Options
		reason  error
		want    string
	}{
		{"absolute", zipFile(t, zipEntry{"/etc/passwd", 0, "x"}), Options{}, ErrEscape, `evil.zip: entry "/etc/passwd": leads out`},
		{"parent", zipFile(t, zipEntry{"a/../../secret", 0, "x"}), Options{}, ErrEscape, `".."`},
		{"through a link", zipFile(t, zipEntry{"d", fs.ModeSymlink | 0o777, ".."}, zipEntry{"d/secret", 0, "x"}), Options{}, ErrEscape, "is a symbolic link"},
		{"confined link", zipFile(t, zipEntry{"d", fs.ModeSymlink | 0o777, "../secret"}), Options{ConfineLinks: true}, ErrEscape, "symbolic link to"},
		{"device", zipFile(t, zipEntry{"d", fs.ModeDevice | 0o600, ""}), Options{}, ErrType, "its mode is"},
		{"twice", zipFile(t, zipEntry{"a", 0, "1"}, zipEntry{"a", 0, "2"}), Options{}, ErrExists, "twice"},
		{"bomb", bomb, Options{Limits: Limits{Bytes: 1 << 19}}, ErrLimit, "unpacks to more than 524288 bytes"},
		{"size is a lie", liar, Options{}, ErrMalformed, "after 65536 bytes"},
		{"encrypted", encrypted, Options{}, ErrType, "encrypted"},
		{"checksum", broken, Options{}, ErrMalformed, "checksum"},
		{"cut off", bomb[:len(bomb)-30], Options{}, ErrMalformed, "evil.zip: malformed archive"},
		{"no zip", []byte("<html>"), Options{}, ErrMalformed, "not a valid zip"},
		{"entries", zipFile(t, zipEntry{"a", 0, ""}, zipEntry{"b", 0, ""}), Options{Limits: Limits{Entries: 1}}, ErrLimit, "more than 1 entries"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			outside, dst := sandboxDir(t)
			test.options.Name = "evil.zip"
			_, err := ExtractZip(t.Context(), bytes.NewReader(test.content), int64(len(test.content)), openRoot(t, dst), test.options)
			if !errors.Is(err, test.reason) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %v and %q", err, test.reason, test.want)
			}
			checkOutside(t, outside)
		})
	}
}

func TestOpenZipMember(t *testing.T) {
	content := zipFile(t, zipEntry{"bin.tgz", 0, "scripts"}, zipEntry{"two", 0, "1"}, zipEntry{"two", 0, "2"})
	open := func(member string, limit int64) (string, error) {
		r, err := OpenZipMember(bytes.NewReader(content), int64(len(content)), "core.jar", member, limit)
		if err != nil {
			return "", err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		return string(b), err
	}
	if got, err := open("bin.tgz", 7); got != "scripts" || err != nil {
		t.Errorf("bin.tgz holds %q, error %v", got, err)
	}
	if _, err := open("bin.tgz", 6); !errors.Is(err, ErrLimit) {
		t.Errorf("beyond the limit: %v", err)
	}
	if _, err := open("two", 6); !errors.Is(err, ErrExists) {
		t.Errorf("a name that is there twice: %v", err)
	}
	if _, err := open("none", 6); !errors.Is(err, fs.ErrNotExist) || err.Error() != `core.jar: entry "none": file does not exist` {
		t.Errorf("no such member: %v", err)
	}
}
