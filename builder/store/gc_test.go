package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/store"
)

// listed says which outputs a result of these tests names: it is a list of digests.
func listed(result []byte) (digests []store.Digest, err error) {
	err = json.Unmarshal(result, &digests)
	return digests, err
}

func put(t *testing.T, s *store.Store, content string) store.Digest {
	t.Helper()
	d, _, err := s.PutBlob(t.Context(), strings.NewReader(content), "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// result stores a result, with a log, that was used last at the given time.
func result(t *testing.T, s *store.Store, name string, used time.Time, outputs ...store.Digest) store.Digest {
	t.Helper()
	b, err := json.Marshal(outputs)
	if err != nil {
		t.Fatal(err)
	}
	key := store.DigestOf([]byte("key of " + name))
	if err := s.PutResult(name, key, b); err != nil {
		t.Fatal(err)
	}
	log, err := s.Log(name)
	if err != nil {
		t.Fatal(err)
	}
	log.Close()
	for _, path := range []string{log.Name(), filepath.Join(s.Dir(), "results", key.Hex())} {
		if err := os.Chtimes(path, used, used); err != nil {
			t.Fatal(err)
		}
	}
	return key
}

// names lists all files and folders below dir, but for those of trees.
func names(t *testing.T, dir string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d.Name() == "fs" {
			return fs.SkipDir
		}
		out[strings.TrimPrefix(path, dir)] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	monthAgo = time.Now().Add(-30 * 24 * time.Hour)
	longAgo  = time.Now().Add(-90 * 24 * time.Hour)
)

func TestCollect(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	padding := strings.Repeat("x", 1<<20-20) // puts the digest across two reads
	download, layer, both := put(t, s, "a download"), put(t, s, "a layer"), put(t, s, "of both")
	list := put(t, s, `{"pad": "`+padding+`", "downloads": ["`+string(download)+`"]}`)
	noList := put(t, s, string(put(t, s, "named by what is no JSON")))
	tree, err := s.AdoptTree(t.Context(), makeTree(t, s, "new"))
	if err != nil {
		t.Fatal(err)
	}
	oldTree, err := s.AdoptTree(t.Context(), makeTree(t, s, "old"))
	if err != nil {
		t.Fatal(err)
	}
	old, onlyOld := put(t, s, "of the old one"), put(t, s, "[]")
	newKey := result(t, s, "rootfs/new", time.Now(), list, tree, both, layer, noList)
	oldKey := result(t, s, "rootfs/old", longAgo, old, oldTree, both, onlyOld)
	usedKey := result(t, s, "rootfs/used", longAgo)
	s.Use(usedKey)
	result(t, s, "rootfs/broken", time.Now(), "") // rewritten below
	must(t, os.WriteFile(filepath.Join(dir, "results", store.DigestOf([]byte("key of rootfs/broken")).Hex()), []byte("{"), 0o644))
	failed, err := s.Log("rootfs/failed-long-ago")
	must(t, err)
	must(t, errors.Join(failed.Close(), os.Chtimes(failed.Name(), longAgo, longAgo)))
	unlock, err := s.Lock(t.Context(), "a step", func() {})
	must(t, err)
	unlock()
	must(t, s.Close())
	must(t, errors.Join(os.MkdirAll(filepath.Join(dir, "tmp/killed-before-its-lock/x"), 0o755), os.WriteFile(filepath.Join(dir, "results/.half"), nil, 0o644)))

	must(t, os.RemoveAll(filepath.Join(dir, "locks"))) // as in a copy
	before := names(t, dir)
	c := store.Collection{Before: monthAgo, Needs: listed, DryRun: true}
	would, err := store.Collect(t.Context(), dir, c)
	must(t, err)
	for name := range before {
		if !names(t, dir)[name] {
			t.Errorf("the dry run removed %s", name)
		}
	}
	c.DryRun = false
	got, err := store.Collect(t.Context(), dir, c)
	must(t, err)
	// Temporary are the folder of the killed one and the two in which the trees were made.
	want := store.Collected{Results: 3, Blobs: 3, Trees: 1, Logs: 2, Temporary: 3, Kept: 2, Bytes: got.Bytes}
	if got != want {
		t.Errorf("Collect = %+v; want %+v", got, want)
	}
	if would.Bytes == 0 || would.Results != got.Results || would.Blobs != got.Blobs || would.Trees != got.Trees || would.Logs != got.Logs {
		t.Errorf("the dry run says %+v, the run %+v", would, got)
	}

	s = open(t, dir)
	for _, d := range []store.Digest{list, download, layer, both, noList} {
		if _, err := s.BlobPath(d); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.TreePath(t.Context(), tree); err != nil {
		t.Error(err)
	}
	for _, key := range []store.Digest{newKey, usedKey} {
		if _, err := s.Result(key); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Result(oldKey); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old result: %v", err)
	}
	if _, ok := s.Last("rootfs/old"); ok {
		t.Error("the key of the old result is still the last one of its step")
	}
	for name := range names(t, dir) {
		if strings.Contains(name, old.Hex()) || strings.Contains(name, oldTree.Hex()) || strings.HasPrefix(name, "/tmp/") ||
			strings.HasPrefix(name, "/locks/") && name != "/locks/use" {
			t.Errorf("%s is still there", name)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCollectWaits: what a process has stored and not named in a result yet is not taken from it.
func TestCollectWaits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d := put(t, s, "fetched by a step that still runs")

	ctx, cancel := context.WithCancel(t.Context())
	waits := 0
	_, err := store.Collect(ctx, dir, store.Collection{Before: time.Now(), Needs: listed, Wait: func() { waits++; cancel() }})
	if !errors.Is(err, context.Canceled) || waits != 1 {
		t.Errorf("cancelled while it waits: error %v, Wait was called %d times", err, waits)
	}

	waiting, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := store.Collect(t.Context(), dir, store.Collection{Before: monthAgo, Needs: listed, Wait: func() { close(waiting) }})
		done <- err
	}()
	<-waiting
	if _, err := s.BlobPath(d); err != nil {
		t.Error(err)
	}
	result(t, s, "a", time.Now(), d)
	must(t, s.Close())
	must(t, <-done)
	s = open(t, dir)
	if _, err := s.BlobPath(d); err != nil {
		t.Errorf("after the collection: %v", err)
	}
	tmp, err := s.TempDir("x")
	must(t, err)
	if _, err := os.Stat(tmp.Dir); err != nil {
		t.Error(err)
	}
}

func TestCollectWithoutStore(t *testing.T) {
	dir := t.TempDir()
	if _, err := store.Collect(t.Context(), dir, store.Collection{Needs: listed}); err == nil || !strings.Contains(err.Error(), "there is no store in "+dir) {
		t.Errorf("error = %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v; want that nothing was made", entries, err)
	}
}
