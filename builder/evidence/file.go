package evidence

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/publish/sign"
	"github.com/mesos-forge/forge/builder/store"
)

// Verified is what passed.
type Verified struct {
	Name   string `json:"name"`   // the reference with the digest, or the file
	Digest string `json:"digest"` // "sha256:<64 hex>"
	Role   string `json:"role"`
	Stack  string `json:"stack"`
	KeyID  string `json:"key_id"`
	Checks []Pass `json:"checks"`

	Provenance *provenance.Provenance `json:"-"`
	lock       []byte                 // the file
	image      *oci.Info              // nil: it is no image
}

// Pass is one thing that was looked at.
type Pass struct {
	What   string `json:"what"` // "signature"
	Detail string `json:"detail"`
}

func (v *Verified) pass(what, format string, args ...any) {
	v.Checks = append(v.Checks, Pass{what, fmt.Sprintf(format, args...)})
}

// VerifyFile checks a result in an output folder, a file or an image layout, against the sums there, and against the signed provenance of the
// role that has it; and the lock and the SBOMs of that role too.
func VerifyFile(ctx context.Context, path string, key *sign.Public) (*Verified, error) {
	f, rel, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	v := &Verified{Name: path}
	if err := f.checkSums(v, rel); err != nil {
		return nil, err
	}
	name := rel
	if layout := filepath.Join(f.dir, filepath.FromSlash(rel)); oci.IsLayout(layout) {
		info, err := oci.InspectLayout(layout) // compares manifest and config with their digests
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTampered, err)
		}
		if err := f.checkLayers(rel, info); err != nil {
			return nil, err
		}
		v.Digest, v.image = info.Digest, &info
		v.pass("image", "manifest, config and %d layers have the digests that they are named by", len(info.Layers))
	} else {
		v.Digest = "sha256:" + f.sums[name]
	}
	if err := f.findProvenance(ctx, v, name, key); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := f.checkBeside(v); err != nil {
		return nil, err
	}
	return v, nil
}

// checkSums holds what lies at rel, a file or a folder, to the sums.
func (f *folder) checkSums(v *Verified, rel string) error {
	n := 0
	for _, name := range sortedKeys(f.sums) {
		if name != rel && !strings.HasPrefix(name, rel+"/") {
			continue
		}
		if err := f.compare(name, f.sums[name], builder.SumsName); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return fmt.Errorf("%s has no line for %s: it is no result of a build, or the build did not end", filepath.Join(f.dir, builder.SumsName), rel)
	}
	v.pass("checksum", "as in %s (%d)", builder.SumsName, n)
	return nil
}

// checkLayers sees that the files of an image's layers, whose content is as the sums say, are those that the image names.
func (f *folder) checkLayers(rel string, info oci.Info) error {
	for i, l := range info.Layers {
		hex := hexOf(l.Digest)
		if got := f.sums[rel+"/blobs/sha256/"+hex]; got != hex {
			return fmt.Errorf("%w: %s, layer %d (%s): the image names %s, its file has sha256 %q", ErrTampered, filepath.Join(f.dir, rel), i+1, l.History, l.Digest, got)
		}
	}
	return nil
}

// findProvenance looks for the signed provenance that knows the result called name.
func (f *folder) findProvenance(ctx context.Context, v *Verified, name string, key *sign.Public) error {
	roles, err := f.roles(true)
	if err != nil {
		return err
	}
	if len(roles) == 0 {
		return fmt.Errorf("%w: no role in %s has a %s; forge build with a key makes it", ErrNotSigned, f.dir, builder.BundleName)
	}
	var failed error
	for _, role := range roles {
		p, err := f.readBundle(ctx, role, key)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s/%s: %w", role, builder.BundleName, err))
			continue
		}
		if knows(p, name, hexOf(v.Digest)) {
			v.Provenance, v.Role, v.Stack, v.KeyID = p, p.Parameters.Role, p.Parameters.Stack, key.ID()
			v.pass("signature", "of key %s, over the provenance of role %s", key.ID(), role)
			v.pass("provenance", "names %s with this digest, and %d inputs", name, len(p.Inputs))
			return nil
		}
	}
	if failed != nil {
		return failed
	}
	return fmt.Errorf("%w: none of %s names %s with %s", ErrSubject, strings.Join(roles, ", "), name, v.Digest)
}

// readBundle reads the signed provenance of a role.
func (f *folder) readBundle(ctx context.Context, role string, key *sign.Public) (*provenance.Provenance, error) {
	text, err := f.read(role+"/"+builder.BundleName, sign.MaxBundle)
	if err != nil {
		return nil, err
	}
	b, err := sign.ParseBundle(text)
	if err != nil {
		return nil, err
	}
	statement, err := b.Verify(ctx, key)
	if err != nil {
		return nil, err
	}
	p, err := provenance.Read(statement)
	if err != nil {
		return nil, err
	}
	return p, f.compare(role+"/"+builder.ProvenanceName, store.DigestOf(statement).Hex(), "the signed provenance")
}

// knows tells whether provenance names a file with a digest, as a result, as what tells about one, or as the lock.
func knows(p *provenance.Provenance, name, sha256 string) bool {
	for _, f := range append(append([]provenance.File{}, p.Subjects...), p.Byproducts...) {
		if f.Name == name && f.SHA256 == sha256 {
			return true
		}
	}
	lock, ok := p.Input(provenance.LockName)
	return ok && name == lockName(p) && lock.Digest["sha256"] == sha256
}

// checkBeside holds the role's lock and what tells about its results to the provenance.
func (f *folder) checkBeside(v *Verified) (err error) {
	p := v.Provenance
	lock, _ := p.Input(provenance.LockName)
	if err := f.compare(lockName(p), lock.Digest["sha256"], "the provenance"); err != nil {
		return err
	}
	if v.lock, err = f.read(lockName(p), maxLock); err != nil {
		return err
	}
	v.pass("lock", "%s is the one that was built from", lockName(p))
	for _, b := range p.Byproducts {
		if !filepath.IsLocal(b.Name) {
			return fmt.Errorf("%w: the provenance names %q", ErrSubject, b.Name)
		}
		if err := f.compare(b.Name, b.SHA256, "the provenance"); err != nil {
			return err
		}
	}
	v.pass("SBOM", "%d files that tell what is in the results are as the build wrote them", len(p.Byproducts))
	return nil
}
