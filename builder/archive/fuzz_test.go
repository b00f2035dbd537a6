package archive

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// small keeps the fuzzer from filling the disk.
var small = Limits{Entries: 100, Bytes: 1 << 20, FileBytes: 1 << 18, Depth: 8}

func FuzzExtractTar(f *testing.F) {
	for _, attack := range attacks {
		f.Add(tarFile(f, attack.entries...), attack.options.Merge)
	}
	f.Fuzz(func(t *testing.T, content []byte, merge bool) {
		outside, dst := sandboxDir(t)
		o := Options{Name: "fuzz.tar", Limits: small, Merge: merge, Xattrs: true, AllowFIFOs: true}
		entries, err := ExtractTar(t.Context(), bytes.NewReader(content), openRoot(t, dst), o)
		checkOutside(t, outside)
		var refused *EntryError
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("error %v is no EntryError", err)
		}
		if len(entries) > small.Entries {
			t.Errorf("%d entries", len(entries))
		}
	})
}

func FuzzExtractZip(f *testing.F) {
	f.Add(zipFile(f, zipEntry{"a/b", 0o644, "x"}, zipEntry{"l", 0o777, "a"}))
	f.Add(zipFile(f, zipEntry{"../secret", 0, "x"}, zipEntry{"d/", 0, ""}))
	f.Fuzz(func(t *testing.T, content []byte) {
		outside, dst := sandboxDir(t)
		_, err := ExtractZip(t.Context(), bytes.NewReader(content), int64(len(content)), openRoot(t, dst), Options{Name: "fuzz.zip", Limits: small})
		checkOutside(t, outside)
		var refused *EntryError
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("error %v is no EntryError", err)
		}
	})
}

func FuzzOpenDeb(f *testing.F) {
	for _, format := range []string{"", ".gz", ".zst"} {
		f.Add(debFile(f, format))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := OpenDeb(t.Context(), bytes.NewReader(content), int64(len(content)), DebOptions{Name: "fuzz.deb"})
		if err != nil {
			return
		}
		if d.Control.Get("Package") == "" {
			t.Error("a package without a name was accepted")
		}
		data, err := d.Data(t.Context())
		if err != nil {
			return
		}
		defer data.Close()
		if n, _ := io.Copy(io.Discard, io.LimitReader(data, 1<<20)); n > 1<<20 {
			t.Errorf("read %d bytes", n)
		}
	})
}

func FuzzParseParagraphs(f *testing.F) {
	f.Add([]byte(controlText))
	f.Add([]byte("A: b\n c\n\n# note\nD:\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		paragraphs, err := ParseParagraphs(content)
		if err != nil {
			return
		}
		for _, p := range paragraphs {
			if len(p) == 0 {
				t.Error("an empty paragraph")
			}
			for _, field := range p {
				if field.Name == "" || !p.has(field.Name) {
					t.Errorf("field %+v", field)
				}
			}
		}
	})
}
