package builder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/archive/egg"
	"github.com/mesos-forge/forge/builder/recipe"
)

// eggPlatforms are those of eggs that run in images, which are amd64; "": on any.
var eggPlatforms = map[string]bool{"": true, "linux-x86_64": true}

// unpackEgg lays an egg out as easy_install does one that is not zip-safe: TO/FILE.egg/..., and a path
// file of the component's own (Python's module site).
func (b *Builder) unpackEgg(ctx context.Context, to string, op recipe.Operation, component string, f fetched) error {
	path, err := b.store.BlobPath(f.Digest)
	if err != nil {
		return fmt.Errorf("artifact %s: %w", op.Egg, err)
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := egg.Check(in, f.Size, f.File)
	switch {
	case err != nil:
		return fmt.Errorf("artifact %s: %w", op.Egg, err)
	case info.Python != op.Python:
		return fmt.Errorf("artifact %s: %s is for Python %s, want %s", op.Egg, f.File, info.Python, op.Python)
	case !eggPlatforms[info.Platform]:
		return fmt.Errorf("artifact %s: %s is for %s, want linux-x86_64", op.Egg, f.File, info.Platform)
	}
	dir := filepath.Join(to, f.File)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := archive.ExtractZip(ctx, in, f.Size, root, archive.Options{Name: f.File, Owner: archive.FixedOwner(0, 0)}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "forge-"+component+".pth"), []byte("./"+f.File+"\n"), 0o644)
}

// upstreamVersion is the software's version in that of a package: without epoch, revision, and what
// follows ~ or +.
var upstreamVersion = regexp.MustCompile(`^(?:[0-9]+:)?([0-9][0-9A-Za-z._]*)`)

// checkEggs compares eggs with the packages whose version they must have, the operator's or stand-ins.
// Both kinds of files must have been looked for.
func (b *Builder) checkEggs(r *recipe.Role) error {
	for _, name := range r.Components {
		for _, op := range b.stack.Components[name].Layout {
			if op.Egg == "" || op.Like == "" {
				continue
			}
			file, err := b.operatorFile(name, op.Egg)
			if err != nil || file == "" {
				return err
			}
			info, err := egg.ParseName(file)
			if err != nil {
				return fmt.Errorf("component %s: artifact %s: %w", name, op.Egg, err)
			}
			like := b.stack.Components[op.Like]
			pkg := ""
			if o := b.operator[op.Like]; o != nil {
				pkg = o.Version
			} else if like.Upstream.Standin != nil {
				pkg = like.Upstream.Standin.Version
			}
			if m := upstreamVersion.FindStringSubmatch(pkg); m == nil || m[1] != info.Version {
				return fmt.Errorf("component %s: the egg %s has version %s, and the package %s has %s: they must be one version of one build [F04]; put the egg of that package into %s",
					name, filepath.Base(file), strings.ReplaceAll(info.Version, "_", "-"), like.Upstream.Package, pkg, b.opt.Vendor)
			}
		}
	}
	return nil
}
