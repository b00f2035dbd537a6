package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/mesos-forge/forge/builder/store"
)

// FuzzRead: whatever the bytes, reading ends with an *Error or with files that are what they should be.
func FuzzRead(f *testing.F) {
	path, _ := sampleFile(f)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(bytes.Replace(good, []byte("blobs/"), []byte("../../"), 1))
	f.Add(writeEntries(f, entries(f, path)[:2]))
	st := openStore(f)
	at := filepath.Join(f.TempDir(), "bundle.tar")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(at, content, 0o644); err != nil {
			t.Fatal(err)
		}
		into := &checking{t: t, store: st}
		x, err := read(t, at, into)
		var e *Error
		switch {
		case err != nil && !errors.As(err, &e):
			t.Errorf("error %v is no *Error", err)
		case err == nil && into.bytes != x.Size():
			t.Errorf("%d bytes were read of a bundle of %d", into.bytes, x.Size())
		case into.bytes > int64(len(content)):
			t.Errorf("%d bytes came of %d", into.bytes, len(content))
		}
	})
}

// checking takes blobs and keeps none.
type checking struct {
	t     *testing.T
	store *store.Store
	bytes int64
}

func (*checking) HasBlob(store.Digest) bool { return false }

func (c *checking) PutBlob(_ context.Context, r io.Reader, want store.Digest) (store.Digest, int64, error) {
	d, n, err := store.DigestReader(r)
	c.bytes += n
	if err == nil && d != want {
		err = &store.DigestError{Name: "blob", Want: want, Got: d}
	}
	return d, n, err
}
