package evidence

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish"
	"github.com/mesos-forge/forge/builder/publish/provenance"
	"github.com/mesos-forge/forge/builder/publish/sign"
	"github.com/mesos-forge/forge/builder/store"
)

// VerifyImage checks an image or a disk in a registry: that the key signed it and its provenance, that the provenance is about it,
// that lock and SBOM beside it are those of the build, and that every blob is what its digest says.
func VerifyImage(ctx context.Context, ref string, key *sign.Public, o oci.RemoteOptions) (*Verified, error) {
	info, err := oci.InspectRemote(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	at, err := o.AtDigest(ref, info.Digest) // a tag may move meanwhile
	if err != nil {
		return nil, err
	}
	v := &Verified{Name: at, Digest: info.Result(), KeyID: key.ID()}
	kind := "disk"
	if info.Disk == "" {
		v.image, kind = &info, "image"
	}
	all, err := readBundles(ctx, at, o)
	if err != nil {
		return nil, err
	}
	if err := v.signatures(ctx, all, key); err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	if err := v.artifacts(ctx, o); err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	if _, err := oci.VerifyRemote(ctx, at, o); err != nil {
		if errors.Is(err, oci.ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrTampered, err)
		}
		return nil, err
	}
	v.pass(kind, "manifest, config and %d layers have the digests that they are named by", len(info.Layers))
	return v, nil
}

// signatures takes the statements about this image that the key signed. There may be others beside them, by anybody.
func (v *Verified) signatures(ctx context.Context, all bundles, key *sign.Public) error {
	if len(all) == 0 {
		return fmt.Errorf("%w: nothing that is attached to it has a signature; forge push with a key attaches it", ErrNotSigned)
	}
	var failed []error
	var ours []string
	for _, b := range all {
		predicate, err := v.statement(ctx, b, key)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", b.digest, err))
			continue
		}
		ours = append(ours, predicate)
	}
	if v.Provenance == nil {
		for _, kind := range []error{ErrTampered, ErrSubject} { // say more than what is somebody else's
			for _, err := range failed {
				if errors.Is(err, kind) {
					return err
				}
			}
		}
		if len(ours) == 0 {
			return errors.Join(failed...)
		}
		return fmt.Errorf("%w: key %s signed %s, and no provenance", ErrNotSigned, key.ID(), strings.Join(ours, ", "))
	}
	v.Role, v.Stack = v.Provenance.Parameters.Role, v.Provenance.Parameters.Stack
	v.pass("signature", "of key %s, over %d statements", key.ID(), len(ours))
	v.pass("provenance", "names it, and %d inputs", len(v.Provenance.Inputs))
	return nil
}

// statement takes a bundle if the key signed it and it is about this image, and returns what kind of statement it is.
func (v *Verified) statement(ctx context.Context, b attachedBundle, key *sign.Public) (predicate string, err error) {
	text, err := b.Verify(ctx, key)
	if err != nil {
		return "", err
	}
	s, err := provenance.ReadStatement(text)
	if err != nil {
		return "", err
	}
	if !s.Has(hexOf(v.Digest)) {
		return "", fmt.Errorf("%w: its statement %s is about another image or disk than %s", ErrSubject, s.PredicateType, v.Digest)
	}
	if s.PredicateType == provenance.PredicateType && v.Provenance == nil {
		v.Provenance, err = provenance.Read(text)
	}
	return s.PredicateType, err
}

// artifacts holds lock and SBOM beside the image to the provenance.
func (v *Verified) artifacts(ctx context.Context, o oci.RemoteOptions) error {
	lock, _ := v.Provenance.Input(provenance.LockName)
	text, err := v.artifact(ctx, LockType, lock.Digest["sha256"], o)
	if err != nil {
		return err
	}
	v.lock = text
	v.pass("lock", "is the one that was built from")
	for _, b := range v.Provenance.Byproducts {
		if b.Name != v.Role+"/"+sbomName {
			continue
		}
		if _, err := v.artifact(ctx, publish.SPDX, b.SHA256, o); err != nil {
			return err
		}
		v.pass("SBOM", "is as the build wrote it")
	}
	return nil
}

// artifact finds the artifact of a type whose content has a digest.
func (v *Verified) artifact(ctx context.Context, kind, want string, o oci.RemoteOptions) ([]byte, error) {
	found, err := referrers(ctx, v.Name, kind, o)
	if err != nil {
		return nil, err
	}
	var others []string
	for _, r := range found {
		a, err := oci.ReadArtifact(ctx, r.Ref, o)
		if errors.Is(err, oci.ErrWrongDigest) {
			return nil, fmt.Errorf("%w: %s: %w", ErrTampered, kind, err)
		}
		if err != nil {
			return nil, err
		}
		d := store.DigestOf(a.Content).Hex()
		if d == want {
			return a.Content, nil
		}
		others = append(others, d)
	}
	if len(others) == 0 {
		return nil, fmt.Errorf("the provenance names a file of type %s, which is not attached to it: push it again", kind)
	}
	return nil, fmt.Errorf("%w: the attached file of type %s has sha256 %s, the signed provenance says %s", ErrTampered, kind, strings.Join(others, ", "), want)
}
