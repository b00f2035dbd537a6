package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/store"
)

// entries reads a tar as a list that a test may change.
type entry struct {
	tar.Header
	text string
}

func entries(t testing.TB, path string) []entry {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []entry
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		b, errRead := io.ReadAll(r)
		if err := errors.Join(err, errRead); err != nil {
			t.Fatal(err)
		}
		out = append(out, entry{*h, string(b)})
	}
}

func writeEntries(t testing.TB, list []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range list {
		e.Size = int64(len(e.text))
		if e.Typeflag != tar.TypeReg {
			e.Size = 0
		}
		err := w.WriteHeader(&e.Header)
		if err == nil && e.Size > 0 {
			_, err = io.WriteString(w, e.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestBadFile: whatever is wrong with a bundle is told by name, and bytes that are not what they should be
// never get into the store.
func TestBadFile(t *testing.T) {
	path, x := sampleFile(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blobs := x.Blobs()
	index := func(old, with string) func([]entry) []entry {
		return func(l []entry) []entry { l[0].text = strings.Replace(l[0].text, old, with, 1); return l }
	}
	for _, c := range []struct {
		name  string
		list  func([]entry) []entry
		bytes func([]byte) []byte
		want  error
		text  string
	}{
		{"empty", nil, func([]byte) []byte { return nil }, ErrTruncated, ""},
		{"no bundle", nil, func([]byte) []byte { return bytes.Repeat([]byte("no tar "), 512) }, tar.ErrHeader, ""},
		{"cut in the index", nil, func(b []byte) []byte { return b[:700] }, ErrTruncated, ""},
		{"cut in a blob", nil, func(b []byte) []byte { return b[:len(b)-1600] }, ErrTruncated, ""},
		{"without its end", nil, func(b []byte) []byte { return b[:len(b)-1024] }, ErrTruncated, ""},
		{"longer", nil, func(b []byte) []byte { return append(b, 0) }, ErrTrailing, ""},
		{"another tar after it", nil, func(b []byte) []byte { return append(b, b...) }, ErrTrailing, ""},
		{"a bit", nil, func(b []byte) []byte { b[bytes.LastIndex(b, []byte("debdeb"))] ^= 1; return b }, ErrDigest, "deb adduser-again:all 3.134"},
		{"no index", func(l []entry) []entry { return l[1:] }, nil, ErrEntry, blobs[0].name()},
		{"unknown blob", func(l []entry) []entry {
			l[1].Name = blobFolder + strings.Repeat("0", 64)
			return l
		}, nil, ErrUnknown, strings.Repeat("0", 64)},
		{"one more blob", func(l []entry) []entry {
			e := l[1]
			e.Name = blobFolder + strings.Repeat("f", 64)
			return append(l, e)
		}, nil, ErrUnknown, strings.Repeat("f", 64)},
		{"a blob twice", func(l []entry) []entry { return slices.Insert(l, 2, l[1]) }, nil, ErrRepeated, blobs[0].Digest.Hex()},
		{"a blob twice at the end", func(l []entry) []entry { return append(l, l[1]) }, nil, ErrRepeated, blobs[0].Digest.Hex()},
		{"another order", func(l []entry) []entry { l[1], l[2] = l[2], l[1]; return l }, nil, ErrRepeated, ""},
		{"a path upwards", func(l []entry) []entry { l[1].Name = "../../etc/passwd"; return l }, nil, ErrEntry, "etc/passwd"},
		{"an absolute path", func(l []entry) []entry { l[1].Name = "/" + l[1].Name; return l }, nil, ErrEntry, ""},
		{"a path around", func(l []entry) []entry { l[1].Name = "blobs/../" + l[1].Name; return l }, nil, ErrEntry, ""},
		{"a symbolic link", func(l []entry) []entry {
			l[1].Typeflag, l[1].Linkname = tar.TypeSymlink, "/etc/passwd"
			l[2].text += strings.Repeat("x", 4096)
			return l
		}, nil, ErrEntry, ""},
		{"a device", func(l []entry) []entry {
			l[1].Typeflag = tar.TypeChar
			l[2].text += strings.Repeat("x", 4096)
			return l
		}, nil, ErrEntry, ""},
		{"an owner", func(l []entry) []entry { l[1].Uid = 1; return l }, nil, ErrEntry, ""},
		{"a time", func(l []entry) []entry { l[1].ModTime = time.Unix(1, 0); return l }, nil, ErrEntry, ""},
		{"another size", func(l []entry) []entry { l[1].text += strings.Repeat("x", 700); return l }, nil, ErrDigest, ""},
		{"index: no JSON", index("{", "["), nil, ErrIndex, ""},
		{"index: another format", index(`"format": 1`, `"format": 2`), nil, ErrIndex, "it has format 2, and this forge reads 1"},
		{"index: unknown field", index(`"forge"`, `"forgery"`), nil, ErrIndex, `unknown field "forgery"`},
		{"index: no stack", index(`"bookworm"`, `""`), nil, ErrIndex, `"" is not the name of a stack`},
		{"index: a role out of place", index(`"master"`, `"z"`), nil, ErrIndex, "not in its place"},
		{"index: unknown kind", index(`"kind": "artifact"`, `"kind": "article"`), nil, ErrIndex, `"article" is no kind of input`},
		{"index: a name with an escape", index(`"hadoop/asm"`, `"hadoop/\u001b[31m"`), nil, ErrIndex, "no plain text"},
		{"index: negative size", index(`"size": 3`, `"size": -3`), nil, ErrIndex, "-3 bytes"},
		{"index: enormous size", index(`"size": 3`, `"size": 5368709120`), nil, ErrIndex, "allowed are"},
		{"index: two sizes", index(`"size": 2100`, `"size": 2101`), nil, ErrIndex, "two sizes"},
		{"index: a short digest", index("sha256:", "sha256:0"), nil, ErrIndex, "64 hexadecimal digits"},
		{"index: an input twice", index(`"adduser-again:all"`, `"adduser:all"`), nil, ErrIndex, "twice"},
		{"index: written otherwise", index("\n", "\n\n"), nil, ErrIndex, "not as forge writes it"},
		{"index: something after it", func(l []entry) []entry { l[0].text += "{}"; return l }, nil, ErrIndex, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := slices.Clone(good)
			if c.list != nil {
				bad = writeEntries(t, c.list(entries(t, path)))
			} else {
				bad = c.bytes(bad)
			}
			at := filepath.Join(t.TempDir(), "bad.tar")
			if err := os.WriteFile(at, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			into := openStore(t)
			_, err := read(t, at, into)
			var e *Error
			if !errors.Is(err, c.want) || !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "bundle "+at+": ") || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %v with %q", err, c.want, c.text)
			}
			onlyGood(t, into)
		})
	}
}

// onlyGood checks that each file of a store is what its name says.
func onlyGood(t testing.TB, st *store.Store) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(st.Dir(), "blobs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && store.DigestOf(b).Hex() != d.Name() {
			err = fmt.Errorf("%s holds %s", path, store.DigestOf(b))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestBadFolder(t *testing.T) {
	x, st := sample(t)
	blob := x.Blobs()[0]
	for _, c := range []struct {
		name string
		do   func(dir, blob string) error
		want error
	}{
		{"a file is away", func(_, blob string) error { return os.Remove(blob) }, ErrMissing},
		{"a file is shorter", func(_, blob string) error { return os.Truncate(blob, 1) }, ErrDigest},
		{"a file is another", func(_, name string) error {
			return os.WriteFile(name, bytes.Repeat([]byte("!"), int(blob.Size)), 0o644)
		}, ErrDigest},
		{"a symbolic link", func(_, blob string) error { return errors.Join(os.Rename(blob, blob+"x"), os.Symlink(blob+"x", blob)) }, ErrEntry},
		{"a FIFO", func(_, blob string) error { return errors.Join(os.Remove(blob), unix.Mkfifo(blob, 0o644)) }, ErrEntry},
		{"a folder that leads away", func(dir, _ string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "blobs"), dir+"-away"), os.Symlink(dir+"-away", filepath.Join(dir, "blobs")))
		}, nil},
		{"no index", func(dir, _ string) error { return os.Remove(filepath.Join(dir, IndexName)) }, nil},
		{"the index is cut", func(dir, _ string) error { return os.Truncate(filepath.Join(dir, IndexName), 100) }, ErrIndex},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "bundle")
			if _, err := WriteFolder(t.Context(), dir, x, st, ignore); err != nil {
				t.Fatal(err)
			}
			if err := c.do(dir, filepath.Join(dir, blob.name())); err != nil {
				t.Fatal(err)
			}
			into := openStore(t)
			_, err := read(t, dir, into)
			var e *Error
			if !errors.As(err, &e) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			onlyGood(t, into)
		})
	}
}
