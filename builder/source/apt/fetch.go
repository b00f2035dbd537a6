package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
)

// FetchOptions says where .debs may come from.
type FetchOptions struct {
	// First is asked before any mirror: the operator's vendor folder and mirrors. May be nil.
	First source.Source
	// Mirror is asked for what First has not got. Without Main there is none (offline).
	Mirror Mirror
	// Temp is a folder on the file system of the blobs, for downloads.
	Temp string
	// Jobs bounds how many clients run at once; less than 1 counts as 1.
	Jobs int
}

// Fetch puts the packages' files into blobs; those that are there already, and local ones, are
// left alone. The user's apt does the downloading, several files per connection. What the mirror
// sends is compared with the digests before it is stored. What no place has gives a
// *MissingError.
func (c *Client) Fetch(ctx context.Context, pkgs []Package, blobs source.Blobs, opt FetchOptions) error {
	var want []Package
	seen := map[string]bool{}
	for _, p := range pkgs {
		if p.Local != "" || blobs.HasBlob(p.Digest) || seen[string(p.Digest)] {
			continue
		}
		if err := checkPool(p.Filename); err != nil {
			return fmt.Errorf("apt: fetch %s: %w", p, err)
		}
		if p.Digest == "" || p.Size <= 0 {
			return fmt.Errorf("apt: fetch %s: its digest or size is not known", p)
		}
		seen[string(p.Digest)] = true
		want = append(want, p)
	}
	want, err := fromFirst(ctx, want, blobs, opt)
	if err != nil || len(want) == 0 {
		return err
	}
	if opt.Mirror.Main == "" {
		return &MissingError{Packages: want, Offline: true}
	}
	want, err = c.fromMirror(ctx, want, blobs, opt)
	if err != nil {
		return err
	}
	if len(want) > 0 {
		return &MissingError{Packages: want}
	}
	return nil
}

// fromFirst asks opt.First and returns what it has not got.
func fromFirst(ctx context.Context, want []Package, blobs source.Blobs, opt FetchOptions) ([]Package, error) {
	if opt.First == nil {
		return want, nil
	}
	var left []Package
	for _, p := range want {
		_, err := opt.First.Fetch(ctx, p.artifact(), blobs)
		switch {
		case errors.Is(err, source.ErrNotFound):
			left = append(left, p)
		case err != nil:
			return nil, fmt.Errorf("apt: fetch %s: %w", p, err)
		}
	}
	return left, nil
}

// artifact is the package's file as other kinds of sources know it.
func (p Package) artifact() source.Artifact {
	return source.Artifact{Name: p.String(), File: filepath.Base(p.Filename), Digest: p.Digest, Size: p.Size}
}

// fromMirror fetches from the archives of the mirror, the likelier one of each package first, and
// returns what none has.
func (c *Client) fromMirror(ctx context.Context, want []Package, blobs source.Blobs, opt FetchOptions) ([]Package, error) {
	acquire, err := c.userAcquire(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(opt.Temp, "debs-")
	if err != nil {
		return nil, fmt.Errorf("apt: fetch: %w", err)
	}
	defer os.RemoveAll(dir)
	f := &fetcher{client: c, acquire: acquire, dir: dir, blobs: blobs}
	for _, p := range want {
		f.items = append(f.items, &item{pkg: p, bases: opt.Mirror.bases(p.Archive, p.Filename)})
	}
	ctx, stop := f.watch(ctx)
	defer stop()
	for round := range 2 {
		if err := f.fetch(ctx, f.todo(round), max(1, opt.Jobs)); err != nil {
			return nil, err
		}
	}
	var left []Package
	for _, it := range f.items {
		if !it.done {
			left = append(left, it.pkg)
		}
	}
	return left, nil
}

// escapePath writes a pool path as apt does, so that its messages can be matched.
func escapePath(name string) string {
	return strings.ReplaceAll((&url.URL{Path: name}).EscapedPath(), "+", "%2b")
}

// item is one file on its way.
type item struct {
	pkg   Package
	bases []string
	url   string
	path  string
	done  bool // in the store
}

type fetcher struct {
	client  *Client
	acquire string
	dir     string
	blobs   source.Blobs
	items   []*item
	mu      sync.Mutex // guards the items, which watch reads
}

// todo aims each file that is missing at its next archive.
func (f *fetcher) todo(round int) []*item {
	f.mu.Lock()
	defer f.mu.Unlock()
	var todo []*item
	for _, it := range f.items {
		if !it.done && round < len(it.bases) {
			it.url = copied(it.bases[round]) + "/" + escapePath(it.pkg.Filename)
			it.path = filepath.Join(f.dir, fmt.Sprintf("%d-%s", round, it.pkg.File()))
			todo = append(todo, it)
		}
	}
	return todo
}

// batchSize bounds the files of one client: 3 arguments each, well below the kernel's 2 MB.
const batchSize = 400

// fetch fetches todo, spread over jobs clients.
func (f *fetcher) fetch(ctx context.Context, todo []*item, jobs int) error {
	jobs = min(jobs, 1+len(todo)/32) // a client that starts for a few files costs more than it saves
	jobs = max(jobs, (len(todo)+batchSize-1)/batchSize)
	batches := make([][]*item, jobs)
	for i, it := range todo {
		batches[i%jobs] = append(batches[i%jobs], it)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, b := range batches {
		if len(b) > 0 {
			g.Go(func() error { return f.batch(ctx, b) })
		}
	}
	return g.Wait()
}

// batch runs one client for a batch, then moves what came into the store.
func (f *fetcher) batch(ctx context.Context, batch []*item) error {
	r, err := f.client.newRoot(rootSpec{arch: "amd64", acquire: f.acquire})
	if err != nil {
		return err
	}
	defer r.remove()
	args := []string{helperProgram, "-q", "download-file"}
	for _, it := range batch {
		args = append(args, it.url, it.path)
	}
	var messages bytes.Buffer
	runErr := f.client.start(ctx, r.config, sandbox.Spec{Args: args, Stderr: &limited{buf: &messages, left: maxOutput}})
	if ctx.Err() != nil {
		return fmt.Errorf("apt: fetch: %w", context.Cause(ctx))
	}
	failed := failures(messages.String())
	var exit *sandbox.ExitError
	if runErr != nil && (!errors.As(runErr, &exit) || len(failed) == 0) {
		return explain(fmt.Sprintf("fetch %d packages", len(batch)), "", runErr)
	}
	var g errgroup.Group
	g.SetLimit(2)
	for _, it := range batch {
		g.Go(func() error { return f.take(it, failed[it.url]) })
	}
	return g.Wait()
}
