package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mesos-forge/forge/builder/step"
)

// indexKind is the kind of step whose result is a download as it came.
const indexKind = "apt-index"

// testCache is the folder for what tests keep for the next run.
func testCache(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("FORGE_TEST_CACHE")
	if dir == "" {
		dir = work
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// downloadsInUse keeps tests that run side by side from copying what another one is just keeping.
var downloadsInUse sync.Mutex

// downloads is a folder that is laid out as a store and holds nothing but what builds downloaded:
// package indexes with their results, and blobs. It is kept for the next run in $FORGE_TEST_CACHE.
func downloads(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(testCache(t), "downloads")
	for _, sub := range []string{"blobs/sha256", "trees", "results"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// warmDownloads gives a new store everything that was downloaded before, but no result of forge's
// own work. A build in it is cold, and yet needs next to no network; with --offline it needs none.
func warmDownloads(t *testing.T, store string) {
	t.Helper()
	if err := os.Mkdir(store, 0o755); err != nil {
		t.Fatal(err)
	}
	downloadsInUse.Lock()
	defer downloadsInUse.Unlock()
	copyAll(t, downloads(t)+"/.", store)
}

// keepDownloads keeps what a build in the store downloaded: the package indexes, and each blob that
// no step made.
func keepDownloads(t *testing.T, store string) {
	t.Helper()
	downloadsInUse.Lock()
	defer downloadsInUse.Unlock()
	dir := downloads(t)
	made := map[string]bool{}
	for path, rec := range results(t, store) {
		for _, o := range rec.Outputs {
			switch hex := o.Digest.Hex(); {
			case rec.Kind != indexKind:
				made[hex] = true
			case o.Type == step.Tree:
				keep(t, filepath.Join(store, "trees", hex), filepath.Join(dir, "trees", hex))
			}
		}
		if rec.Kind == indexKind {
			keep(t, path, filepath.Join(dir, "results", filepath.Base(path)))
		}
	}
	blobs, err := filepath.Glob(filepath.Join(store, "blobs", "sha256", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range blobs {
		hex := filepath.Base(path)
		if to := blobPath(dir, hex); !made[hex] {
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			keep(t, path, to)
		}
	}
}

// keep copies a file or a tree to a place where it appears whole, in place of an older file.
func keep(t *testing.T, from, to string) {
	t.Helper()
	if fi, err := os.Stat(to); err == nil && (fi.IsDir() || filepath.Base(filepath.Dir(to)) != "results") {
		return // by its digest
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Dir(to)), "keep-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	copyAll(t, from, filepath.Join(tmp, "new"))
	if err := os.Rename(filepath.Join(tmp, "new"), to); err != nil {
		t.Fatal(err)
	}
}

func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
