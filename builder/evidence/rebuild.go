package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/disk"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/store"
)

// Rebuild builds what was verified again, and compares each result with what the provenance names.
type Rebuild struct {
	// Options say where checkout, vendor folder and mirrors are. What is built, and of what, the provenance says.
	Options builder.Options
	// Downloads is a store whose files spare downloading; nothing that forge made is taken from it. "": none.
	Downloads string
	// Remote says how the registry is reached, if that has the original.
	Remote oci.RemoteOptions
	// Dir is a folder that is made for the new store and the new results. It stays where they differ.
	Dir string
}

// Run returns what is identical, or an error that wraps ErrDiffers and names the first step, and the first file, in which
// the two are not.
func (r Rebuild) Run(ctx context.Context, v *Verified) error {
	opt, err := r.options(v)
	if err != nil {
		return err
	}
	if r.Downloads != "" {
		if err := takeDownloads(ctx, r.Downloads, opt.Store, v.Provenance); err != nil {
			return err
		}
	}
	b, err := builder.New(opt)
	if err != nil {
		return err
	}
	defer b.Close()
	if in, _ := v.Provenance.Input(provenance.RecipesName); in.Digest["sha256"] != b.RecipesDigest() {
		return fmt.Errorf("rebuild: the recipes in %s are not those of the provenance: check out %s", opt.Checkout, cmp.Or(origin(v.Provenance), "what it was built from, which has changes that no commit has"))
	}
	result, err := b.Build(ctx)
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	err = r.compare(ctx, v, opt, result.Roles[0])
	if errors.Is(err, ErrDiffers) {
		err = fmt.Errorf("%w%s", err, others(v.Provenance.Versions, b.Compilers()))
	}
	return err
}

// options are those of the build that the provenance describes, for as many of its results as were verified.
func (r Rebuild) options(v *Verified) (builder.Options, error) {
	p, opt := v.Provenance.Parameters, r.Options
	opt.Stack, opt.Roles, opt.Profile, opt.Epoch, opt.Accept, opt.DiskSize = p.Stack, []string{p.Role}, p.Profile, p.Epoch, p.Accept, p.DiskSize
	opt.Formats = nil
	for _, f := range p.Formats {
		opt.Formats = append(opt.Formats, disk.Format(f))
	}
	subject, _ := v.Provenance.Subject(hexOf(v.Digest))
	switch {
	case v.image != nil:
		opt.Only = builder.OnlyImages
	case strings.HasPrefix(subject.Name, "debs/"):
		opt.Only = builder.OnlyPackages
	}
	opt.Store, opt.Out, opt.Lock = filepath.Join(r.Dir, "store"), filepath.Join(r.Dir, "out"), filepath.Join(r.Dir, provenance.LockName)
	opt.Key, opt.Locked, opt.Refresh, opt.Rebuild = nil, false, false, true
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return opt, err
	}
	return opt, os.WriteFile(opt.Lock, v.lock, 0o644)
}

// takeDownloads copies those files of a store into another one that provenance names as inputs.
func takeDownloads(ctx context.Context, from, to string, p *provenance.Provenance) (err error) {
	have, err := store.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, have.Close()) }()
	want, err := store.Open(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, want.Close()) }()
	for _, in := range p.Inputs {
		d := store.Digest("sha256:" + in.Digest["sha256"])
		if in.Digest["sha256"] == "" || !have.HasBlob(d) || want.HasBlob(d) {
			continue
		}
		path, err := have.BlobPath(d)
		if err != nil {
			continue // damaged: it is fetched
		}
		if err := copyBlob(ctx, want, path, d); err != nil {
			return fmt.Errorf("rebuild: take %s from %s: %w", in.Name, from, err)
		}
	}
	return nil
}

func copyBlob(ctx context.Context, to *store.Store, path string, d store.Digest) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = to.PutBlob(ctx, f, d)
	return err
}

// origin says which checkout made what provenance describes; "" where that had changes.
func origin(p *provenance.Provenance) string {
	if in, ok := p.Input("forge"); ok {
		return "commit " + in.Digest["gitCommit"]
	}
	return ""
}

// others says which compilers are not those of then.
func others(was, is map[string]string) string {
	out := ""
	for _, name := range sortedKeys(is) {
		if was[name] != is[name] {
			out += fmt.Sprintf("; it was built with %s %s, the rebuild with %s", name, cmp.Or(was[name], "of another kind"), is[name])
		}
	}
	return out
}
