package evidence

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish/sign"
)

// maxReferrers is how many artifacts of an image are looked at.
const maxReferrers = 256

// attachedBundle is a bundle beside an image.
type attachedBundle struct {
	*sign.Bundle
	text   []byte
	digest string // of the artifact
}

type bundles []attachedBundle

// readBundles fetches the bundles that are attached to an image. What is none is left out: anybody may attach anything.
func readBundles(ctx context.Context, ref string, o oci.RemoteOptions) (bundles, error) {
	found, err := referrers(ctx, ref, sign.BundleType, o)
	if err != nil {
		return nil, err
	}
	var out bundles
	for _, r := range found {
		a, err := oci.ReadArtifact(ctx, r.Ref, o)
		if err != nil {
			return nil, err
		}
		if b, err := sign.ParseBundle(a.Content); err == nil {
			out = append(out, attachedBundle{b, a.Content, r.Digest})
		}
	}
	return out, nil
}

func referrers(ctx context.Context, ref, kind string, o oci.RemoteOptions) ([]oci.Referrer, error) {
	found, err := oci.Referrers(ctx, ref, kind, o)
	if err == nil && len(found) > maxReferrers {
		err = fmt.Errorf("%s has %d artifacts, at most %d are looked at", ref, len(found), maxReferrers)
	}
	return found, err
}

// by finds the bundle in which a key signed exactly this statement.
func (all bundles) by(ctx context.Context, key *sign.Key, statement []byte) []byte {
	for _, b := range all {
		if got, err := b.Verify(ctx, &key.Public); err == nil && bytes.Equal(got, statement) {
			return b.text
		}
	}
	return nil
}

func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }
