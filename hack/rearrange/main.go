// Command rearrange makes and rearranges archives of CDH's layout, for hack/bench-archive.
//
//	rearrange make FILE MIB        writes a tarball of CDH's layout with files of so many MiB, half of them such that
//	                               compress well
//	rearrange run IN OUT JAR       rearranges it as forge does, and prints the peak of its memory in MiB
package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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
	default:
		fmt.Fprintln(os.Stderr, "usage: rearrange make FILE MIB | rearrange run IN OUT JAR")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rearrange:", err)
		os.Exit(1)
	}
}

const top = "hadoop-2.3.0-cdh5.1.2"

// generate writes files of 1 MiB into the folders that CDH's has.
func generate(file, mib string) error {
	n, err := strconv.Atoi(mib)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of MiB", mib)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	gz := pgzip.NewWriter(f)
	w := tar.NewWriter(gz)
	put := func(name string, mode int64, content []byte) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: top + "/" + name, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(1409011203, 0)}
		header := w.WriteHeader(h)
		_, body := w.Write(content)
		err = errors.Join(err, header, body)
	}
	link := func(name, to string) {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: top + "/" + name, Linkname: to, Mode: 0o777, ModTime: time.Unix(1409011203, 0)}))
	}
	for _, name := range []string{"bin/hadoop", "bin-mapreduce1/hadoop", "etc/hadoop/core-site.xml", "etc/hadoop-mapreduce1/core-site.xml", "examples/e", "examples-mapreduce1/e"} {
		put(name, 0o755, []byte(name))
	}
	link("share/hadoop/mapreduce", "mapreduce2")
	link("share/hadoop/mapreduce1/bin", "../../../bin-mapreduce1/")
	folders := []string{"bin", "examples", "share/hadoop/common/lib", "share/hadoop/mapreduce1", "share/hadoop/mapreduce2", "src"}
	noise := make([]byte, 1<<20)
	src := rand.NewChaCha8([32]byte{1})
	text := []byte(strings.Repeat("public class Hadoop { /* the quick brown fox */ }\n", 1<<20/50))
	for i := range n {
		content := text
		if i%2 == 0 {
			_, _ = src.Read(noise) // never fails
			content = noise
		}
		put(fmt.Sprintf("%s/%04d.jar", folders[i%len(folders)], i), 0o644, content)
	}
	return errors.Join(err, w.Close(), gz.Close(), f.Close())
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
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if peak == nil {
		return errors.New("the peak of the memory is not in /proc/self/status")
	}
	kib, err := strconv.Atoi(string(peak[1]))
	fmt.Println(kib / 1024)
	return err
}
