package java

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// Sources are what a jar is made of.
type Sources struct {
	Dir       string   // the folder of the packages, on the host
	Files     []string // below Dir, with slashes: a/b/Class.java
	ClassPath []Jar    // what the sources are compiled against; nothing of it is in the jar
	Release   int      // the oldest Java that runs the classes (javac --release)
}

// Jar is a file of a class path.
type Jar struct {
	Path string // on the host
	Name string // in messages
}

// Compiler runs javac.
type Compiler struct {
	JDK  JDK
	Root string    // the tree that has the JDK; "" is the host
	Temp string    // a folder for what is made on the way
	Log  io.Writer // hears all that javac says; nil is nobody
}

// options are javac's: no code of the class path is run (annotation processors), and what the classes say of their
// sources is lines and base names, no paths.
var options = []string{"-encoding", "UTF-8", "-proc:none", "-implicit:none", "-g:source,lines"}

// Compile makes the jar of sources at the path to, which must not exist.
func (c *Compiler) Compile(ctx context.Context, s Sources, to string) (err error) {
	dir, err := os.MkdirTemp(c.Temp, "javac-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	classes := filepath.Join(dir, "classes")
	if err := os.Mkdir(classes, 0o755); err != nil {
		return err
	}
	room := &Room{Dir: c.Root, Java: c.JDK.Home}
	if c.Root == "" {
		if room, err = NewRoom(dir, c.JDK, false); err != nil {
			return err
		}
	}
	room.Bind(classes, InsideWork+"/classes")
	source, err := filepath.Abs(s.Dir)
	if err != nil {
		return err
	}
	room.Binds = append(room.Binds, sandbox.Bind{Source: source, Target: InsideWork + "/sources", ReadOnly: true})
	var classPath []string
	for i, j := range s.ClassPath { // numbered: two folders may have jars of one name
		inside := fmt.Sprintf("%s/classpath/%d-%s", InsideWork, i, filepath.Base(j.Path))
		room.Binds = append(room.Binds, sandbox.Bind{Source: j.Path, Target: inside, ReadOnly: true})
		classPath = append(classPath, inside)
	}
	args := append([]string{room.Java + "/bin/javac", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"}, s.arguments(InsideWork+"/classes", classPath)...)
	var said head
	out := io.Writer(&said)
	if c.Log != nil {
		out = io.MultiWriter(c.Log, &said)
	}
	err = sandbox.Run(ctx, sandbox.Spec{Root: room.Dir, Args: args, Env: []string{"JAVA_HOME=" + room.Java, "HOME=/tmp"}, Dir: InsideWork + "/sources",
		Binds: room.Binds, Stdout: out, Stderr: out})
	var exit *sandbox.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("javac failed (exit status %d):\n%s\nTo repeat it: %s", exit.Code, said.lines(), c.command(s))
	}
	if err != nil {
		return err
	}
	return pack(ctx, classes, to)
}

func (s Sources) arguments(classes string, classPath []string) []string {
	args := append([]string{"--release", strconv.Itoa(s.Release)}, options...)
	args = append(args, "-d", classes)
	if len(classPath) > 0 {
		args = append(args, "-cp", strings.Join(classPath, ":"))
	}
	return append(args, s.Files...)
}

// command is what a person types to see the same.
func (c *Compiler) command(s Sources) string {
	var names []string
	for _, j := range s.ClassPath {
		names = append(names, j.Name)
	}
	javac := "javac"
	if c.Root == "" {
		javac = c.JDK.Home + "/bin/javac"
	}
	return "cd " + s.Dir + " && " + javac + " " + strings.Join(s.arguments("/tmp/classes", names), " ")
}

// pack makes a jar of compiled classes: the manifest, then the classes by name, all of one time.
func pack(ctx context.Context, classes, to string) (err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	root, err := os.OpenRoot(classes)
	if err != nil {
		return err
	}
	defer root.Close()
	w := zip.NewWriter(out)
	m, err := create(w, manifest)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(m, "Manifest-Version: 1.0\r\n\r\n"); err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		if path.Ext(name) != ".class" || !e.Type().IsRegular() {
			return fmt.Errorf("javac made %s, which is no class", name)
		}
		in, err := root.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		member, err := create(w, name)
		if err != nil {
			return err
		}
		_, err = io.Copy(member, in)
		return err
	})
	return errors.Join(err, w.Close())
}

// maxHead is how much is kept of what javac says, in bytes; shownLines of it are shown. Its first message counts:
// others often follow from it.
const (
	maxHead    = 64 << 10
	shownLines = 40
)

// head keeps the first part of what javac says.
type head struct{ text []byte }

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), maxHead-len(h.text))]...)
	return len(p), nil
}

func (h *head) lines() string {
	lines := strings.Split(strings.TrimRight(string(h.text), "\n"), "\n")
	return strings.Join(lines[:min(len(lines), shownLines)], "\n")
}
