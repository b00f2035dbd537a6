package bundle

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mesos-forge/forge/builder/store"
)

// lossy is a source that loses a blob, or ends the run, at the third.
type lossy struct {
	*store.Store
	at   int
	lose func() error
}

func (l *lossy) BlobPath(d store.Digest) (string, error) {
	if l.at++; l.at == 3 {
		if err := l.lose(); err != nil {
			return "", err
		}
	}
	return l.Store.BlobPath(d)
}

// TestNothingHalfMade: a writer that fails leaves what was there before, and no file of its own.
func TestNothingHalfMade(t *testing.T) {
	x, st := sample(t)
	for name, c := range map[string]struct {
		lose func(cancel func()) error
		want string
	}{
		"a blob is lost":   {func(func()) error { return os.ErrNotExist }, "file does not exist"},
		"the disk is full": {func(func()) error { return syscall.ENOSPC }, "the disk is full: free some space, or name another place"},
		"interrupted":      {func(cancel func()) error { cancel(); return nil }, context.Canceled.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			lose := func() error { return c.lose(cancel) }
			dir := t.TempDir()
			file, folder := filepath.Join(dir, "bundle.tar"), filepath.Join(dir, "folder")
			if err := os.WriteFile(file, []byte("older"), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{
				second(WriteFile(ctx, file, x, &lossy{st, 0, lose}, ignore)),
				second(WriteFolder(ctx, folder, x, &lossy{st, 0, lose}, ignore)),
			} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
			}
			if b, err := os.ReadFile(file); err != nil || string(b) != "older" {
				t.Errorf("the older bundle is now %q, %v", b, err)
			}
			if got := names(t, dir); !slices.Equal(got, []string{"bundle.tar", "folder"}) {
				t.Errorf("the folder holds %v", got)
			}
			if got := names(t, folder); !slices.Equal(got, []string{"blobs"}) {
				t.Errorf("the bundle's folder holds %v; want no index", got)
			}
		})
	}
}

func second(_ Written, err error) error { return err }

// TestTwoWriters: the second is told, and what a killed one left is in nobody's way.
func TestTwoWriters(t *testing.T) {
	x, st := sample(t)
	path := filepath.Join(t.TempDir(), "bundle.tar")
	other, err := openPart(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.file.WriteString(strings.Repeat("half ", 100_000)); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(t.Context(), path, x, st, ignore); err == nil || !strings.Contains(err.Error(), "another forge is writing "+path) {
		t.Errorf("error %v, want that another one is writing", err)
	}
	other.file.Close() // as a kill does
	if _, err := WriteFile(t.Context(), path, x, st, ignore); err != nil {
		t.Error(err)
	}
	if _, err := read(t, path, openStore(t)); err != nil {
		t.Error(err)
	}
	if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"bundle.tar"}) {
		t.Errorf("the folder holds %v", got)
	}
}
