package mrv1

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/mesos-forge/forge/builder/archive"
)

const (
	input = "hadoop-2.3.0-cdh5.1.2.tar.gz"
	top   = "hadoop-2.3.0-cdh5.1.2"
	name  = "hadoop-2.3.0-cdh5.1.2-mesos-0.19.0.tar.gz"
)

var (
	made  = time.Date(2014, 8, 26, 1, 20, 3, 5, time.UTC)
	clamp = time.Date(2014, 8, 26, 0, 0, 0, 0, time.UTC)
)

// file is one entry of a made-up tarball of CDH's layout.
type file struct {
	name, content string // a name that ends in "/" is a folder; "-> TARGET" is a link's content
	mode          int64
}

func original() []file {
	return []file{
		{top + "/", "", 0o755},
		{top + "/bin/", "", 0o755}, {top + "/bin/hadoop", "#!/bin/sh\necho 2", 0o755}, {top + "/bin/hdfs", "hdfs", 0o755},
		{top + "/bin-mapreduce1/", "", 0o755}, {top + "/bin-mapreduce1/hadoop", "#!/bin/sh\necho 1", 0o775},
		{top + "/cloudera/", "", 0o755}, {top + "/cloudera/build.properties", "version=2.3.0-cdh5.1.2\n", 0o600},
		{top + "/etc/", "", 0o755},
		{top + "/etc/hadoop/", "", 0o755}, {top + "/etc/hadoop/core-site.xml", "2", 0o644},
		{top + "/etc/hadoop-mapreduce1/", "", 0o755}, {top + "/etc/hadoop-mapreduce1/core-site.xml", "1", 0o644},
		{top + "/etc/hadoop-mapreduce1-pseudo/", "", 0o755},
		{top + "/examples/", "", 0o755}, {top + "/examples/e2.jar", "2", 0o644},
		{top + "/examples-mapreduce1/", "", 0o755}, {top + "/examples-mapreduce1/e1.jar", "1", 0o644},
		{top + "/share/hadoop/common/lib/", "", 0o755}, {top + "/share/hadoop/common/lib/guava.jar", "guava", 0o644},
		{top + "/share/hadoop/mapreduce", "-> mapreduce2", 0o777},
		{top + "/share/hadoop/mapreduce1/", "", 0o755}, {top + "/share/hadoop/mapreduce1/bin", "-> ../../../bin-mapreduce1/", 0o777},
		{top + "/share/hadoop/mapreduce1/core.jar", "1", 0o644},
		{top + "/share/hadoop/mapreduce2/", "", 0o755}, {top + "/share/hadoop/mapreduce2/core.jar", "2", 0o644},
	}
}

// pack makes a .tar.gz of entries.
func pack(t testing.TB, files []file) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, ModTime: made, Uid: 1106, Gid: 4001, Uname: "jenkins", Gname: "jenkins"}
		target, link := strings.CutPrefix(f.content, "-> ")
		switch {
		case link:
			h.Typeflag, h.Linkname = tar.TypeSymlink, target
		case strings.HasSuffix(f.name, "/"):
			h.Typeflag = tar.TypeDir
		default:
			h.Typeflag, h.Size = tar.TypeReg, int64(len(f.content))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, f.content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jar(content string) Jar {
	return Jar{Name: "hadoop-mesos-0.0.8.jar", Size: int64(len(content)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

func options() Options {
	return Options{Input: input, Name: name, Jars: []Jar{jar("mesos")}, Clamp: clamp}
}

func rearranged(t *testing.T, in []byte, o Options) ([]byte, Summary) {
	t.Helper()
	var out bytes.Buffer
	sum, err := Rearrange(t.Context(), bytes.NewReader(in), &out, o)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), sum
}

// TestRearrange has the system's own tar unpack the result, and looks at it as the executor does.
func TestRearrange(t *testing.T) {
	out, sum := rearranged(t, pack(t, original()), options())
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, out, 0o644); err != nil {
		t.Fatal(err)
	}
	listing, err := exec.Command("tar", "--utc", "--full-time", "-tvzf", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/listing.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(listing)); diff != "" {
		t.Errorf("the result (-want +got):\n%s", diff)
	}
	if n := strings.Count(string(listing), "\n"); sum.Top != top || sum.Entries != n || sum.Bytes == 0 {
		t.Errorf("summary %+v of %d entries", sum, n)
	}
	run := exec.Command("sh", "-ec", `tar -xzf "$1"; cd hadoop-2*; bin/hadoop; cat etc/hadoop/core-site.xml examples/e1.jar share/hadoop/mapreduce/core.jar share/hadoop/mapreduce/bin/hadoop share/hadoop/common/lib/hadoop-mesos-0.0.8.jar bin-mapreduce2/hdfs`, "sh", path)
	run.Dir = dir
	got, err := run.CombinedOutput()
	if want := "1\n111#!/bin/sh\necho 1mesoshdfs"; err != nil || string(got) != want {
		t.Errorf("as the executor runs it: %v, %q, want %q", err, got, want)
	}
}

// TestRearrangeIsTheSameEveryTime, whatever the number of processors and whoever packed the input.
func TestRearrangeIsTheSameEveryTime(t *testing.T) {
	files := original()
	files = append(files, file{top + "/share/hadoop/big.bin", strings.Repeat("0123456789abcdef", 1<<18), 0o644})
	first, _ := rearranged(t, pack(t, files), options())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	second, _ := rearranged(t, pack(t, files), options())
	if !bytes.Equal(first, second) {
		t.Error("two runs gave different bytes")
	}
	if flags := first[3]; flags != 0 || !bytes.Equal(first[4:8], []byte{0, 0, 0, 0}) {
		t.Errorf("the header of gzip holds a name or a time: % x", first[:10])
	}
}

func TestRearrangeRefuses(t *testing.T) {
	without := func(names ...string) []file {
		var out []file
		for _, f := range original() {
			keep := true
			for _, n := range names {
				keep = keep && !strings.HasPrefix(f.name, top+"/"+n)
			}
			if keep {
				out = append(out, f)
			}
		}
		return out
	}
	and := func(f ...file) []file { return append(original(), f...) }
	again, _ := rearranged(t, pack(t, original()), options())
	for _, c := range []struct {
		name string
		in   []byte
		opt  func(*Options)
		want string
		is   error
	}{
		{name: "not gzip", in: []byte("PK\x03\x04"), want: input + ": malformed archive: not compressed with gzip", is: archive.ErrMalformed},
		{name: "cut off", in: pack(t, original())[:400], want: input, is: archive.ErrMalformed},
		{name: "wrong checksum", in: flipped(pack(t, original())), want: input, is: archive.ErrMalformed},
		{name: "empty", in: pack(t, nil), want: "it is empty"},
		{name: "another release", in: pack(t, []file{{"hadoop-2.7.1/", "", 0o755}, {"hadoop-2.7.1/bin/hadoop", "", 0o755}}), want: `entry "hadoop-2.7.1/bin-mapreduce1": the folder is missing: this is not the tarball of CDH 5`},
		{name: "a name that the executor does not find", in: pack(t, original()), opt: func(o *Options) { o.Name = "cdh-mesos.tar.gz" }, want: "the folder " + top + " is not found by an executor that unpacks cdh-mesos.tar.gz: it looks for cdh-mesos*"},
		{name: "already rearranged", in: again, want: "has been rearranged already"},
		{name: "a second folder", in: pack(t, and(file{"other/x", "", 0o644})), want: `entry "other/x": a second folder at the top`},
		{name: "a file at the top", in: pack(t, []file{{"README", "x", 0o644}}), opt: func(o *Options) { o.Name = "README.tar.gz" }, want: "no folder at the top"},
		{name: "no programs of MapReduce 1", in: pack(t, without("bin-mapreduce1")), want: `entry "` + top + `/bin-mapreduce1"`},
		{name: "program without x", in: pack(t, append(without("bin-mapreduce1/hadoop"), file{top + "/bin-mapreduce1/hadoop", "", 0o644})), want: "bin-mapreduce1/hadoop"},
		{name: "no link", in: pack(t, append(without("share/hadoop/mapreduce"), file{top + "/share/hadoop/mapreduce1/x", "", 0o644}, file{top + "/share/hadoop/mapreduce2/x", "", 0o644})), want: "the symbolic link to mapreduce2 is missing"},
		{name: "the link leads elsewhere", in: pack(t, append(without("share/hadoop/mapreduce"), file{top + "/share/hadoop/mapreduce", "-> mapreduce1", 0o777})), want: `a symbolic link to "mapreduce1", not to "mapreduce2"`},
		{name: "another link", in: pack(t, and(file{top + "/lib/x", "-> /etc/passwd", 0o777})), want: `an unknown symbolic link to "/etc/passwd"`},
		{name: "absolute", in: pack(t, and(file{"/etc/passwd", "x", 0o644})), want: "/etc/passwd", is: archive.ErrEscape},
		{name: "dots", in: pack(t, and(file{top + "/../../x", "x", 0o644})), want: "..", is: archive.ErrEscape},
		{name: "twice", in: pack(t, and(file{top + "/bin/hadoop", "x", 0o644})), want: "bin/hadoop", is: archive.ErrExists},
		{name: "the jar is there", in: pack(t, and(file{top + "/share/hadoop/common/lib/hadoop-mesos-0.0.8.jar", "x", 0o644})), want: "hadoop-mesos-0.0.8.jar", is: archive.ErrExists},
		{name: "jar too short", in: pack(t, original()), opt: func(o *Options) { o.Jars[0].Size++ }, want: "missed writing 1 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options()
			if c.opt != nil {
				c.opt(&o)
			}
			_, err := Rearrange(t.Context(), bytes.NewReader(c.in), io.Discard, o)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v; want %q, %v", err, c.want, c.is)
			}
		})
	}
}

// flipped changes the checksum at the end of a gzip.
func flipped(b []byte) []byte {
	b[len(b)-8] ^= 1
	return b
}

func TestRearrangeRefusesTypes(t *testing.T) {
	for _, kind := range []byte{tar.TypeLink, tar.TypeChar, tar.TypeFifo} {
		var b bytes.Buffer
		gz := gzip.NewWriter(&b)
		w := tar.NewWriter(gz)
		if err := w.WriteHeader(&tar.Header{Typeflag: kind, Name: top + "/x", Linkname: top + "/y", Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Close(), gz.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := Rearrange(t.Context(), &b, io.Discard, options()); !errors.Is(err, archive.ErrType) || !strings.Contains(err.Error(), top+"/x") {
			t.Errorf("type %q: %v", kind, err)
		}
	}
}
