package bundle

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/store"
)

// contents are the files of the sample, by the input that each is.
var contents = []struct{ kind, name, version, text string }{
	{KindLock, "forge.lock", "", "format: 1\n"},
	{KindDeb, "adduser:all", "3.134", strings.Repeat("deb", 700)},
	{KindDeb, "adduser-again:all", "3.134", strings.Repeat("deb", 700)}, // the same file
	{KindArtifact, "hadoop/asm", "3.1", "jar"},
	{KindModule, "golang.org/x/sys/@v/v0.1.0.mod", "v0.1.0", ""},
	{KindArtifact, "spark/pyspark", "3.5", strings.Repeat("x", 512)},
}

// sample is an index, and a store with its blobs.
func sample(t testing.TB) (Index, *store.Store) {
	t.Helper()
	st := openStore(t)
	x := Index{Format: Format, Forge: "v1", Stack: "bookworm", Roles: []string{"slave", "master"}}
	for _, c := range contents {
		d, n, err := st.PutBlob(t.Context(), strings.NewReader(c.text), "")
		if err != nil {
			t.Fatal(err)
		}
		x.Inputs = append(x.Inputs, Input{c.kind, c.name, c.version, n, d})
	}
	return x, st
}

func openStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func ignore(_, _ int64) {}

func sampleFile(t testing.TB) (string, Index) {
	t.Helper()
	x, st := sample(t)
	path := filepath.Join(t.TempDir(), "bundle.tar")
	if _, err := WriteFile(t.Context(), path, x, st, ignore); err != nil {
		t.Fatal(err)
	}
	x = x.Sorted()
	return path, x
}

func read(t testing.TB, path string, into Blobs) (*Index, error) {
	b, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return b.Index, b.Read(t.Context(), into, ignore)
}

func TestWrittenIsRead(t *testing.T) {
	x, st := sample(t)
	file, folder := filepath.Join(t.TempDir(), "bundle.tar"), filepath.Join(t.TempDir(), "new", "bundle")
	var last [2]int64
	wrote, err := WriteFile(t.Context(), file, x, st, func(done, total int64) { last = [2]int64{done, total} })
	if err != nil {
		t.Fatal(err)
	}
	if last != [2]int64{2625, 2625} {
		t.Errorf("progress ended with %v, want all of 2625 bytes", last)
	}
	text, err := os.ReadFile(file)
	if err != nil || int64(len(text)) != wrote.Size || store.DigestOf(text) != wrote.Digest || wrote.Inputs != len(contents) {
		t.Errorf("%+v says something else than the file of %d bytes, %s; %v", wrote, len(text), store.DigestOf(text), err)
	}
	if _, err := WriteFolder(t.Context(), folder, x, st, ignore); err != nil {
		t.Fatal(err)
	}
	x = x.Sorted()
	for _, path := range []string{file, folder} {
		into := openStore(t)
		got, err := read(t, path, into)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&x, got); diff != "" {
			t.Errorf("%s: index (-wrote +read):\n%s", path, diff)
		}
		for _, c := range contents {
			if at, err := into.BlobPath(store.DigestOf([]byte(c.text))); err != nil {
				t.Errorf("%s: %s: %v", path, c.name, err)
			} else if b, err := os.ReadFile(at); err != nil || string(b) != c.text {
				t.Errorf("%s: %s: %q, %v", path, c.name, b, err)
			}
		}
	}
}

// TestSameBytes: neither the order of the inputs nor what the disk says of files is in a bundle.
func TestSameBytes(t *testing.T) {
	one, _ := sampleFile(t)
	x, st := sample(t)
	slices.Reverse(x.Inputs)
	x.Inputs = append(x.Inputs, x.Inputs[0])
	two := filepath.Join(t.TempDir(), "other")
	if _, err := WriteFile(t.Context(), two, x, st, ignore); err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(one)
	b, errB := os.ReadFile(two)
	if !bytes.Equal(a, b) || errors.Join(errA, errB) != nil {
		t.Errorf("two bundles of the same inputs differ, %d and %d bytes; %v", len(a), len(b), errors.Join(errA, errB))
	}
}

// TestNewerInFolder: what both bundles name is not written again, and what the new one does not name goes.
func TestNewerInFolder(t *testing.T) {
	x, st := sample(t)
	dir := t.TempDir()
	if _, err := WriteFolder(t.Context(), dir, x, st, ignore); err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(dir, x.Blobs()[0].name())
	before, err := os.Stat(shared)
	if err != nil {
		t.Fatal(err)
	}
	gone := x.Blobs()[len(x.Blobs())-1]
	x.Inputs = slices.DeleteFunc(x.Inputs, func(i Input) bool { return i.SHA256 == gone.Digest })
	d, n, err := st.PutBlob(t.Context(), strings.NewReader("newer"), "")
	if err != nil {
		t.Fatal(err)
	}
	x.Inputs = append(x.Inputs, Input{KindDeb, "newer:all", "2", n, d})
	damaged := filepath.Join(dir, x.Blobs()[1].name())
	left := filepath.Join(dir, blobFolder, ".left.part") // by a writer that was killed
	if err := errors.Join(os.WriteFile(damaged, []byte("damaged"), 0o644), os.WriteFile(left, []byte("left"), 0o644)); err != nil {
		t.Fatal(err)
	}

	wrote, err := WriteFolder(t.Context(), dir, x, st, ignore)
	if err != nil || wrote.Kept != len(x.Blobs())-2 {
		t.Errorf("%+v, %v; want all kept but the new one and the damaged one of %d", wrote, err, len(x.Blobs()))
	}
	if after, err := os.Stat(shared); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the shared file was written again: %v", err)
	}
	if _, err := read(t, dir, openStore(t)); err != nil {
		t.Error(err)
	}
	var want []string
	for _, b := range x.Blobs() {
		want = append(want, b.Digest.Hex())
	}
	if got := names(t, filepath.Join(dir, blobFolder)); !slices.Equal(got, want) {
		t.Errorf("the folder holds %v, want %v", got, want)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}
