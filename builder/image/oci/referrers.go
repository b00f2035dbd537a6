package oci

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Referrer is an artifact that belongs to an image.
type Referrer struct {
	Ref         string            `json:"ref"` // "registry.example/cluster/slave@sha256:<64 hex>", for ReadArtifact
	Digest      string            `json:"digest"`
	Type        string            `json:"type"` // artifactType
	Size        int64             `json:"size"` // of the manifest, in bytes
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Referrers lists the artifacts of an image, or those of one type, sorted by type and digest. The registry
// is asked for them; one that knows no such question has the list under the fall-back tag.
func Referrers(ctx context.Context, subject, artifactType string, o RemoteOptions) ([]Referrer, error) {
	ref, err := o.parse(subject)
	if err != nil {
		return nil, err
	}
	found, err := o.referrers(ctx, ref, artifactType)
	if err != nil {
		return nil, registryError("list the artifacts of", ref, err)
	}
	return found, nil
}

func (o RemoteOptions) referrers(ctx context.Context, ref name.Reference, artifactType string) ([]Referrer, error) {
	digest, ok := ref.(name.Digest)
	if !ok {
		image, err := remote.Get(ref, o.options(ctx)...)
		if err != nil {
			return nil, err
		}
		digest = ref.Context().Digest(image.Digest.String())
	}
	index, err := remote.Referrers(digest, o.options(ctx)...)
	if err != nil {
		return nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var all []Referrer
	for _, d := range list.Manifests {
		if d.ArtifactType == "" || d.ArtifactType == spec.MediaTypeEmptyJSON { // a registry that lists them by their configs
			if d, err = o.describeArtifact(ctx, ref, d); err != nil {
				return nil, err
			}
		}
		if artifactType == "" || d.ArtifactType == artifactType {
			all = append(all, Referrer{Ref: ref.Context().Digest(d.Digest.String()).String(), Digest: d.Digest.String(),
				Type: d.ArtifactType, Size: d.Size, Annotations: d.Annotations})
		}
	}
	slices.SortFunc(all, func(a, b Referrer) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Digest, b.Digest)) })
	return slices.CompactFunc(all, func(a, b Referrer) bool { return a.Digest == b.Digest }), nil
}

// describeArtifact reads from its manifest what a list should say about an artifact.
func (o RemoteOptions) describeArtifact(ctx context.Context, ref name.Reference, d v1.Descriptor) (v1.Descriptor, error) {
	got, err := remote.Get(ref.Context().Digest(d.Digest.String()), o.options(ctx)...)
	if err != nil {
		return d, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(got.Manifest))
	if err != nil {
		return d, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	d.ArtifactType, d.Annotations = cmp.Or(m.ArtifactType, string(m.Config.MediaType)), m.Annotations
	return d, nil
}

// putReferrer puts the manifest of an artifact, and sees that the artifacts of its subject can be listed.
func (r *repository) putReferrer(ctx context.Context, subject v1.Hash, manifest []byte) (v1.Hash, error) {
	digest, _, err := v1.SHA256(bytes.NewReader(manifest))
	if err != nil {
		return digest, err
	}
	answer, err := r.put(ctx, digest.String(), types.OCIManifestSchema1, manifest)
	if err != nil {
		return digest, err
	}
	if answer.Get("OCI-Subject") == subject.String() { // distribution-spec 1.1: the registry keeps the list
		return digest, nil
	}
	listed, err := r.listsReferrers(ctx, subject)
	if err != nil || listed {
		return digest, err
	}
	return digest, r.list(ctx, subject, digest, manifest)
}

// list adds an artifact to the index under the fall-back tag (distribution-spec 1.1, "Referrers Tag
// Schema"). A registry writes a tag whatever it was before, so of two that read the index at the same time
// and write it, the one that writes last would drop the other's entry, even after the other has looked that it is
// there. So each first gives its artifact a tag of its own, which nobody else writes, and after
// each write of the index compares it with all these tags: who writes last has all of them to see.
func (r *repository) list(ctx context.Context, subject, added v1.Hash, manifest []byte) error {
	if in, err := r.index(ctx, subject); err != nil {
		return err
	} else if _, ok := in[added]; ok {
		return nil
	}
	if _, err := r.put(ctx, announcement(subject, added), types.OCIManifestSchema1, manifest); err != nil {
		return err
	}
	seen := map[v1.Hash]v1.Descriptor{}
	for attempt := range listAttempts {
		if err := pause(ctx, attempt, listPause); err != nil {
			return err
		}
		have, err := r.index(ctx, subject)
		if err != nil {
			return err
		}
		maps.Copy(seen, have) // what was there once stays: programs that give no such tags are not to lose theirs
		listed, err := r.announced(ctx, subject, seen)
		if err != nil {
			return err
		}
		if listed && have == nil { // docker-registry 2.8 knows no tag for the moment in which it writes it
			continue
		}
		if attempt > 0 && len(have) == len(seen) {
			return nil
		}
		if err := r.putIndex(ctx, subject, seen); err != nil {
			return err
		}
	}
	return fmt.Errorf("the list of artifacts under the tag %s changed under each of %d attempts to write it; try again later", fallbackTag(subject), listAttempts)
}

const (
	listAttempts = 12
	listPause    = 20 * time.Millisecond // before the second attempt, doubled each time
)

func fallbackTag(subject v1.Hash) string { return subject.Algorithm + "-" + subject.Hex }

// announcement is the tag of an artifact, for those who write the index of its subject.
func announcement(subject, artifact v1.Hash) string {
	return fallbackTag(subject) + "." + artifact.Hex[:announcedHex]
}

const announcedHex = 32 // a tag has at most 128 characters

var announcedTag = regexp.MustCompile(fmt.Sprintf(`^\.[0-9a-f]{%d}$`, announcedHex))

// announced adds the artifacts with tags of their own that are not in seen. It tells whether there is a
// fall-back tag, too.
func (r *repository) announced(ctx context.Context, subject v1.Hash, seen map[v1.Hash]v1.Descriptor) (listed bool, err error) {
	known := map[string]bool{}
	for digest := range seen {
		known[announcement(subject, digest)] = true
	}
	tags, err := r.tags(ctx)
	if err != nil {
		return false, err
	}
	for _, tag := range tags {
		rest, ok := strings.CutPrefix(tag, fallbackTag(subject))
		listed = listed || ok && rest == ""
		if !ok || !announcedTag.MatchString(rest) || known[tag] {
			continue
		}
		raw, _, err := r.get(ctx, tag, types.OCIManifestSchema1)
		if errors.Is(err, errNotThere) { // somebody removed it
			continue
		}
		if err != nil {
			return false, err
		}
		if d, err := referrerOf(raw, subject); err == nil { // else it is somebody's tag that looks like one
			seen[d.Digest] = d
		}
	}
	return listed, nil
}

// referrerOf describes an artifact as an index lists it.
func referrerOf(raw []byte, subject v1.Hash) (v1.Descriptor, error) {
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("manifest: %w", err)
	}
	if m.Subject == nil || m.Subject.Digest != subject {
		return v1.Descriptor{}, fmt.Errorf("it is no artifact of %s", subject)
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest, Size: size,
		ArtifactType: cmp.Or(m.ArtifactType, string(m.Config.MediaType)), Annotations: m.Annotations}, nil
}

// index reads what the fall-back tag lists; nil, where there is no such tag.
func (r *repository) index(ctx context.Context, subject v1.Hash) (map[v1.Hash]v1.Descriptor, error) {
	raw, mediaType, err := r.get(ctx, fallbackTag(subject), types.OCIImageIndex)
	if errors.Is(err, errNotThere) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil || mediaType != types.OCIImageIndex || index.SchemaVersion != 2 {
		return nil, errors.Join(fmt.Errorf("the tag %s is no list of artifacts but a %q; remove it, or use another repository", fallbackTag(subject), mediaType), err)
	}
	all := map[v1.Hash]v1.Descriptor{}
	for _, d := range index.Manifests {
		all[d.Digest] = d
	}
	return all, nil
}

// putIndex writes the list of artifacts. A registry refuses one that names what is not there: artifacts that
// somebody removed are taken out of all.
func (r *repository) putIndex(ctx context.Context, subject v1.Hash, all map[v1.Hash]v1.Descriptor) error {
	put := func() error {
		raw, err := encode(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex,
			Manifests: slices.SortedFunc(maps.Values(all), func(a, b v1.Descriptor) int { return cmp.Compare(a.Digest.Hex, b.Digest.Hex) })})
		if err != nil {
			return err
		}
		_, err = r.put(ctx, fallbackTag(subject), types.OCIImageIndex, raw)
		return err
	}
	err := put()
	if !halfWritten(err) {
		return err
	}
	before := len(all)
	for digest, d := range all {
		if _, _, err := r.get(ctx, digest.String(), d.MediaType); errors.Is(err, errNotThere) {
			delete(all, digest)
		} else if err != nil {
			return err
		}
	}
	if len(all) == before {
		return err
	}
	return put()
}

// listsReferrers tells whether the registry has the referrers API.
func (r *repository) listsReferrers(ctx context.Context, subject v1.Hash) (has bool, err error) {
	return has, r.again(ctx, func() error {
		answer, err := r.do(ctx, http.MethodGet, "referrers/"+subject.String(), types.OCIImageIndex, nil)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		switch answer.StatusCode {
		case http.StatusOK:
			has = answer.Header.Get("Content-Type") == string(types.OCIImageIndex)
		case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		default:
			return answerError(answer)
		}
		return nil
	})
}
