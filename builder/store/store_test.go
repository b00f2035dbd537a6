package store_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/store"
)

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestBlob(t *testing.T) {
	s := open(t, t.TempDir())
	d, n, err := s.PutBlob(t.Context(), strings.NewReader("hello"), "")
	if err != nil || n != 5 || d != "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Fatalf("PutBlob = %s, %d, %v", d, n, err)
	}
	path, err := s.BlobPath(d)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "hello" {
		t.Errorf("content = %q", b)
	}
}

func TestBlobWithWrongDigestIsNotStored(t *testing.T) {
	s := open(t, t.TempDir())
	want := store.DigestOf([]byte("expected"))
	_, _, err := s.PutBlob(t.Context(), strings.NewReader("other"), want)
	var de *store.DigestError
	if !errors.As(err, &de) || de.Want != want || de.Got != store.DigestOf([]byte("other")) {
		t.Errorf("error = %v; want a DigestError", err)
	}
	if s.HasBlob(want) || s.HasBlob(de.Got) {
		t.Error("a blob was stored")
	}
}

func TestBlobOfABrokenReaderIsNotStored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	broken := io.MultiReader(strings.NewReader("half"), errReader{syscall.ENOSPC})
	if _, _, err := s.PutBlob(t.Context(), broken, ""); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error = %v; want the hint about a full disk", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.PutBlob(ctx, strings.NewReader("x"), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v; want context.Canceled", err)
	}
	s.Close()
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, d os.DirEntry, err error) error {
		if !d.IsDir() {
			t.Errorf("%s was stored", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestDamagedBlobIsAbsent(t *testing.T) {
	s := open(t, t.TempDir())
	d, _, err := s.PutBlob(t.Context(), strings.NewReader("hello"), "")
	if err != nil {
		t.Fatal(err)
	}
	path, _ := s.BlobPath(d)
	if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, []byte("jello"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.BlobPath(d); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "was damaged") {
		t.Errorf("error = %v; want that it was damaged and is removed", err)
	}
	if s.HasBlob(d) {
		t.Error("the damaged blob is still there")
	}
}

var epoch = time.Unix(1700000000, 0)

func makeTree(t *testing.T, s *store.Store, content string) string {
	t.Helper()
	tmp, err := s.TempDir("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tmp.Remove() })
	dir := filepath.Join(tmp.Dir, "root")
	err = errors.Join(os.MkdirAll(filepath.Join(dir, "etc"), 0o755), os.WriteFile(filepath.Join(dir, "etc/motd"), []byte(content), 0o644),
		os.Chtimes(filepath.Join(dir, "etc/motd"), epoch, epoch), os.Chtimes(filepath.Join(dir, "etc"), epoch, epoch), os.Chtimes(dir, epoch, epoch))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTree(t *testing.T) {
	s := open(t, t.TempDir())
	d, err := s.AdoptTree(t.Context(), makeTree(t, s, "welcome"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.AdoptTree(t.Context(), makeTree(t, s, "welcome"))
	if err != nil || again != d {
		t.Errorf("the same tree: %s, %v; want %s", again, err, d)
	}
	other, err := s.AdoptTree(t.Context(), makeTree(t, s, "goodbye"))
	if err != nil || other == d {
		t.Errorf("another tree has the digest %s, %v", other, err)
	}
	dir, err := s.TreePath(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/motd"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TreePath(t.Context(), d); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v; want that the damaged tree is absent", err)
	}
	if s.HasTree(d) {
		t.Error("the damaged tree is still there")
	}
}

// What a killed process left is removed by the next Open; what a living one uses is not.
func TestTemporaryFolders(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	living, err := s.TempDir("living")
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, "tmp", "dead-1")
	if err := errors.Join(os.MkdirAll(filepath.Join(dead, "sub"), 0o755), os.WriteFile(dead+".lock", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead process's folder is still there: %v", err)
	}
	if _, err := os.Stat(living.Dir); err != nil {
		t.Errorf("the living process's folder is gone: %v", err)
	}
	if err := living.Remove(); err != nil {
		t.Error(err)
	}
}

// Processes that begin sweep while others make folders: none may lose its own.
func TestTemporaryFoldersWhileOthersSweep(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	stop, swept := make(chan struct{}), make(chan error)
	go func() {
		var err error
		for err == nil {
			select {
			case <-stop:
				swept <- nil
				return
			default:
			}
			var other *store.Store
			if other, err = store.Open(dir); err == nil {
				err = other.Close()
			}
		}
		swept <- err
	}()
	var makers errgroup.Group
	for range 4 {
		makers.Go(func() error {
			for range 200 {
				tmp, err := s.TempDir("test")
				if err != nil {
					return err
				}
				if err := errors.Join(os.WriteFile(filepath.Join(tmp.Dir, "file"), nil, 0o644), tmp.Remove()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := makers.Wait()
	close(stop)
	if err := errors.Join(err, <-swept); err != nil {
		t.Error(err)
	}
	s.Close()
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("%d entries are left in tmp (%v), such as %v", len(left), err, left)
	}
}

func TestFormat(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	if err := os.WriteFile(filepath.Join(dir, "FORMAT"), []byte("99\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir); err == nil || !strings.Contains(err.Error(), `has format "99"`) {
		t.Errorf("error = %v; want that the format is not known", err)
	}
}

func TestParseDigest(t *testing.T) {
	h := strings.Repeat("0a", 32)
	for in, want := range map[string]store.Digest{"sha256:" + h: store.Digest("sha256:" + h), h: store.Digest("sha256:" + h)} {
		if got, err := store.ParseDigest(in); got != want || err != nil {
			t.Errorf("ParseDigest(%q) = %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "sha256:", "md5:" + h, strings.ToUpper(h), h[:63] + "/"} {
		if got, err := store.ParseDigest(in); err == nil {
			t.Errorf("ParseDigest(%q) = %s; want an error", in, got)
		}
	}
}
