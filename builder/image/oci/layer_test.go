package oci

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var epoch = time.Unix(1_700_000_000, 0)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeBase makes a tree of five megabytes, several blocks of compression, that compress to about half.
func writeBase(t testing.TB, dir string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dir, "usr/lib"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x", random.Uint32())
	}
	for i := range 25 {
		var b strings.Builder
		for b.Len() < 200_000 {
			b.WriteString(words[random.IntN(len(words))])
		}
		must(t, os.WriteFile(filepath.Join(dir, "usr/lib", fmt.Sprintf("lib%d.so", i)), []byte(b.String()), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(dir, "etc/hostname"), []byte("node\n"), 0o644))
	must(t, os.Symlink("usr/lib", filepath.Join(dir, "lib")))
}

// writeDelta makes an upper layer that removes, hides and adds.
func writeDelta(t testing.TB, dir string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dir, "etc/hadoop"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "etc/hadoop/core-site.xml"), []byte("<configuration/>"), 0o644))
	must(t, unix.Mknod(filepath.Join(dir, "etc/hostname"), unix.S_IFCHR, 0))
	must(t, unix.Setxattr(filepath.Join(dir, "etc/hadoop"), "user.overlay.opaque", []byte("y"), 0))
	must(t, unix.Setxattr(filepath.Join(dir, "etc"), "user.overlay.origin", []byte("noise"), 0))
}

func TestWriteLayerDoesNotDependOnCores(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	writeBase(t, one)
	writeBase(t, two)
	var first []byte
	var info LayerInfo
	for i, cores := range []int{1, 2, 3, 8, 1, 5} {
		dir := []string{one, two}[i%2]
		before := runtime.GOMAXPROCS(cores)
		var b bytes.Buffer
		got, err := WriteLayer(t.Context(), dir, false, epoch, &b)
		runtime.GOMAXPROCS(before)
		must(t, err)
		if first == nil {
			first, info = b.Bytes(), got
		}
		if !bytes.Equal(first, b.Bytes()) || got != info {
			t.Fatalf("with %d cores the layer is %+v, before it was %+v", cores, got, info)
		}
	}
	gz, err := gzip.NewReader(bytes.NewReader(first))
	must(t, err)
	plain, err := io.ReadAll(gz)
	must(t, err)
	want := LayerInfo{
		DiffID: fmt.Sprintf("sha256:%x", sha256.Sum256(plain)), Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(first)),
		Size: int64(len(first)), Tree: int64(len(plain)),
	}
	if info != want || info.Size > info.Tree*3/4 {
		t.Errorf("layer is %+v, want %+v", info, want)
	}
}

func TestWriteLayerErrors(t *testing.T) {
	dir := t.TempDir()
	writeBase(t, dir)
	full := errors.New("no space left")
	if _, err := WriteLayer(t.Context(), dir, false, epoch, failing{full}); !errors.Is(err, full) {
		t.Errorf("error is %v, want %v", err, full)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := WriteLayer(ctx, dir, false, epoch, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	must(t, unix.Mknod(filepath.Join(dir, "gone"), unix.S_IFCHR, 0))
	_, err := WriteLayer(t.Context(), dir, false, epoch, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "layer of "+dir) || !strings.Contains(err.Error(), "gone: ") {
		t.Errorf("error is %v, want the tree and the path in it", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
