package compare

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
	"time"
)

var epoch = time.Unix(1_700_000_000, 0)

// entry is an entry of a layer under test.
type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}, content}
}

func dir(name string) entry {
	return entry{tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755}, ""}
}

func link(name, target string) entry {
	return entry{tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink, Mode: 0o777}, ""}
}

func hard(name, target string) entry {
	return entry{tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink, Mode: 0o644}, ""}
}

// with changes the header of an entry.
func (e entry) with(change func(h *tar.Header)) entry {
	change(&e.Header)
	return e
}

func mode(m int64) func(*tar.Header)     { return func(h *tar.Header) { h.Mode = m } }
func owner(u, g int) func(*tar.Header)   { return func(h *tar.Header) { h.Uid, h.Gid = u, g } }
func at(t time.Time) func(*tar.Header)   { return func(h *tar.Header) { h.ModTime = t } }
func user(name string) func(*tar.Header) { return func(h *tar.Header) { h.Uname = name } }

func xattr(name, value string) func(*tar.Header) {
	return func(h *tar.Header) { h.PAXRecords = map[string]string{"SCHILY.xattr." + name: value} }
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.ModTime.IsZero() {
			e.ModTime = epoch
		}
		e.Size = int64(len(e.content))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func layerOf(content []byte) Layer {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	return Layer{Name: "layer", Digest: digest, DiffID: digest, Size: int64(len(content)), Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

func layer(t testing.TB, entries ...entry) Layer { return layerOf(tarOf(t, entries...)) }
