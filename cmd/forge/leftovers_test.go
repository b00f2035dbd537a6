package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// leftovers lists the processes and mounts that a forge left: processes that run from its folder,
// work in it, have it as their root or name it in their arguments, and mounts in any mount namespace.
func (f *forge) leftovers() []string {
	var left []string
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, proc := range procs {
		for _, link := range []string{"exe", "cwd", "root"} {
			if to, err := os.Readlink(filepath.Join(proc, link)); err == nil && (to == f.program || strings.HasPrefix(to, f.dir)) {
				left = append(left, fmt.Sprintf("process %s: %s is %s", filepath.Base(proc), link, to))
			}
		}
		for _, file := range []string{"cmdline", "environ", "mountinfo"} {
			if b, err := os.ReadFile(filepath.Join(proc, file)); err == nil && bytes.Contains(b, []byte(f.dir)) {
				left = append(left, fmt.Sprintf("process %s: its %s names %s", filepath.Base(proc), file, f.dir))
			}
		}
	}
	return left
}

// expectNothingLeft gives the kernel 5 s to tear down what a killed forge had.
func (f *forge) expectNothingLeft() {
	f.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		left := f.leftovers()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("5 s after forge ended these are left:\n%s", strings.Join(left, "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// whole are the names of what may lie in a store, and unfinished those of what may not lie in the
// output folder.
var (
	whole = map[string]*regexp.Regexp{
		"blobs":   regexp.MustCompile(`^sha256/([0-9a-f]{2})/[0-9a-f]{64}$`),
		"results": regexp.MustCompile(`^[0-9a-f]{64}$`),
		"meta":    regexp.MustCompile(`^(blobs|trees)/[0-9a-f]{64}$`),
		"last":    regexp.MustCompile(`^[a-z][a-z0-9~-]*$`),
	}
	unfinished = regexp.MustCompile(`\.part(/|$)|^\.forge/tmp/|(^|/)\.[^/]*[0-9]{6,}$`)
)

// expectTidy checks that store and output folder hold nothing half-made and nothing temporary.
func (f *forge) expectTidy() {
	f.t.Helper()
	if tmp, err := os.ReadDir(filepath.Join(f.store, "tmp")); err != nil && !os.IsNotExist(err) || len(tmp) > 0 {
		f.t.Errorf("in the store's tmp: %v, %v; want nothing", tmp, err)
	}
	for sub, want := range whole {
		for _, name := range files(f.t, filepath.Join(f.store, sub)) {
			if !want.MatchString(name) {
				f.t.Errorf("the store has %s/%s", sub, name)
			}
		}
	}
	for path, rec := range results(f.t, f.store) {
		for name, o := range rec.Outputs {
			at := blobPath(f.store, o.Digest.Hex())
			if o.Type == step.Tree {
				at = filepath.Join(f.store, "trees", o.Digest.Hex(), "fs")
			}
			if _, err := os.Stat(at); err != nil {
				f.t.Errorf("result %s of %s: its %s is not there: %v", filepath.Base(path), rec.Step, name, err)
			}
		}
	}
	for _, name := range files(f.t, f.out) {
		if unfinished.MatchString(name) {
			f.t.Errorf("the output folder has %s", name)
		}
	}
}

// expectWholeBlobs compares every blob of the store with its name.
func (f *forge) expectWholeBlobs() {
	f.t.Helper()
	for _, name := range files(f.t, filepath.Join(f.store, "blobs")) {
		if fi, err := os.Lstat(filepath.Join(f.store, "blobs", name)); err == nil && fi.Mode()&os.ModeSymlink != 0 {
			continue // of the shared store
		}
		file, err := os.Open(filepath.Join(f.store, "blobs", name))
		if err != nil {
			f.t.Fatal(err)
		}
		d, _, err := store.DigestReader(file)
		if file.Close(); err != nil || d.Hex() != filepath.Base(name) {
			f.t.Errorf("the content of blob %s is %s, %v", name, d, err)
		}
	}
}

// files lists what is no folder below dir; none if there is no dir.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		names = append(names, rel)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return names
}
