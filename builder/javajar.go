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

// compiler is a JDK: the host's, or, where the host has none of that version, one in a tree.
type compiler struct {
	java.JDK            // of the host
	tree     *step.Step // nil: the host's is taken
}

// findJDKs looks for what compiles the sources of Java in a role's layouts.
func (b *Builder) findJDKs(r *recipe.Role) error {
	for _, name := range r.Components {
		for _, op := range b.wholeLayout(b.stack.Components[name]) {
			if _, known := b.jdks[op.JDK]; known || op.Java == "" {
				continue
			}
			jdk, absent := java.Find(op.JDK, "")
			if absent == nil && !b.opt.withJDK {
				b.jdks[op.JDK] = compiler{JDK: jdk}
				continue
			}
			tree, err := b.jdkTree(op.JDK)
			if err != nil {
				return fmt.Errorf("component %s: %w: %w", name, err, absent)
			}
			b.jdks[op.JDK] = compiler{tree: tree}
		}
	}
	return nil
}

// jdkSolve is the name of the solve for a JDK.
func jdkSolve(major string) string { return "jdk-" + major }

// jdkTree makes a tree with the JDK of the stack's distribution, which is named alike in Debian and Ubuntu. It is in no
// lock: the lock has the digest of the package that its classes come into.
func (b *Builder) jdkTree(major string) (*step.Step, error) {
	name := jdkSolve(major)
	if b.opt.bundle != nil {
		lines, ok := b.opt.bundle.tools.Debs[name]
		if !ok {
			return nil, fmt.Errorf("the bundle %s has no JDK %s, which forge vendor --with-jdk puts in", b.opt.bundle.path, major)
		}
		return b.base(name, b.once("solve/"+name, func(string) *step.Step { return b.lockedDebs(name, lines) })), nil
	}
	index := b.index(b.stack.Distribution.Suite, b.stack.Apt)
	return b.base(name, b.once("solve/"+name, func(string) *step.Step {
		return b.ask(name, index, []string{"openjdk-" + major + "-jdk-headless"}, true, nil, nil)
	})), nil
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

// compilers are the host's JDKs that make jars of a component's package, as its step's key has them: another one may
// write other classes. A tree is one of the step's needs.
func (b *Builder) compilers(c *recipe.Component) []string {
	found := map[string]bool{}
	for _, op := range b.wholeLayout(c) {
		if op.Java != "" && b.jdks[op.JDK].tree == nil {
			found["JDK "+b.jdks[op.JDK].String()] = true
		}
	}
	if len(found) == 0 {
		return nil
	}
	return sortedNames(found)
}

// compiler readies the JDK for a step.
func (b *Builder) compiler(ctx context.Context, r *step.Run, major string) (*java.Compiler, error) {
	jdk := b.jdks[major]
	c := &java.Compiler{JDK: jdk.JDK, Temp: r.Dir, Log: r.Log}
	if jdk.tree == nil {
		return c, nil
	}
	var err error
	if c.Root, err = r.Tree(ctx, jdk.tree.Out("tree")); err != nil {
		return nil, err
	}
	c.JDK, err = java.FindIn(c.Root, major)
	return c, err
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
	c, err := b.compiler(ctx, r, op.JDK)
	if err != nil {
		return err
	}
	if err := c.Compile(ctx, s, to); err != nil {
		return fmt.Errorf("%s: %w", op.To, err)
	}
	return os.Chmod(to, mode(op.Mode, 0o644))
}
