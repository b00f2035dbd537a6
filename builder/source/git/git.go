package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source"
)

// Client runs git. The zero value runs the host's, with the caller's settings.
type Client struct {
	// Program is git's path or its name in PATH; empty is "git".
	Program string
	// Env is the environment that settings are read in; nil is sandbox.UserEnv() and the caller's PATH.
	Env []string
	// Temp is a folder on the file system of the blobs; empty is the system's temporary folder.
	Temp string
	// Sink hears about progress; nil is nobody.
	Sink event.Sink
}

// limits bound a tree. A repository of sources is far below them.
var limits = archive.Limits{Entries: 200_000, Bytes: 2 << 30, FileBytes: 512 << 20}

// Source is the tree of one commit.
type Source struct {
	client *Client
	commit Commit
}

var _ source.Source = Source{}

// Tree returns the source for the tree of a commit, as a tar.
func (c *Client) Tree(commit Commit) Source { return Source{client: c, commit: commit} }

// String names the commit.
func (s Source) String() string { return "git " + s.commit.String() }

// Fetch puts the tree into blobs as a tar that depends on the commit alone: times are the commit's, owners root.
func (s Source) Fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	r, err := s.fetch(ctx, a, blobs)
	if err != nil {
		return r, fmt.Errorf("%s: %w", a.Name, err)
	}
	return r, nil
}

func (s Source) fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	if err := s.commit.Check(); err != nil {
		return source.Result{}, err
	}
	dir, err := os.MkdirTemp(s.client.Temp, "git-")
	if err != nil {
		return source.Result{}, err
	}
	defer os.RemoveAll(dir)
	r := &repository{client: s.client, dir: filepath.Join(dir, "repository"), commit: s.commit}
	if err := r.fetch(ctx); err != nil {
		return source.Result{}, err
	}
	when, err := r.date(ctx)
	if err != nil {
		return source.Result{}, err
	}
	tree := filepath.Join(dir, "tree")
	if err := r.checkOut(ctx, tree); err != nil {
		return source.Result{}, err
	}
	out, err := os.Create(filepath.Join(dir, s.commit.File()))
	if err != nil {
		return source.Result{}, err
	}
	err = archive.WriteTar(ctx, tree, out, archive.TarOptions{Clamp: when})
	if err := errors.Join(err, out.Close()); err != nil {
		return source.Result{}, err
	}
	return source.Adopt(a, out.Name(), s.commit.File(), s.String(), blobs)
}

// repository is a copy of as much of a repository as the commit needs.
type repository struct {
	client *Client
	dir    string
	commit Commit
}

// date is the commit's.
func (r *repository) date(ctx context.Context) (time.Time, error) {
	var out strings.Builder
	if err := r.git(ctx, &limited{w: &out, left: 64}, "show", "--no-patch", "--format=%ct", r.commit.ID); err != nil {
		return time.Time{}, err
	}
	sec, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	if err != nil || sec < 0 {
		return time.Time{}, fmt.Errorf("commit %s has no date that can be written: %q", r.commit.ID, strings.TrimSpace(out.String()))
	}
	return time.Unix(sec, 0).UTC(), nil
}

// checkOut unpacks the tree into dir. Nothing of it is run, and no link of it leads out.
func (r *repository) checkOut(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := r.git(ctx, out, "archive", "--format=tar", r.commit.ID)
		out.CloseWithError(err)
		ended <- err
	}()
	opt := archive.Options{Name: "tree of commit " + r.commit.ID, Limits: limits, ConfineLinks: true, Owner: archive.FixedOwner(os.Geteuid(), os.Getegid())}
	_, err = archive.ExtractTar(ctx, in, root, opt)
	if err == nil {
		_, err = io.Copy(io.Discard, in) // what git pads its archive with
	}
	in.CloseWithError(err)
	if gitErr := <-ended; err == nil {
		err = gitErr
	}
	return err
}

// limited refuses more than left bytes.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errors.New("git says more than it was asked")
	}
	return l.w.Write(p)
}

func (c *Client) emit(e event.Event) {
	if c.Sink != nil {
		c.Sink.Emit(e)
	}
}

// explain adds to an error of git what to do about it.
func (r *repository) explain(err error) error {
	var exit *sandbox.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	lines := strings.Split(strings.TrimSpace(exit.Tail), "\n")
	return fmt.Errorf("git can't fetch %s (exit status %d): %s\ncheck the URL, the network and git's credentials: git ls-remote %s",
		r.commit.Repository, exit.Code, strings.Join(lines[max(0, len(lines)-5):], "\n"), r.commit.Repository)
}
