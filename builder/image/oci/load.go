package oci

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mesos-forge/forge/builder/event"
)

// Engine is the part of an engine's API that Load needs; *client.Client has it.
type Engine interface {
	ImageInspect(ctx context.Context, id string, o ...client.ImageInspectOption) (image.InspectResponse, error)
	ImageLoad(ctx context.Context, r io.Reader, o ...client.ImageLoadOption) (image.LoadResponse, error)
	ImageTag(ctx context.Context, source, target string) error
}

var _ Engine = (*client.Client)(nil)

// NewEngine connects to the engine at host ("unix:///var/run/docker.sock"), or
// to the one that DOCKER_HOST and its relatives name when host is empty. The
// version of the API is agreed on, so that Debian's 20.10 works. Nothing is
// sent before the first call.
func NewEngine(host string) (*client.Client, error) {
	options := []client.Opt{client.FromEnv, client.WithAPIVersionNegotiation()}
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	engine, err := client.NewClientWithOpts(options...)
	if err != nil {
		return nil, fmt.Errorf("container engine: %w", err)
	}
	return engine, nil
}

// Loaded is what Load did.
type Loaded struct {
	ID      string // the image's id in the engine
	Tag     string
	Existed bool // it was there already, and only got its tag
}

// Load brings the image of a layout into an engine under tag
// ("cluster/slave:1"). An image that the engine has already gets the tag and
// nothing is sent.
//
// The stream is a docker-archive: what Debian's docker.io 20.10 reads. Newer
// engines and podman read it too.
func Load(ctx context.Context, layoutDir, tag string, engine Engine, sink event.Sink) (Loaded, error) {
	ref, err := name.NewTag(tag)
	if err != nil {
		return Loaded{}, fmt.Errorf("tag %q: %w; it should be like cluster/slave:1", tag, err)
	}
	found, err := open(layoutDir)
	if err != nil {
		return Loaded{}, err
	}
	if err := verifyHead(found); err != nil {
		return Loaded{}, fmt.Errorf("load %s: %w", layoutDir, err)
	}
	id, err := existing(ctx, found, engine)
	if err != nil {
		return Loaded{}, fmt.Errorf("load %s: %w", layoutDir, EngineError(err))
	}
	loaded := Loaded{ID: id, Tag: ref.String(), Existed: id != ""}
	if loaded.Existed {
		if err := engine.ImageTag(ctx, id, loaded.Tag); err != nil {
			return Loaded{}, fmt.Errorf("load %s: tag %s: %w", layoutDir, loaded.Tag, EngineError(err))
		}
		return loaded, nil
	}
	if err := send(ctx, found.image, ref, engine, sink); err != nil {
		return Loaded{}, fmt.Errorf("load %s: %w", layoutDir, EngineError(err))
	}
	got, err := engine.ImageInspect(ctx, loaded.Tag)
	if err != nil {
		return Loaded{}, fmt.Errorf("load %s: the engine took it but does not know %s: %w", layoutDir, loaded.Tag, EngineError(err))
	}
	loaded.ID = got.ID
	return loaded, nil
}

// existing returns the engine's id of the image, "" when it has not got it.
// An id is the config's digest, or the manifest's with containerd's store.
func existing(ctx context.Context, o *opened, engine Engine) (string, error) {
	config, err := o.image.ConfigName()
	if err != nil {
		return "", err
	}
	for _, id := range []string{config.String(), o.digest.String()} {
		got, err := engine.ImageInspect(ctx, id)
		if err == nil {
			return got.ID, nil
		}
		if !cerrdefs.IsNotFound(err) {
			return "", err
		}
	}
	return "", nil
}

// send streams the image; nothing of it is kept in memory or in a file.
func send(ctx context.Context, image v1.Image, ref name.Tag, engine Engine, sink event.Sink) error {
	total, err := tarball.CalculateSize(map[name.Reference]v1.Image{ref: image})
	if err != nil {
		return err
	}
	in, out := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		err := tarball.Write(ref, image, progressWriter{out, newProgress(sink, "load", total)})
		out.CloseWithError(err)
		wrote <- err
	}()
	response, err := engine.ImageLoad(ctx, in)
	if err == nil {
		err = readAnswer(response.Body)
	}
	in.Close() // the engine may stop reading early: let the writer end
	if writeErr := <-wrote; writeErr != nil && !errors.Is(writeErr, io.ErrClosedPipe) {
		return writeErr
	}
	return err
}

// readAnswer looks for an error among the messages of an engine, one JSON
// object after the other.
func readAnswer(body io.ReadCloser) error {
	defer body.Close()
	for decoder := json.NewDecoder(bufio.NewReader(body)); ; {
		var message struct {
			Error string `json:"error"`
		}
		switch err := decoder.Decode(&message); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read the engine's answer: %w", err)
		case message.Error != "":
			return fmt.Errorf("the engine says: %s", message.Error)
		}
	}
}

// EngineError says what to do about an error of an engine, as far as that is known.
func EngineError(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run as root, or as a member of the group docker", err)
	case client.IsErrConnectionFailed(err):
		return fmt.Errorf("%w; \"apt-get install docker.io\" and \"systemctl start docker\" give one, DOCKER_HOST names another", err)
	}
	return err
}
