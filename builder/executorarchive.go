package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/archive/mrv1"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
)

// rearrange makes the archive for the executors of MapReduce 1 of CDH's tarball.
func (b *Builder) rearrange(ctx context.Context, to string, op recipe.Operation, l layout, files map[string]fetched) error {
	path, err := b.store.BlobPath(files[op.Rearrange].Digest)
	if err != nil {
		return fmt.Errorf("artifact %s: %w", op.Rearrange, err)
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	opt := mrv1.Options{Input: files[op.Rearrange].File, Name: filepath.Base(to), Clamp: l.clamp}
	for _, name := range op.Jars {
		f := files[name]
		jar, err := b.store.BlobPath(f.Digest)
		if err != nil {
			return fmt.Errorf("artifact %s: %w", name, err)
		}
		opt.Jars = append(opt.Jars, mrv1.Jar{Name: f.File, Size: f.Size, Open: func() (io.ReadCloser, error) { return os.Open(jar) }})
	}
	return writeArchive(to, func(w io.Writer) error {
		_, err := mrv1.Rearrange(ctx, in, w, opt)
		return err
	})
}

// pack makes such an archive of what another component's layout makes.
func (b *Builder) pack(ctx context.Context, r *step.Run, to string, op recipe.Operation, l layout, files map[string]fetched) error {
	dir, err := os.MkdirTemp(r.Dir, "pack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree, whole := filepath.Join(dir, "tree"), filepath.Join(dir, "archive")
	if err := b.layOut(ctx, r, tree, l.packed[op.Pack]); err != nil {
		return fmt.Errorf("pack %s: %w", op.Pack, err)
	}
	top := filepath.Join(whole, op.Top)
	if err := errors.Join(os.Mkdir(whole, 0o755), os.Rename(filepath.Join(tree, op.From), top)); err != nil {
		return fmt.Errorf("pack %s of %s: %w", op.From, op.Pack, err)
	}
	for _, name := range op.Exclude {
		if _, err := os.Lstat(filepath.Join(top, name)); err != nil {
			return fmt.Errorf("pack %s: exclude: %w", op.Pack, err)
		}
		if err := os.RemoveAll(filepath.Join(top, name)); err != nil {
			return err
		}
	}
	for _, name := range sortedNames(op.Add) {
		from := filepath.Join(b.opt.Checkout, filepath.FromSlash(l.dir), filepath.FromSlash(op.Add[name]))
		if err := copyFile(from, filepath.Join(top, name), 0o644); err != nil {
			return err
		}
	}
	if len(op.Jars) > 0 {
		if err := b.copyArtifacts(filepath.Join(top, "lib"), recipe.Operation{Copy: op.Jars, To: "lib/"}, files); err != nil {
			return err
		}
	}
	return writeArchive(to, func(w io.Writer) error { return mrv1.Pack(ctx, whole, filepath.Base(to), l.clamp, w) })
}

// writeArchive writes a file that everybody may read.
func writeArchive(to string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Chmod(0o644), f.Close())
}
