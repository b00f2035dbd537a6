package main_test

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/step"
)

// TestHadoopMesos builds the packages of a master with the operator's library hadoop-mesos, and without one.
func TestHadoopMesos(t *testing.T) {
	t.Parallel()
	f := builtGolden(t)
	f.out, f.vendor = filepath.Join(f.dir, "out"), filepath.Join(f.dir, "vendor")
	build := func() string {
		t.Helper()
		out, errs, code := f.run("build", "--role", "master", "--only", "packages", "--quiet")
		if code != 0 {
			t.Fatalf("forge build: exit status %d\n%s", code, errs)
		}
		return out
	}
	inventory := filepath.Join(f.checkout, "cluster.example.yaml")
	render := func(node string) string {
		t.Helper()
		out, errs, code := f.run("render", "--node", node, "--inventory", inventory)
		if code != 0 {
			t.Fatalf("forge render: exit status %d\n%s", code, errs)
		}
		return out
	}
	const taskTracker = "hadoop-0.20-mapreduce-tasktracker as mapred" // a service of a rendered node
	if said := build(); !strings.Contains(said, "without hadoop-mesos: no hadoop-mesos-*.jar in vendor and no builds.hadoop-mesos in forge.yaml\n") {
		t.Errorf("the summary says\n%s", said)
	}
	if _, there := f.plan("--role", "master")["deb/forge-hadoop-mesos"]; there {
		t.Error("the plan has the package of a library that is not there")
	}
	if got := render("master2"); strings.Contains(got, "MesosScheduler") {
		t.Error("the JobTracker is told of a scheduler that is not there")
	}
	if got := render("slave1"); !strings.Contains(got, taskTracker) {
		t.Error("no TaskTracker runs on a slave")
	}

	writeJar(t, filepath.Join(f.vendor, "hadoop-mesos-0.1.0.jar"))
	if said := build(); strings.Contains(said, "without") {
		t.Errorf("with the jar the summary says\n%s", said)
	}
	if p := f.plan("--role", "master")["deb/forge-hadoop-mesos"]; p.State != step.Hit {
		t.Errorf("the plan says %+v", p)
	}
	debs := filepath.Join(f.out, "debs")
	if got := jarOfDeb(t, filepath.Join(debs, "forge-hadoop-mesos_0.1.0-1_all.deb"), "./usr/lib/hadoop/lib/hadoop-mesos-0.1.0.jar"); !slices.Equal(got, []string{"org/apache/hadoop/mapred/MesosScheduler.class"}) {
		t.Errorf("the jar holds %q", got)
	}
	packed, err := exec.Command("sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x -O ./usr/share/forge/archives/hadoop-1.2.1-mesos-1.11.0.tar.gz | tar -tz`,
		"sh", filepath.Join(debs, "forge-hadoop-archive_1.2.1-1+hadoop.mesos_all.deb")).CombinedOutput()
	if err != nil || !bytes.Contains(packed, []byte("hadoop-mesos-0.1.0.jar\n")) {
		t.Errorf("the archive for executors: %v: %s", err, packed[:min(len(packed), 2000)])
	}
	fields, err := exec.Command("dpkg-deb", "--field", filepath.Join(debs, "forge-role-master_1-1+hadoop.mesos_all.deb"), "Depends").CombinedOutput()
	if err != nil || !bytes.Contains(fields, []byte("forge-hadoop-mesos")) {
		t.Errorf("the role depends on %s, %v", fields, err)
	}
	got := render("master2")
	for _, want := range []string{"org.apache.hadoop.mapred.MesosScheduler", "zk://10.162.2.91:2181,10.162.2.92:2181,10.162.2.93:2181/mesos",
		"hdfs://10.162.2.91:9000/hadoop-1.2.1-mesos-1.11.0.tar.gz", `MESOS_NATIVE_JAVA_LIBRARY="/usr/lib/forge/libmesos.so"`} {
		if !strings.Contains(got, want) {
			t.Errorf("forge render of the JobTracker's node lacks %s", want)
		}
	}
	if strings.Contains(render("slave1"), taskTracker) {
		t.Error("a TaskTracker runs beside those that Mesos starts")
	}
}

// writeJar writes a library that has the scheduler's class by name alone: nothing here runs it.
func writeJar(t *testing.T, path string) {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	_, err := w.Create("org/apache/hadoop/mapred/MesosScheduler.class")
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
