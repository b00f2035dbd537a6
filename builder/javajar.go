package builder

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/java"
	"github.com/mesos-forge/forge/builder/step"
)

// findJDKs looks for what compiles the sources of Java in a role's layouts.
func (b *Builder) findJDKs(r *recipe.Role) error {
	for _, name := range r.Components {
		for _, op := range b.wholeLayout(b.stack.Components[name]) {
			if op.Java == "" || b.jdks[op.JDK].Home != "" {
				continue
			}
			jdk, err := java.Find(op.JDK, "")
			if err != nil {
				return fmt.Errorf("component %s: %s: %w", name, path.Base(op.To), err)
			}
			b.jdks[op.JDK] = jdk
		}
	}
	return nil
}

// wholeLayout are the operations of a component and of those that it packs.
func (b *Builder) wholeLayout(c *recipe.Component) []recipe.Operation {
	ops := c.Layout
	for _, op := range c.Layout {
		if op.Pack != "" {
			ops = append(ops[:len(ops):len(ops)], b.stack.Components[op.Pack].Layout...)
		}
	}
	return ops
}

// compilers are the JDKs that make jars of a component's package, as its step's key has them: another one may
// write other classes.
func (b *Builder) compilers(c *recipe.Component) []string {
	found := map[string]bool{}
	for _, op := range b.wholeLayout(c) {
		if op.Java != "" {
			found["JDK "+b.jdks[op.JDK].String()] = true
		}
	}
	if len(found) == 0 {
		return nil
	}
	return sortedNames(found)
}

// compileJava makes a jar of sources; dir is the tree so far, which has the class path.
func (b *Builder) compileJava(ctx context.Context, r *step.Run, dir string, op recipe.Operation, l layout) error {
	folder := path.Join(l.dir, op.Java)
	s := java.Sources{Dir: filepath.Join(b.opt.Checkout, filepath.FromSlash(folder)), Release: op.Release}
	for _, name := range b.stack.JavaSources(l.dir, op.Java) {
		s.Files = append(s.Files, strings.TrimPrefix(name, folder+"/"))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, glob := range op.ClassPath {
		found, err := fs.Glob(root.FS(), strings.TrimPrefix(glob, "/"))
		if err != nil {
			return fmt.Errorf("classpath %q: %w", glob, err)
		}
		if len(found) == 0 {
			return fmt.Errorf("classpath %q: no operation before this one lays out such a file", glob)
		}
		for _, name := range found {
			s.ClassPath = append(s.ClassPath, java.Jar{Path: filepath.Join(dir, name), Name: "/" + name})
		}
	}
	to := filepath.Join(dir, op.To)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := (&java.Compiler{JDK: b.jdks[op.JDK], Temp: r.Dir, Log: r.Log}).Compile(ctx, s, to); err != nil {
		return fmt.Errorf("%s: %w", op.To, err)
	}
	return os.Chmod(to, mode(op.Mode, 0o644))
}
