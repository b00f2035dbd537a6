package maven

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
)

// Client runs mvn. The zero value runs the host's, with the caller's settings.
type Client struct {
	// Program is mvn's path or its name in PATH; empty is "mvn".
	Program string
	// Root is the tree that mvn is in, such as the tools snapshot; empty is the host. The user's
	// ~/.m2 is shown to it. Name look-ups in it need an /etc/resolv.conf and an /etc/hosts, which may
	// be empty, in the tree.
	Root string
	// Home is the user's home; empty is $HOME.
	Home string
	// Run runs a program; nil is sandbox.Run.
	Run func(ctx context.Context, s sandbox.Spec) error
	// Env is the environment that settings are read in; nil is sandbox.UserEnv().
	Env []string
	// Args are further arguments of mvn, such as -s FILE.
	Args []string
	// Temp is a folder on the file system of the blobs; empty is the system's temporary folder.
	Temp string
	// Sink hears about progress; nil is nobody.
	Sink event.Sink
}

// Source is one artifact of Maven repositories.
type Source struct {
	client *Client
	coords Coordinates
}

var _ source.Batch = Source{}

// Artifact returns the source for one artifact.
func (c *Client) Artifact(coords Coordinates) Source { return Source{client: c, coords: coords} }

// String names the artifact.
func (s Source) String() string { return "maven " + s.coords.String() }

// Group makes sources of one Client one batch.
func (s Source) Group() any { return s.client }

// Fetch fetches one artifact. For many, source.FetchAll runs mvn only once.
func (s Source) Fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	answer := s.FetchBatch(ctx, []source.Item{{Artifact: a, Source: s}}, blobs)[0]
	return answer.Result, answer.Err
}

// FetchBatch runs mvn for all items, and again without those that no repository has.
func (s Source) FetchBatch(ctx context.Context, items []source.Item, blobs source.Blobs) []source.Answer {
	answers := make([]source.Answer, len(items))
	fail := func(err error) []source.Answer {
		for i := range answers {
			if answers[i] == (source.Answer{}) {
				answers[i].Err = err
			}
		}
		return answers
	}
	dir, err := os.MkdirTemp(s.client.Temp, "maven-")
	if err != nil {
		return fail(fmt.Errorf("maven: %w", err))
	}
	defer os.RemoveAll(dir)
	coords, open := make([]Coordinates, len(items)), make([]int, len(items))
	for i, it := range items {
		src, ok := it.Source.(Source)
		if !ok || src.client != s.client {
			return fail(fmt.Errorf("maven: %s is asked for in the wrong batch", it.Source))
		}
		coords[i], open[i] = src.coords, i
	}
	for len(open) > 0 {
		absent, err := s.client.copy(ctx, coords, open, dir)
		if err != nil {
			return fail(err)
		}
		if absent == "" {
			break
		}
		open = slices.DeleteFunc(open, func(i int) bool {
			if coords[i].id() != absent {
				return false
			}
			answers[i].Err = fmt.Errorf("maven: no repository has %s: %w", coords[i], source.ErrNotFound)
			return true
		})
	}
	for _, i := range open {
		answers[i].Result, answers[i].Err = s.client.adopt(items[i], filepath.Join(dir, fmt.Sprint(i)), blobs)
	}
	return answers
}

// adopt moves what mvn copied into the store.
func (c *Client) adopt(it source.Item, dir string, blobs source.Blobs) (source.Result, error) {
	file := it.Source.(Source).coords.File()
	a := it.Artifact
	if a.File == "" {
		a.File = file
	}
	r, err := source.Adopt(a, filepath.Join(dir, file), file, it.Source.String(), blobs)
	if err != nil {
		err = fmt.Errorf("%w (mvn's local repository may hold a damaged copy: remove it there and try again)", err)
	}
	return r, err
}

// copy lets mvn copy those of coords that are open to dir/INDEX/NAME. If no repository has one of
// them, absent is its id.
func (c *Client) copy(ctx context.Context, coords []Coordinates, open []int, dir string) (absent string, err error) {
	inside := dir
	if c.Root != "" {
		inside = "/tmp/forge-maven"
	}
	text, err := pom(coords, open, inside)
	if err != nil {
		return "", fmt.Errorf("maven: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), text, 0o644); err != nil {
		return "", fmt.Errorf("maven: %w", err)
	}
	c.emit(event.Event{Kind: event.Phase, Message: fmt.Sprintf("mvn fetches %d files", len(open))})
	var out output
	spec, err := c.spec(dir, inside)
	if err != nil {
		return "", err
	}
	spec.Stdout = &out
	run := c.Run
	if run == nil {
		run = sandbox.Run
	}
	err = run(ctx, spec)
	var exit *sandbox.ExitError
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("maven: %w: install Maven (Debian: apt install maven)", err)
	case !errors.As(err, &exit):
		return "", fmt.Errorf("maven: %w", err)
	}
	id := out.absent()
	if slices.ContainsFunc(open, func(i int) bool { return coords[i].id() == id }) {
		return id, nil
	}
	return "", out.explain(err, exit)
}

func (c *Client) emit(e event.Event) {
	if c.Sink != nil {
		c.Sink.Emit(e)
	}
}
