package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListTar(t *testing.T) {
	content := tarFile(t, directory("./", 0o755), directory("./usr/", 0o755), file("./usr/lib/x.so", "lib"), symlink("usr/lib/y.so", "x.so"),
		hardlink("usr/lib/z.so", "./usr/lib/x.so"))
	var got []string
	err := ListTar(t.Context(), bytes.NewReader(content), Options{Name: "a.tar", ConfineLinks: true}, func(e Entry) error {
		got = append(got, strings.TrimSuffix(string(e.Type)+" "+e.Name+" > "+e.Target, " > "))
		return nil
	})
	want := []string{"5 .", "5 usr", "0 usr/lib/x.so", "2 usr/lib/y.so > x.so", "1 usr/lib/z.so > usr/lib/x.so"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestListTarRefuses(t *testing.T) {
	stop := errors.New("of the visitor")
	none := func(Entry) error { return nil }
	for _, tt := range []struct {
		name    string
		entries []tar.Header
		o       Options
		visit   func(Entry) error
		want    error
	}{
		{"a name that leads out", []tar.Header{file("../x", "")}, Options{}, none, ErrEscape},
		{"a link that leads out", []tar.Header{symlink("x", "../y")}, Options{ConfineLinks: true}, none, ErrEscape},
		{"a device", []tar.Header{{Name: "sda", Typeflag: tar.TypeBlock}}, Options{}, none, ErrType},
		{"a pipe", []tar.Header{{Name: "pipe", Typeflag: tar.TypeFifo}}, Options{}, none, ErrType},
		{"too many", []tar.Header{file("a", ""), file("b", "")}, Options{Limits: Limits{Entries: 1}}, none, ErrLimit},
		{"too large", []tar.Header{file("a", "abc")}, Options{Limits: Limits{Bytes: 2}}, none, ErrLimit},
		{"the visitor", []tar.Header{file("a", "")}, Options{}, func(Entry) error { return stop }, stop},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Name = "a.tar"
			err := ListTar(t.Context(), bytes.NewReader(tarFile(t, tt.entries...)), tt.o, tt.visit)
			var entry *EntryError
			if !errors.Is(err, tt.want) || !errors.As(err, &entry) || entry.Archive != "a.tar" {
				t.Errorf("%v; want an error of an entry: %v", err, tt.want)
			}
		})
	}
	cut := tarFile(t, file("a", strings.Repeat("x", 4096)))
	cut = cut[:len(cut)-3000]
	if err := ListTar(t.Context(), bytes.NewReader(cut), Options{Name: "a.tar"}, none); !errors.Is(err, ErrMalformed) {
		t.Errorf("cut off: %v", err)
	}
}
