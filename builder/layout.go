package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/step"
)

// maxMember bounds an archive that lies inside an archive, in bytes.
const maxMember = 1 << 30

// layout is what the files of a package are made from.
type layout struct {
	component string // whose package it is; "" for a role's or a stand-in's
	ops       []recipe.Operation
	dir       string     // the stack's folder, below the checkout
	artifacts *step.Step // nil: there are none
	programs  map[string]*step.Step
	jdks      map[string]*step.Step // trees, by major version, where the host has no such JDK
	packed    map[string]layout     // of other components, by name
	clamp     time.Time             // the latest time in archives that are made
}

// needs are the outputs of steps that a layout uses.
func (l layout) needs() []step.Ref {
	var out []step.Ref
	if l.artifacts != nil {
		out = append(out, l.artifacts.Out("files"))
	}
	for _, name := range sortedNames(l.programs) {
		out = append(out, l.programs[name].Out("program"))
	}
	for _, name := range sortedNames(l.jdks) {
		out = append(out, l.jdks[name].Out("tree"))
	}
	for _, name := range sortedNames(l.packed) {
		out = append(out, l.packed[name].needs()...)
	}
	return out
}

// layOut carries out a layout's operations below dir, which it makes. Owners are left to the
// package: everything belongs to root.
func (b *Builder) layOut(ctx context.Context, r *step.Run, dir string, l layout) error {
	files := map[string]fetched{}
	if l.artifacts != nil {
		if err := r.JSON(l.artifacts.Out("files"), &files); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, op := range l.ops {
		if err := b.operate(ctx, r, dir, op, l, files); err != nil {
			return fmt.Errorf("layout, operation %d: %w", i+1, err)
		}
	}
	return nil
}

func (b *Builder) operate(ctx context.Context, r *step.Run, dir string, op recipe.Operation, l layout, files map[string]fetched) error {
	to := filepath.Join(dir, op.To)
	switch {
	case len(op.Copy) > 0:
		return b.copyArtifacts(to, op, files)
	case op.Extract != "":
		return b.extract(ctx, to, op, files[op.Extract])
	case op.Egg != "":
		return b.unpackEgg(ctx, to, op, l.component, files[op.Egg])
	case op.Program != "":
		src, err := r.Blob(l.programs[op.Program].Out("program"))
		if err != nil {
			return err
		}
		return copyFile(src, to, mode(op.Mode, 0o755))
	case op.Checkout != "":
		return copyFolder(b.opt.Checkout, op.Checkout, to)
	case op.Java != "":
		return b.compileJava(ctx, r, dir, op, l)
	case op.Rearrange != "":
		return b.rearrange(ctx, to, op, l, files)
	case op.Pack != "":
		return b.pack(ctx, r, to, op, l, files)
	case op.File != "":
		return copyFile(filepath.Join(b.opt.Checkout, filepath.FromSlash(l.dir), filepath.FromSlash(op.File)), to, mode(op.Mode, 0o644))
	case op.Link != "":
		link := filepath.Join(dir, op.Link)
		return errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(op.To, link))
	case op.Dir != "":
		made := filepath.Join(dir, op.Dir)
		return errors.Join(os.MkdirAll(made, 0o755), os.Chmod(made, mode(op.Mode, 0o755)))
	}
	return fmt.Errorf("%+v says nothing to do", op)
}

func (b *Builder) copyArtifacts(to string, op recipe.Operation, files map[string]fetched) error {
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
}

// extract unpacks an artifact, or an archive that is a member of it, below to.
func (b *Builder) extract(ctx context.Context, to string, op recipe.Operation, f fetched) error {
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
	opt := archive.Options{Name: f.File, Include: op.Include, Exclude: op.Exclude, Strip: op.Strip, Owner: archive.FixedOwner(0, 0), PlainModes: true}
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
