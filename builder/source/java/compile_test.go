package java_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source/java"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// jdk is the one that CI has: Debian's of bookworm.
func jdk(t *testing.T) java.JDK {
	t.Helper()
	j, err := java.Find("17", "")
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

// greeting are two packages, one of which has a class in a class.
var greeting = map[string]string{
	"a/Greeting.java":  "package a;\npublic class Greeting {\n  static class Name { String of = \"w\u00f6rld\"; }\n  public String text() { return \"hello, \" + new Name().of; }\n}\n",
	"a/b/Printer.java": "package a.b;\npublic class Printer { public static void main(String[] args) { System.out.println(new a.Greeting().text()); } }\n",
}

// sources writes files to a folder of its own.
func sources(t *testing.T, files map[string]string) java.Sources {
	t.Helper()
	s := java.Sources{Dir: t.TempDir(), Release: 11}
	for name, text := range files {
		path := filepath.Join(s.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		s.Files = append(s.Files, name)
	}
	slices.Sort(s.Files)
	return s
}

func compile(t *testing.T, s java.Sources) []byte {
	t.Helper()
	to := filepath.Join(t.TempDir(), "made.jar")
	if err := (&java.Compiler{JDK: jdk(t), Temp: t.TempDir()}).Compile(context.Background(), s, to); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCompile makes a jar twice, of sources in two folders, and runs it.
func TestCompile(t *testing.T) {
	jar := compile(t, sources(t, greeting))
	if again := compile(t, sources(t, greeting)); !bytes.Equal(jar, again) {
		t.Error("the same sources gave two jars")
	}
	r, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
		if y := f.Modified.UTC().Format("2006-01-02"); y != "1980-01-01" {
			t.Errorf("%s is of %s", f.Name, y)
		}
		if !strings.HasSuffix(f.Name, ".class") {
			continue
		}
		if major := classVersion(t, f); major != 55 { // Java 11: JVMS 4.1
			t.Errorf("%s is of version %d", f.Name, major)
		}
	}
	if want := []string{"META-INF/MANIFEST.MF", "a/Greeting$Name.class", "a/Greeting.class", "a/b/Printer.class"}; !slices.Equal(names, want) {
		t.Errorf("the jar holds %q, want %q", names, want)
	}
	path := filepath.Join(t.TempDir(), "a.jar")
	if err := os.WriteFile(path, jar, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(jdk(t).Home, "bin/java"), "-Dfile.encoding=UTF-8", "-cp", path, "a.b.Printer").CombinedOutput()
	if err != nil || string(out) != "hello, w\u00f6rld\n" {
		t.Errorf("it says %q, %v", out, err)
	}
}

func classVersion(t *testing.T, f *zip.File) uint16 {
	t.Helper()
	in, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	head := make([]byte, 8)
	if _, err := io.ReadFull(in, head); err != nil || !bytes.HasPrefix(head, []byte{0xca, 0xfe, 0xba, 0xbe}) {
		t.Fatalf("%s begins with %x, %v", f.Name, head, err)
	}
	return binary.BigEndian.Uint16(head[6:])
}

// TestCompileAgainst makes a jar against another one, which isn't in it.
func TestCompileAgainst(t *testing.T) {
	library := filepath.Join(t.TempDir(), "greeting.jar")
	if err := os.WriteFile(library, compile(t, sources(t, map[string]string{"a/Greeting.java": greeting["a/Greeting.java"]})), 0o644); err != nil {
		t.Fatal(err)
	}
	s := sources(t, map[string]string{"a/b/Printer.java": greeting["a/b/Printer.java"]})
	s.ClassPath = []java.Jar{{Path: library, Name: "/usr/lib/greeting.jar"}}
	jar := compile(t, s)
	if r, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar))); err != nil || len(r.File) != 2 {
		t.Errorf("the jar holds %d members, %v", len(r.File), err)
	}
}

// TestCompileErrors wants javac's own messages, and the command that shows them again.
func TestCompileErrors(t *testing.T) {
	j := jdk(t)
	s := sources(t, map[string]string{"a/b/Printer.java": greeting["a/b/Printer.java"]})
	s.ClassPath = []java.Jar{{Path: "/usr/share/java/none.jar", Name: "/usr/lib/none.jar"}}
	if err := (&java.Compiler{JDK: j, Temp: t.TempDir()}).Compile(context.Background(), s, filepath.Join(t.TempDir(), "a.jar")); err == nil || !strings.Contains(err.Error(), "/usr/share/java/none.jar") {
		t.Errorf("a class path that is not there: %v", err)
	}
	s.ClassPath = nil
	to := filepath.Join(t.TempDir(), "a.jar")
	err := (&java.Compiler{JDK: j, Temp: t.TempDir()}).Compile(context.Background(), s, to)
	for _, want := range []string{"javac failed (exit status 1):\na/b/Printer.java:2: error: cannot find symbol\n", "\n1 error\n",
		"To repeat it: cd " + s.Dir + " && " + j.Home + "/bin/javac --release 11 ", " -d /tmp/classes a/b/Printer.java"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v; want %q", err, want)
		}
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("there is a jar in spite of the error")
	}
	if err != nil {
		repeat := exec.Command("sh", "-c", err.Error()[strings.Index(err.Error(), "cd "):])
		if out, err := repeat.CombinedOutput(); err == nil || !strings.Contains(string(out), "cannot find symbol") {
			t.Errorf("the command of the message says %q, %v", out, err)
		}
	}
}

// TestFind names what is there in place of the JDK, and what to install.
func TestFind(t *testing.T) {
	_, err := java.Find("5", "")
	for _, want := range []string{"the build wants JDK 5, and the host has ", "apt install openjdk-5-jdk-headless"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v; want %q", err, want)
		}
	}
	if _, err := java.Find("17", t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not the folder of a JDK") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestFindIn finds a JDK in a tree by its file "release", and follows no link out of the tree.
func TestFindIn(t *testing.T) {
	tree := t.TempDir()
	home := filepath.Join(tree, "usr/lib/jvm/java-17-openjdk-amd64")
	if err := errors.Join(os.MkdirAll(filepath.Join(home, "bin"), 0o755), os.WriteFile(filepath.Join(home, "bin/javac"), nil, 0o755),
		os.WriteFile(filepath.Join(home, "release"), []byte("IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\n"), 0o644),
		os.Symlink("java-17-openjdk-amd64", filepath.Join(tree, "usr/lib/jvm/default-java"))); err != nil {
		t.Fatal(err)
	}
	want := java.JDK{Home: "/usr/lib/jvm/java-17-openjdk-amd64", Version: "17.0.15", Vendor: "Debian"}
	if j, err := java.FindIn(tree, "17"); err != nil || j != want {
		t.Errorf("%+v, %v; want %+v", j, err, want)
	}
	if _, err := java.FindIn(tree, "11"); err == nil || !strings.Contains(err.Error(), tree+" has no JDK 11") {
		t.Errorf("a JDK that is not there: %v", err)
	}
	other := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(other, "usr/lib/jvm"), 0o755), os.Symlink(home, filepath.Join(other, "usr/lib/jvm/java-17"))); err != nil {
		t.Fatal(err)
	}
	if j, err := java.FindIn(other, "17"); err == nil {
		t.Errorf("%+v was found outside the tree", j)
	}
}
