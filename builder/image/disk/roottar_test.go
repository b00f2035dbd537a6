package disk

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// tarOf writes headers, each file with its name as its bytes.
func tarOf(headers ...tar.Header) func(context.Context, io.Writer) error {
	return func(_ context.Context, w io.Writer) error {
		out := tar.NewWriter(w)
		for _, h := range headers {
			if h.Typeflag == tar.TypeReg {
				h.Size = int64(len(h.Name))
			}
			if err := out.WriteHeader(&h); err != nil {
				return err
			}
			if h.Typeflag == tar.TypeReg {
				if _, err := io.WriteString(out, h.Name); err != nil {
					return err
				}
			}
		}
		return out.Close()
	}
}

func TestWriteRootTar(t *testing.T) {
	files := []file{{name: "boot", dir: true}, {name: "boot/efi", dir: true}, {name: "etc", dir: true}, textFile("etc/fstab", "ours")}
	dir := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o700} }
	reg := func(name string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 7, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x02"}}
	}
	var b bytes.Buffer
	if err := writeRootTar(t.Context(), &b, tarOf(dir("./"), dir("./etc/"), reg("./etc/fstab"), reg("./ping")), files, testEpoch, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for in := tar.NewReader(&b); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Name+"="+string(text))
		if h.Name == "./ping" && (h.Uid != 7 || h.Mode != 0o4755 || h.PAXRecords["SCHILY.xattr.security.capability"] != "\x01\x00\x02") {
			t.Errorf("ping became %+v", h)
		}
	}
	if want := "./= ./etc/= ./ping=./ping boot/= boot/efi/= etc/fstab=ours"; strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	link := func(name, to string, kind byte) tar.Header {
		return tar.Header{Name: name, Linkname: to, Typeflag: kind}
	}
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		tree func(context.Context, io.Writer) error
		want string
	}{
		"link for a directory": {tarOf(link("etc", "/x", tar.TypeSymlink)), "must be a directory"},
		"directory for a file": {tarOf(dir("etc/fstab/")), "is a directory"},
		"link to a replaced":   {tarOf(link("x", "etc/fstab", tar.TypeLink)), "hard link"},
		"failing":              {func(context.Context, io.Writer) error { return broken }, "broken"},
		"no tar": {func(_ context.Context, w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte("x"), 4096))
			return err
		}, "read the tree"},
	} {
		if err := writeRootTar(t.Context(), io.Discard, c.tree, files, testEpoch, func(int64) {}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, not about %q", name, err, c.want)
		}
	}
}
