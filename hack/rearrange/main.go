// Command rearrange makes and rearranges archives of CDH's layout, for hack/bench-archive.
//
//	rearrange make FILE MIB        writes a tarball of CDH's layout with files of so many MiB: half of that in
//	                               libraries, which don't compress any further, half in small texts
//	rearrange run IN OUT JAR       rearranges it as forge does
//	rearrange peak COMMAND...      runs a command and prints the peak of memory, in MiB, of the largest of its processes
package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/klauspost/pgzip"

	"github.com/mesos-forge/forge/builder/archive/mrv1"
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 3 && args[0] == "make":
		err = generate(args[1], args[2])
	case len(args) == 4 && args[0] == "run":
		err = run(args[1], args[2], args[3])
	case len(args) > 1 && args[0] == "peak":
		err = peak(args[1:])
	default:
		fmt.Fprintln(os.Stderr, "usage: rearrange make FILE MIB | rearrange run IN OUT JAR | rearrange peak COMMAND...")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rearrange:", err)
		os.Exit(1)
	}
}

const top = "hadoop-2.3.0-cdh5.1.2"

// sizes of the generated files, in bytes, as a release has them: jars, and sources and pages in great number.
const (
	librarySize = 1 << 20
	textSize    = 16 << 10
)

// generate writes libraries and texts into the folders that CDH's has.
func generate(file, mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil || n < 2 {
		return fmt.Errorf("%q is no number of MiB", mib)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	gz := pgzip.NewWriter(f)
	t := tarball{w: tar.NewWriter(gz)}
	for _, name := range []string{"bin/hadoop", "bin-mapreduce1/hadoop", "etc/hadoop/core-site.xml", "etc/hadoop-mapreduce1/core-site.xml", "examples/e", "examples-mapreduce1/e"} {
		t.put(name, 0o755, []byte(name))
	}
	t.link("share/hadoop/mapreduce", "mapreduce2")
	t.link("share/hadoop/mapreduce1/bin", "../../../bin-mapreduce1/")
	seed := rand.NewChaCha8([32]byte{1})
	fill(&t, n<<20/2, librarySize, "jar", []string{"examples", "share/hadoop/common/lib", "share/hadoop/mapreduce1", "share/hadoop/mapreduce2"},
		func(b []byte) { _, _ = seed.Read(b) }) // never fails
	words := words(rand.New(seed))
	fill(&t, n<<20/2, textSize, "java", []string{"bin", "src/hadoop-common-project", "src/hadoop-mapreduce1-project", "share/doc/api"}, words)
	return errors.Join(t.err, t.w.Close(), gz.Close(), f.Close())
}

// tarball is one that is being written, and the first error of that.
type tarball struct {
	w   *tar.Writer
	err error
}

func (t *tarball) put(name string, mode int64, content []byte) {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: top + "/" + name, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(1409011203, 0)}
	header := t.w.WriteHeader(h)
	_, body := t.w.Write(content)
	t.err = errors.Join(t.err, header, body)
}

func (t *tarball) link(name, to string) {
	t.err = errors.Join(t.err, t.w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: top + "/" + name, Linkname: to, Mode: 0o777, ModTime: time.Unix(1409011203, 0)}))
}

// fill writes files of one size, total bytes together, into the folders in turn.
func fill(t *tarball, total, size int, ext string, folders []string, content func([]byte)) {
	b := make([]byte, size)
	for i := range total / size {
		content(b)
		t.put(fmt.Sprintf("%s/%05d.%s", folders[i%len(folders)], i, ext), 0o644, b)
	}
}

// words returns what fills a text with words of a vocabulary, the first ones often and the last ones seldom. It
// compresses about as source code does, to a fourth.
func words(r *rand.Rand) func([]byte) {
	var vocabulary [2000]string
	for i := range vocabulary {
		w := make([]byte, 3+r.IntN(9))
		for j := range w {
			w[j] = byte('a' + r.IntN(26))
		}
		vocabulary[i] = string(w)
	}
	often := rand.NewZipf(r, 1.1, 4, uint64(len(vocabulary)-1))
	return func(b []byte) {
		for n := 0; n < len(b); n++ {
			n += copy(b[n:], vocabulary[often.Uint64()])
			if n < len(b) {
				b[n] = " \n"[r.IntN(10)/9]
			}
		}
	}
}

func run(from, to, jar string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := os.Stat(jar)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = mrv1.Rearrange(context.Background(), in, out, mrv1.Options{Input: filepath.Base(from), Name: filepath.Base(to), Clamp: time.Unix(1409011203, 0),
		Jars: []mrv1.Jar{{Name: filepath.Base(jar), Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(jar) }}}})
	return errors.Join(err, out.Close())
}

func peak(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("the system does not say what the command used")
	}
	_, err := fmt.Println(usage.Maxrss / 1024) // Maxrss is in KiB
	return err
}
