package pypi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/http"
)

// Client asks indexes. The zero value asks those of the caller's pip. It is safe for use by several
// goroutines.
type Client struct {
	// Program is pip's path or its name in PATH; empty is "pip3".
	Program string
	// Env is the environment of pip; nil is sandbox.UserEnv() with the caller's PATH.
	Env []string
	// Sink hears about progress; nil is nobody.
	Sink event.Sink

	once sync.Once
	set  settings
	http *http.Client
	err  error
}

// Source is one archive of package indexes.
type Source struct {
	client *Client
	req    Requirement
}

var _ source.Source = Source{}

// Archive returns the source for one source archive.
func (c *Client) Archive(r Requirement) Source { return Source{client: c, req: r} }

// String names the archive.
func (s Source) String() string { return "pypi " + s.req.String() }

// Fetch looks for the archive where pip would, pages of links first, and puts the first one that is
// there into blobs. Without a digest in a, the archive must have the one that the index says.
func (s Source) Fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	if a.File == "" {
		a.File = s.req.File()
	}
	c := s.client
	c.once.Do(func() {
		if c.set, c.err = c.read(ctx); c.err == nil {
			c.http, c.err = c.web(c.set)
		}
	})
	if c.err != nil {
		return source.Result{}, fmt.Errorf("%s: %w", a.Name, c.err)
	}
	var versions []string
	for _, page := range c.places(s.req) {
		links, err := c.links(ctx, page)
		if errors.Is(err, source.ErrNotFound) {
			continue
		}
		if err != nil {
			return source.Result{}, fmt.Errorf("%s: %s: %w", a.Name, s, err)
		}
		for _, l := range links {
			switch v := s.req.version(l.file); v {
			case s.req.Version:
				return s.fetch(ctx, a, l, blobs)
			case "":
			default:
				versions = append(versions, v)
			}
		}
	}
	return source.Result{}, &source.AbsentError{Place: s.String(), Hint: s.req.others(versions)}
}

func (s Source) fetch(ctx context.Context, a source.Artifact, l link, blobs source.Blobs) (source.Result, error) {
	if a.Digest == "" {
		a.Digest = l.digest
	}
	if l.url.Scheme == "file" {
		in, err := os.Open(l.url.Path)
		if err != nil {
			return source.Result{}, fmt.Errorf("%s: %w", a.Name, err)
		}
		defer in.Close()
		return source.Put(ctx, a, a.File, in, l.url.Path, blobs)
	}
	from, err := s.client.http.URL(l.url.String())
	if err != nil {
		return source.Result{}, fmt.Errorf("%s: %w", a.Name, err)
	}
	return from.Fetch(ctx, a, blobs)
}

// places are the pages that may have links to the archives of a project.
func (c *Client) places(r Requirement) []string {
	pages := append([]string(nil), c.set.pages...)
	for _, index := range c.set.indexes {
		pages = append(pages, strings.TrimRight(index, "/")+"/"+normal(r.Name)+"/")
	}
	return pages
}

// links reads a page of links: a URL with http or https, or a folder as a path or as a URL with file.
// What is not there wraps source.ErrNotFound.
func (c *Client) links(ctx context.Context, page string) ([]link, error) {
	u, err := url.Parse(page)
	if err != nil {
		return nil, errors.New("a place in pip's settings is not a URL") // it may hold a password
	}
	if u.Scheme == "" || u.Scheme == "file" {
		return folder(u.Path)
	}
	doc, err := c.http.Document(ctx, page, accept, maxPage)
	if err != nil {
		return nil, err
	}
	links, err := parsePage(doc.Text, doc.Type, doc.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	return links, nil
}

// folder returns the files of a folder. A folder that is not there has none, as for pip.
func folder(dir string) ([]link, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []link
	for _, e := range entries {
		if e.Type().IsRegular() || e.Type()&fs.ModeSymlink != 0 {
			out = append(out, link{file: e.Name(), url: &url.URL{Scheme: "file", Path: filepath.Join(dir, e.Name())}})
		}
	}
	return out, nil
}
