package mrv1

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// FuzzRearrange: whatever comes in, what comes out is a tarball of one folder, or an error. The fuzzer makes the
// tar: behind the checksum of gzip it would never get to it.
func FuzzRearrange(f *testing.F) {
	f.Add(plain(f, pack(f, original())))
	f.Add(plain(f, pack(f, original()[:7])))
	f.Fuzz(func(t *testing.T, in []byte) {
		var zipped, out bytes.Buffer
		gz := gzip.NewWriter(&zipped)
		if _, err := gz.Write(in); err != nil {
			t.Fatal(err)
		}
		if err := gz.Close(); err != nil {
			t.Fatal(err)
		}
		sum, err := Rearrange(t.Context(), &zipped, &out, options())
		if err != nil {
			return
		}
		checkRearranged(t, plain(t, out.Bytes()), sum)
	})
}

// plain unpacks a gzip.
func plain(t testing.TB, b []byte) []byte {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkRearranged wants every name below the top, once, and every link to lead to something inside.
func checkRearranged(t *testing.T, in []byte, sum Summary) {
	t.Helper()
	entries, names, targets := map[string]bool{}, map[string]bool{}, map[string]string{}
	n := 0
	for r := tar.NewReader(bytes.NewReader(in)); ; n++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		if !fs.ValidPath(name) || name != sum.Top && !strings.HasPrefix(name, sum.Top+"/") || h.Uid != 0 || h.Gid != 0 || h.ModTime.After(clamp) {
			t.Errorf("entry %+v", h)
		}
		if entries[name] {
			t.Errorf("%q is there twice", name)
		}
		entries[name] = true
		for dir := name; dir != "."; dir = path.Dir(dir) {
			names[dir] = true
		}
		if h.Typeflag == tar.TypeSymlink {
			targets[name] = path.Join(path.Dir(name), h.Linkname)
		}
	}
	if n != sum.Entries || len(targets) != 5 {
		t.Errorf("%d entries, and the summary says %d; %d links", n, sum.Entries, len(targets))
	}
	for at, to := range targets {
		if !names[to] || !strings.HasPrefix(to, sum.Top+"/") {
			t.Errorf("the link %q leads to %q", at, to)
		}
	}
	for _, name := range []string{"bin-mapreduce1/hadoop", "share/hadoop/common/lib/hadoop-mesos-0.0.8.jar"} {
		if !names[sum.Top+"/"+name] {
			t.Errorf("%s is missing", name)
		}
	}
}
