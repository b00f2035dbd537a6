package oci

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// repository speaks to a repository of a registry where the library doesn't: it puts a manifest with a subject
// and rewrites the list of referrers at the same time, without looking what became of the others' (v0.22.1).
type repository struct {
	name    name.Repository
	client  *http.Client
	options []remote.Option
	o       RemoteOptions
}

var errNotThere = errors.New("not there")

func (o RemoteOptions) repository(ctx context.Context, ref name.Reference, scope string) (*repository, error) {
	repo := ref.Context()
	auth, err := authn.Resolve(ctx, o.keychain(), repo)
	if err != nil {
		return nil, err
	}
	r := &repository{name: repo, client: &http.Client{}, options: o.options(ctx), o: o}
	return r, r.again(ctx, func() (err error) {
		r.client.Transport, err = transport.NewWithContext(ctx, repo.Registry, auth, o.transport(), []string{repo.Scope(scope)})
		return err
	})
}

// manifests are what a reference may mean.
var manifests = []types.MediaType{types.OCIManifestSchema1, types.OCIImageIndex, types.DockerManifestSchema2, types.DockerManifestList}

// manifest fetches the manifest that a reference means, which has the digest that the reference may name.
func (r *repository) manifest(ctx context.Context, ref name.Reference) ([]byte, v1.Descriptor, error) {
	raw, mediaType, err := r.get(ctx, ref.Identifier(), manifests...)
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	if _, ok := ref.(name.Digest); ok && digest.String() != ref.Identifier() {
		return nil, v1.Descriptor{}, fmt.Errorf("%w: the manifest's digest is %s", ErrWrongDigest, digest)
	}
	return raw, v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, nil
}

func (r *repository) tags(_ context.Context) ([]string, error) {
	return remote.List(r.name, r.options...)
}

// What a client wants to do, as registries with tokens ask for it.
const (
	pushScope = transport.PushScope
	pullScope = transport.PullScope
)

// do sends one request about the repository. The caller closes the answer's body.
func (r *repository) do(ctx context.Context, method, path string, mediaType types.MediaType, body []byte) (*http.Response, error) {
	request, err := r.request(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", string(mediaType))
	}
	request.Header.Set("Accept", string(mediaType))
	return r.client.Do(request)
}

func (r *repository) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	at := url.URL{Scheme: r.name.Scheme(), Host: r.name.RegistryStr(), Path: "/v2/" + r.name.RepositoryStr() + "/" + path}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", userAgent)
	return request, nil
}

// again repeats a request as the library does with its own, when the error is one of those that may be gone the
// next time.
func (o RemoteOptions) again(ctx context.Context, request func() error, may func(error) bool) error {
	for attempt := 1; ; attempt++ {
		err := request()
		if err == nil || attempt >= attempts || !may(err) {
			return err
		}
		wait := cmp.Or(o.RetryWait, time.Second)
		if halfWritten(err) {
			wait = min(wait, 50*time.Millisecond)
		}
		if err := pause(ctx, attempt, wait); err != nil {
			return err
		}
	}
}

func (r *repository) again(ctx context.Context, request func() error) error {
	return r.o.again(ctx, request, func(err error) bool { return passing(err) || halfWritten(err) })
}

// halfWritten tells whether a registry refuses a manifest for what may be another's doing: docker-registry 2.8
// looks at the files of a blob while another upload of the same blob writes them anew, and finds them empty.
func halfWritten(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) || answer.StatusCode != http.StatusBadRequest && answer.StatusCode != http.StatusNotFound {
		return false
	}
	return slices.ContainsFunc(answer.Errors, func(d transport.Diagnostic) bool {
		return d.Code == transport.DigestInvalidErrorCode || d.Code == transport.ManifestBlobUnknownErrorCode
	})
}

// put stores a manifest under a tag or its digest, and returns the answer's header.
func (r *repository) put(ctx context.Context, as string, mediaType types.MediaType, manifest []byte) (header http.Header, err error) {
	return header, r.again(ctx, func() (err error) {
		header, err = r.putOnce(ctx, as, mediaType, manifest)
		return err
	})
}

func (r *repository) putOnce(ctx context.Context, as string, mediaType types.MediaType, manifest []byte) (http.Header, error) {
	answer, err := r.do(ctx, http.MethodPut, "manifests/"+as, mediaType, manifest)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated && answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusAccepted {
		return nil, answerError(answer)
	}
	return answer.Header, nil
}

// get reads the manifest with a tag or digest; errNotThere.
func (r *repository) get(ctx context.Context, as string, accept ...types.MediaType) (raw []byte, got types.MediaType, err error) {
	return raw, got, r.again(ctx, func() (err error) {
		raw, got, err = r.getOnce(ctx, as, accept)
		return err
	})
}

func (r *repository) getOnce(ctx context.Context, as string, accept []types.MediaType) ([]byte, types.MediaType, error) {
	request, err := r.request(ctx, http.MethodGet, "manifests/"+as, nil)
	if err != nil {
		return nil, "", err
	}
	for _, a := range accept {
		request.Header.Add("Accept", string(a))
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		err := answerError(answer)
		if answer.StatusCode == http.StatusNotFound {
			err = fmt.Errorf("%w: %w", errNotThere, err)
		}
		return nil, "", err
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxManifest+1))
	if err == nil && len(raw) > maxManifest {
		err = fmt.Errorf("its manifest has more than %d bytes", maxManifest)
	}
	return raw, types.MediaType(answer.Header.Get("Content-Type")), err
}

// answerError is what an answer says that is none of the expected ones.
func answerError(answer *http.Response) error {
	if err := transport.CheckError(answer); err != nil {
		return err
	}
	return errors.New(answer.Status)
}

// pause waits before the next attempt, longer each time; not equally long in all who wait.
func pause(ctx context.Context, attempt int, first time.Duration) error {
	if attempt == 0 {
		return ctx.Err()
	}
	wait := first << min(attempt-1, 6)
	return sleep(ctx, wait+rand.N(wait))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
