package mavenbuild_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source/java"
	"github.com/mesos-forge/forge/builder/source/mavenbuild"
	"github.com/mesos-forge/forge/builder/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// jdk is the one that CI has: Debian's of bookworm.
func jdk(t *testing.T) java.JDK {
	t.Helper()
	j, err := java.Find("17", "")
	if err == nil {
		_, err = exec.LookPath("mvn")
	}
	if err == nil && os.Geteuid() != 0 {
		err = errors.New("needs root for the sandbox")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return j
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// project packs testdata/project after edit has changed a copy of it.
func project(t *testing.T, edit func(dir string)) mavenbuild.Project {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.CopyFS(dir, os.DirFS("testdata/project")); err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(dir)
	}
	tree := dir + ".tar"
	f, err := os.Create(tree)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(archive.WriteTar(context.Background(), dir, f, archive.TarOptions{}), f.Close()); err != nil {
		t.Fatal(err)
	}
	return mavenbuild.Project{Name: "idle", Tree: tree, Jar: "target/idle-scheduler-*.jar", Repeat: "git clone file:///x idle && cd idle"}
}

// replace changes a file of a project.
func replace(t *testing.T, name, old, new string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	if err := os.WriteFile(name, bytes.Replace(text, []byte(old), []byte(new), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

func builder(t *testing.T, blobs *store.Store) *mavenbuild.Builder {
	t.Helper()
	return &mavenbuild.Builder{JDK: jdk(t), Temp: filepath.Join(blobs.Dir(), "tmp")}
}

// TestBuild builds a real jar against Mesos's and Hadoop's from the Maven repositories of the machine's settings, once to
// record what that takes, and then from these files alone, twice, without a network.
func TestBuild(t *testing.T) {
	ctx := context.Background()
	blobs := openStore(t)
	b, p := builder(t, blobs), project(t, nil)
	files, err := b.Record(ctx, p, nil, blobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"org/apache/mesos/mesos/1.11.0/mesos-1.11.0.jar", "org/apache/hadoop/hadoop-core/1.2.1/hadoop-core-1.2.1.jar", "org/apache/maven/plugins/"} {
		if !slices.ContainsFunc(files, func(f mavenbuild.File) bool { return strings.HasPrefix(f.Path, want) && blobs.HasBlob(f.Digest) }) {
			t.Errorf("%s is not recorded", want)
		}
	}
	hadoop := files[slices.IndexFunc(files, func(f mavenbuild.File) bool { return strings.HasSuffix(f.Path, "/hadoop-core-1.2.1.jar") })]
	if hadoop.Digest != "sha256:3b157e18bb2f1da489e3a7ebaacebe36abf924f0110c174a0077f2c36fbc9ab5" {
		t.Errorf("%+v", hadoop)
	}
	first, err := b.Build(ctx, p, files, blobs)
	if err != nil {
		t.Fatal(err)
	}
	other := builder(t, blobs)
	other.Temp = t.TempDir()
	second, err := other.Build(ctx, project(t, nil), files, blobs)
	if err != nil {
		t.Fatal(err)
	}
	if first.Digest != second.Digest || first.File != "idle-scheduler-0.1.0.jar" {
		t.Errorf("two builds differ: %+v, %+v", first, second)
	}
	checkJar(t, blobs, first.Digest)

	t.Run("locked", func(t *testing.T) { checkLocked(t, b, p, files, blobs) })
	t.Run("fails", func(t *testing.T) { checkFailures(t, b, files, blobs) })
}

// checkJar wants the classes that were compiled, by a run of Java too, and no dates.
func checkJar(t *testing.T, blobs *store.Store, d store.Digest) {
	t.Helper()
	path, err := blobs.BlobPath(d)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if z.File[0].Name != "META-INF/" || z.File[1].Name != "META-INF/MANIFEST.MF" {
		t.Errorf("starts with %s, %s", z.File[0].Name, z.File[1].Name)
	}
	for _, m := range z.File {
		if m.Modified.Year() != 1980 {
			t.Errorf("%s has time %v", m.Name, m.Modified)
		}
		if filepath.Base(m.Name) != "pom.properties" {
			continue
		}
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || bytes.Contains(text, []byte("#")) || !bytes.Contains(text, []byte("version=0.1.0")) {
			t.Errorf("%s: %v\n%s", m.Name, err, text)
		}
	}
	out, err := exec.Command(filepath.Join(jdk(t).Home, "bin/javap"), "-cp", path, "org.example.mesos.IdleScheduler").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "IdleScheduler implements org.apache.mesos.Scheduler") {
		t.Errorf("javap: %v\n%s", err, out)
	}
}

// checkLocked records again: from the store without running anything; and into an empty store, where one digest is another
// one than the repository's.
func checkLocked(t *testing.T, b *mavenbuild.Builder, p mavenbuild.Project, files []mavenbuild.File, blobs *store.Store) {
	ctx := context.Background()
	idle := *b
	idle.Program = "/nonexistent/mvn"
	if again, err := idle.Record(ctx, p, files, blobs); err != nil || !slices.Equal(again, files) {
		t.Errorf("from the store: %d files, %v", len(again), err)
	}
	wrong := slices.Clone(files)
	i := slices.IndexFunc(wrong, func(f mavenbuild.File) bool { return strings.HasSuffix(f.Path, "/mesos-1.11.0.jar") })
	wrong[i].Digest = store.DigestOf([]byte("another jar"))
	_, err := b.Record(ctx, p, wrong, blobs)
	var mismatch *store.DigestError
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), files[i].Path) || !strings.Contains(err.Error(), string(files[i].Digest)) {
		t.Errorf("changed dependency: %v", err)
	}
	gone := slices.Clone(files)
	gone[i].Path, gone[i].Digest = "org/example/gone/1/gone-1.jar", store.DigestOf([]byte("gone"))
	if _, err := b.Record(ctx, p, gone, blobs); err == nil || !strings.Contains(err.Error(), "gone-1.jar of the lock did not come from any repository") {
		t.Errorf("dependency that is gone: %v", err)
	}
}

func checkFailures(t *testing.T, b *mavenbuild.Builder, files []mavenbuild.File, blobs *store.Store) {
	main := "src/main/java/org/example/mesos/IdleScheduler.java"
	without := slices.DeleteFunc(slices.Clone(files), func(f mavenbuild.File) bool { return strings.Contains(f.Path, "/hadoop-core/") })
	for name, c := range map[string]struct {
		edit  func(dir string)
		files []mavenbuild.File
		jar   string
		wants []string
	}{
		"does not compile": {edit: func(dir string) { replace(t, filepath.Join(dir, main), "return conf.get", "return cnf.get") },
			wants: []string{"project idle: mvn package failed (exit status 1)", "IdleScheduler.java:[19", "cannot find symbol",
				"To repeat it: git clone file:///x idle && cd idle && JAVA_HOME=" + b.JDK.Home + " mvn -B -DskipTests package"}},
		"dependency not recorded": {files: without, wants: []string{"org.apache.hadoop:hadoop-core:jar:1.2.1", "its record has not got", "forge lock"}},
		"open version": {edit: func(dir string) {
			replace(t, filepath.Join(dir, "pom.xml"), "<dependencies>", "<build><plugins><plugin><groupId>org.example</groupId><artifactId>p</artifactId></plugin></plugins></build><dependencies>")
		}, wants: []string{"org.example:p", "a plugin without <version>"}},
		"no such jar":  {jar: "target/hadoop-mesos-*.jar", wants: []string{"made no file that matches target/hadoop-mesos-*.jar; it made target/idle-scheduler-0.1.0.jar"}},
		"several jars": {jar: "target/*classes/org/example/mesos/*.class", wants: []string{"made 2 files that match", "target/classes/org/example/mesos/IdleScheduler.class, target/test-classes/org/example/mesos/NeverRunTest.class"}},
		"no jar":       {jar: "target/classes/org/example/mesos/*.class", wants: []string{"IdleScheduler.class: not a jar"}},
		"no project":   {edit: func(dir string) { _ = os.Remove(filepath.Join(dir, "pom.xml")) }, wants: []string{"no pom.xml at its top"}},
	} {
		p := project(t, c.edit)
		if c.jar != "" {
			p.Jar = c.jar
		}
		if c.files == nil {
			c.files = files
		}
		_, err := b.Build(context.Background(), p, c.files, blobs)
		for _, want := range c.wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want %q in: %v", name, want, err)
			}
		}
	}
}

// TestNoNetwork wants a build to see no address but its own, and nothing of the host but programs.
func TestNoNetwork(t *testing.T) {
	blobs := openStore(t)
	b := builder(t, blobs)
	// A program that takes mvn's place says what it sees.
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.Program = filepath.Join(home, "bin/mvn")
	script := "#!/bin/sh\ncat /proc/net/dev | tail -n +3 | cut -d: -f1; ls /root /home /work /etc/shadow 2>&1; touch /usr/x 2>&1; ls /tmp; env | sort; exit 3\n"
	if err := os.WriteFile(b.Program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET_TOKEN", "x")
	_, err := b.Build(context.Background(), project(t, nil), nil, blobs)
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	for _, want := range []string{"\n    lo\n", "'/root': No such file", "'/etc/shadow': No such file", "/usr/x': Read-only file system", "HOME=/tmp/home", "exit status 3"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
	for _, bad := range []string{"SECRET", "eth0"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s is seen:\n%s", bad, text)
		}
	}
}
