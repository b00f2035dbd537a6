package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/source/git"
	"github.com/mesos-forge/forge/builder/store"
)

// The names of what tells where a role's results come from, below the role's folder.
const (
	ProvenanceName = "provenance.json"
	BundleName     = "provenance.sigstore.json"
)

// Signer signs statements.
type Signer interface {
	ID() string                                                      // which key it is
	Statement(ctx context.Context, statement []byte) ([]byte, error) // the signed bundle
}

// placeProvenance writes down where the results of a role come from, once all of them are in the folder, and signs it if a key
// is there.
func (b *Builder) placeProvenance(ctx context.Context, p *placer, res *RoleResult) error {
	about, err := b.provenance(ctx, p, *res)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := provenance.Write(&text, about); err != nil {
		return err
	}
	res.Provenance = filepath.Join(res.Role, ProvenanceName)
	d := store.DigestOf(text.Bytes())
	if _, err = p.place(result{role: res.Role, path: res.Provenance, from: d, digest: d, make: func(tmp string) (string, error) {
		return "", os.WriteFile(tmp, text.Bytes(), 0o644)
	}}); err != nil || b.opt.Key == nil {
		return err
	}
	// Signatures differ from run to run, so that the file has no line among the sums, which don't.
	res.Bundle = filepath.Join(res.Role, BundleName)
	_, err = p.place(result{role: res.Role, path: res.Bundle, from: store.DigestOf([]byte(string(d) + b.opt.Key.ID())), unlisted: true, make: func(tmp string) (string, error) {
		bundle, err := b.opt.Key.Statement(ctx, text.Bytes())
		if err != nil {
			return "", err
		}
		return "", os.WriteFile(tmp, bundle, 0o644)
	}})
	return err
}

func (b *Builder) provenance(ctx context.Context, p *placer, res RoleResult) (provenance.Build, error) {
	opt := b.opt
	out := provenance.Build{Forge: b.checkout(ctx), Parameters: provenance.Parameters{Stack: opt.Stack, Role: res.Role, Profile: opt.Profile,
		Only: string(opt.Only), DiskSize: opt.DiskSize, Epoch: b.date().UTC(), Accept: slices.Sorted(slices.Values(opt.Accept))}}
	if out.Parameters.Profile == "" {
		out.Parameters.Profile = ProfileLab
	}
	for _, format := range opt.Formats {
		if res.Disks != nil {
			out.Parameters.Formats = append(out.Parameters.Formats, string(format))
		}
	}
	var err error
	if out.Lock, err = lock.Read(filepath.Join(opt.Out, res.Lock)); err != nil {
		return out, err
	}
	if res.Image != "" {
		out.Subjects = append(out.Subjects, provenance.File{Name: res.Image, SHA256: strings.TrimPrefix(res.Digest, "sha256:"), MediaType: publish.ImageManifest})
	}
	for _, f := range p.files(res.Role) {
		file := provenance.File{Name: filepath.ToSlash(f.Path), SHA256: f.Digest.Hex()}
		switch {
		case f.Path == res.Lock:
			out.LockDigest = file.SHA256
		case slices.Contains(res.Debs, f.Path), slices.Contains(res.Disks, f.Path):
			out.Subjects = append(out.Subjects, file)
		case strings.HasSuffix(f.Path, SBOMSuffix):
			file.MediaType = publish.SPDX
			out.Byproducts = append(out.Byproducts, file)
		case f.Path == res.Packages:
			out.Byproducts = append(out.Byproducts, file)
		}
	}
	return out, nil
}

// checkout says which code and which recipes this build has.
func (b *Builder) checkout(ctx context.Context) provenance.Checkout {
	c := provenance.Checkout{Recipes: b.RecipesDigest(), Tools: b.Compilers()}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "(devel)" {
		c.Version = info.Main.Version
	}
	c.Commit = (&git.Client{}).Head(ctx, b.opt.Checkout, "go.mod", "go.sum", "builder", "cmd", "recipes", "overlays")
	return c
}

// Compilers are the versions of what compiled programs and jars of the checkout, as far as the
// host brings it, by name; known once a build has begun.
func (b *Builder) Compilers() map[string]string {
	out := map[string]string{}
	for name := range b.made {
		if strings.HasPrefix(name, "program/") && b.made[name].Kind == "go-build" {
			out["go"] = toolchain()
		}
	}
	for major, jdk := range b.jdks {
		if jdk.tree == nil {
			out["jdk-"+major] = jdk.String()
		}
	}
	return out
}

// RecipesDigest is the sha256, in 64 hexadecimal digits, over the stack's recipes, those that it extends, and all overlays: of a
// line "PATH sha256:DIGEST" for each file, sorted by path. Locks are no part of it.
func (b *Builder) RecipesDigest() string {
	folders := map[string]bool{"overlays": true, "recipes/" + b.opt.Stack: true}
	for _, c := range b.whole.Components {
		folders[c.Dir] = true
	}
	for _, r := range b.whole.Roles {
		folders[r.Dir] = true
	}
	files := sourceInputs(b.opt.Checkout, sortedNames(folders)...)
	sum := sha256.New()
	for _, name := range sortedNames(files) {
		if filepath.Base(name) != lockFile {
			fmt.Fprintf(sum, "%s %s\n", name, files[name])
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
