package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
)

// maxMember bounds an archive that lies inside an archive, in bytes.
const maxMember = 1 << 30

// layOut carries out the operations of a recipe's layout below dir, which it makes. Owners are left
// to the package: everything belongs to root.
func (b *Builder) layOut(ctx context.Context, r *step.Run, dir string, ops []recipe.Operation, artifacts *step.Step, programs map[string]*step.Step) error {
	files := map[string]fetched{}
	if artifacts != nil {
		if err := r.JSON(artifacts.Out("files"), &files); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, op := range ops {
		if err := b.operate(ctx, r, dir, op, files, programs); err != nil {
			return fmt.Errorf("layout, operation %d: %w", i+1, err)
		}
	}
	return nil
}

func (b *Builder) operate(ctx context.Context, r *step.Run, dir string, op recipe.Operation, files map[string]fetched, programs map[string]*step.Step) error {
	to := filepath.Join(dir, op.To)
	switch {
	case len(op.Copy) > 0:
		for _, name := range op.Copy {
			f := files[name]
			src, err := b.store.BlobPath(f.Digest)
			if err != nil {
				return fmt.Errorf("artifact %s: %w", name, err)
			}
			dst := to
			if strings.HasSuffix(op.To, "/") {
				dst = filepath.Join(to, f.File)
			}
			if err := copyFile(src, dst, mode(op.Mode, 0o644)); err != nil {
				return err
			}
		}
		return nil
	case op.Extract != "":
		return b.extract(ctx, r, to, op, files[op.Extract])
	case op.Program != "":
		src, err := r.Blob(programs[op.Program].Out("program"))
		if err != nil {
			return err
		}
		return copyFile(src, to, mode(op.Mode, 0o755))
	case op.Link != "":
		link := filepath.Join(dir, op.Link)
		return errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(op.To, link))
	case op.Dir != "":
		made := filepath.Join(dir, op.Dir)
		return errors.Join(os.MkdirAll(made, 0o755), os.Chmod(made, mode(op.Mode, 0o755)))
	}
	return fmt.Errorf("operation %+v is not supported by the builder yet", op)
}

// extract unpacks an artifact, or an archive that is a member of it, below to.
func (b *Builder) extract(ctx context.Context, r *step.Run, to string, op recipe.Operation, f fetched) error {
	if len(op.Exclude) > 0 {
		return fmt.Errorf("extract %s: exclude is not supported by the builder yet", op.Extract)
	}
	path, err := b.store.BlobPath(f.Digest)
	if err != nil {
		return fmt.Errorf("artifact %s: %w", op.Extract, err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	opt := archive.Options{Name: f.File, Include: op.Include, Strip: op.Strip, Owner: archive.FixedOwner(0, 0)}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if op.Member != "" {
		return extractMember(ctx, in, root, op.Member, opt)
	}
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	switch {
	case strings.HasSuffix(f.File, ".jar"), strings.HasSuffix(f.File, ".zip"):
		_, err = archive.ExtractZip(ctx, in, fi.Size(), root, opt)
	default:
		err = extractTar(ctx, in, root, opt)
	}
	return err
}

func extractMember(ctx context.Context, jar *os.File, root *os.Root, member string, opt archive.Options) error {
	fi, err := jar.Stat()
	if err != nil {
		return err
	}
	m, err := archive.OpenZipMember(jar, fi.Size(), opt.Name, member, maxMember)
	if err != nil {
		return err
	}
	defer m.Close()
	opt.Name = member + " in " + opt.Name
	return extractTar(ctx, m, root, opt)
}

func mode(s string, otherwise os.FileMode) os.FileMode {
	if n, err := strconv.ParseUint(s, 8, 32); err == nil && s != "" {
		return os.FileMode(n)
	}
	return otherwise
}
