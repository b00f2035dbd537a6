package oci

import (
	"bytes"
	"context"
	"errors"
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
	retry   remote.Backoff
}

var errNotThere = errors.New("not there")

func (o RemoteOptions) repository(ctx context.Context, ref name.Reference) (*repository, error) {
	repo := ref.Context()
	auth, err := authn.Resolve(ctx, o.keychain(), repo)
	if err != nil {
		return nil, err
	}
	r := &repository{name: repo, client: &http.Client{}, options: o.options(ctx), retry: o.backoff()}
	return r, r.again(ctx, func() (err error) {
		r.client.Transport, err = transport.NewWithContext(ctx, repo.Registry, auth, o.transport(), []string{repo.Scope(transport.PushScope)})
		return err
	})
}

// describe follows a reference to the manifest it means.
func (r *repository) describe(_ context.Context, ref name.Reference) (v1.Descriptor, error) {
	got, err := remote.Get(ref, r.options...)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return got.Descriptor, nil
}

func (r *repository) tags(_ context.Context) ([]string, error) {
	return remote.List(r.name, r.options...)
}

// do sends one request about the repository. The caller closes the answer's body.
func (r *repository) do(ctx context.Context, method, path string, mediaType types.MediaType, body []byte) (*http.Response, error) {
	at := url.URL{Scheme: r.name.Scheme(), Host: r.name.RegistryStr(), Path: "/v2/" + r.name.RepositoryStr() + "/" + path}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", string(mediaType))
	}
	request.Header.Set("Accept", string(mediaType))
	request.Header.Set("User-Agent", userAgent)
	return r.client.Do(request)
}

// again does what the library does with its requests: it repeats those that may succeed the next time.
func (r *repository) again(ctx context.Context, request func() error) error {
	for attempt := 1; ; attempt++ {
		err := request()
		wait := r.retry.Duration
		switch {
		case err == nil || attempt >= r.retry.Steps:
			return err
		case halfWritten(err):
			wait = min(wait, 50*time.Millisecond)
		case !passing(err):
			return err
		}
		if err := pause(ctx, attempt, wait); err != nil {
			return err
		}
	}
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
func (r *repository) get(ctx context.Context, as string, mediaType types.MediaType) (raw []byte, got types.MediaType, err error) {
	return raw, got, r.again(ctx, func() (err error) {
		raw, got, err = r.getOnce(ctx, as, mediaType)
		return err
	})
}

func (r *repository) getOnce(ctx context.Context, as string, mediaType types.MediaType) ([]byte, types.MediaType, error) {
	answer, err := r.do(ctx, http.MethodGet, "manifests/"+as, mediaType, nil)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return nil, "", errNotThere
	}
	if answer.StatusCode != http.StatusOK {
		return nil, "", answerError(answer)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxManifest))
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
	wait += rand.N(wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
