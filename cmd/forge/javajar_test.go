package main_test

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/step"
)

// TestJavaJar builds Spark's package with its jar of sources: an edited source is named by the plan, one that does not
// compile fails with javac's words, and a host without a JDK comes to the package that the lock has.
func TestJavaJar(t *testing.T) {
	f := forgeWithout(t)
	f.flags = []string{"--only", "packages"}
	const source = "recipes/bookworm/java/forge/hdfs/NameNode.java"

	restore := f.edit(source, `port = port;`, "port = prt;")
	if p := f.plan()["deb/forge-spark"]; p.State != step.Miss || len(p.Reasons) != 1 || !strings.HasPrefix(p.Reasons[0], "input "+source+" changed") {
		t.Errorf("the plan says %+v; want a miss that names %s and nothing else", p, source)
	}
	f.refuses("build --role slave", "/usr/lib/spark/jars/forge-webhdfs.jar: javac failed (exit status 1):", "forge/hdfs/NameNode.java:", "error: cannot find symbol",
		"To repeat it: cd "+filepath.Join(f.checkout, "recipes/bookworm/java")+" && /", "/bin/javac --release 11 ", "/usr/lib/spark/jars/hadoop-client-api-3.3.4.jar")
	restore()

	// A mount namespace hides the host's JDKs.
	f.wrap = []string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /usr/lib/jvm && exec "$0" "$@"`}
	f.env = append(f.env, "JAVA_HOME=")
	f.build()
	if got := jarOfDeb(t, filepath.Join(f.out, "debs/forge-spark_3.5.6-1_all.deb"), "./usr/lib/spark/jars/forge-webhdfs.jar"); !slices.Equal(got, []string{
		"META-INF/MANIFEST.MF", "forge/hdfs/Hadoop1WebHdfs.class", "forge/hdfs/NameNode.class", "forge/hdfs/RangeInputStream.class"}) {
		t.Errorf("the jar holds %q", got)
	}
}

// jarOfDeb lists the members of a jar in a package.
func jarOfDeb(t *testing.T, deb, member string) []string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x -O "$2" >"$3/a.jar"`, "sh", deb, member, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("sh", "-c", `dpkg-deb -c "$1" | grep "$2$"`, "sh", deb, member).Output(); err != nil || !strings.HasPrefix(string(out), "-rw-r--r-- root/root") {
		t.Errorf("the package has %s, %v", out, err)
	}
	jar, err := zip.OpenReader(filepath.Join(dir, "a.jar"))
	if err != nil {
		t.Fatal(err)
	}
	defer jar.Close()
	var names []string
	for _, f := range jar.File {
		names = append(names, f.Name)
	}
	return names
}
