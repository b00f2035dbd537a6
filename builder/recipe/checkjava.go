package recipe

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// java checks an operation that compiles sources.
func (k *componentCheck) java(at string, op Operation) {
	d := k.d
	checkTargetPath(d, at+"/to", op.To)
	if path.Ext(op.To) != ".jar" {
		d.errorf(at+"/to", "", "a jar's name ends in .jar")
	}
	for i, glob := range op.ClassPath {
		if _, err := path.Match(glob, ""); err != nil || !path.IsAbs(glob) || path.Clean(glob) != glob {
			d.errorf(at+"/classpath/"+strconv.Itoa(i), "", "%q is not a pattern for files on the target", glob)
		}
	}
	k.jdk(at, op.JDK)
	jdk, err := strconv.Atoi(op.JDK)
	switch {
	case op.Release == 0:
		d.errorf(at, "", "\"java\" needs a \"release\": the oldest version of Java that runs the classes, such as 11")
	case op.Release < 7 || err == nil && op.Release > jdk:
		d.errorf(at+"/release", "", "a JDK %s makes no classes for Java %d", op.JDK, op.Release)
	}
	if node, there := k.stack.Components["java"]; there && slices.Contains(k.c.Requires, "java") {
		if version, err := strconv.Atoi(node.Version); err == nil && op.Release > version {
			d.errorf(at+"/release", "", "the component java is of version %d, which doesn't run classes for %d", version, op.Release)
		}
	}
	k.javaSources(at+"/java", op.Java)
}

// jdk checks the major version of a JDK, at the key "jdk" of at.
func (k *componentCheck) jdk(at, version string) {
	if n, err := strconv.Atoi(version); err != nil || n < 6 || strconv.Itoa(n) != version {
		k.d.errorf(at+"/jdk", "", "%q is not the major version of a JDK, such as 8 or 17", version)
	}
}

// javaSources reads what a jar is made of.
func (k *componentCheck) javaSources(at, folder string) {
	if !fs.ValidPath(folder) || folder == "." {
		k.d.errorf(at, "", "path %q must lie in the stack's folder, %s", folder, k.c.Dir)
		return
	}
	dir := path.Join(k.c.Dir, folder)
	found := 0
	err := fs.WalkDir(k.fsys, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if path.Ext(name) != ".java" || strings.HasPrefix(e.Name(), ".") {
			k.d.errorf(at, "", "%s is not a source of Java", name)
			return nil
		}
		found++
		k.digest(k.d, at, name)
		return nil
	})
	if err != nil {
		k.d.errorf(at, "", "%q can't be read: %v", folder, err)
	} else if found == 0 {
		k.d.errorf(at, "", "%s holds no source of Java", dir)
	}
}
