package main_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/mesos-forge/forge/builder/image/oci"
)

// engine is the Docker engine that FORGE_TEST_DOCKER names; what a test makes there, it removes.
type engine struct {
	t    *testing.T
	host string
	api  *client.Client
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	host := os.Getenv("FORGE_TEST_DOCKER")
	if host == "" {
		missing(t, "FORGE_TEST_DOCKER does not name an engine; hack/test starts one")
	}
	api, err := oci.NewEngine(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	return &engine{t, host, api}
}

// create makes a container without a network, and does not start it.
func (e *engine) create(cfg container.Config, host container.HostConfig) *box {
	e.t.Helper()
	host.NetworkMode = "none"
	made, err := e.api.ContainerCreate(e.t.Context(), &cfg, &host, nil, nil, "")
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		if err := e.api.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			e.t.Error(err)
		}
	})
	return &box{e, made.ID}
}

// removeLater takes an image away after the test.
func (e *engine) removeLater(ref string) {
	e.t.Cleanup(func() {
		if _, err := e.api.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}); err != nil {
			e.t.Error(err)
		}
	})
}

// box is one container.
type box struct {
	*engine
	id string
}

func (b *box) start() {
	b.t.Helper()
	if err := b.api.ContainerStart(b.t.Context(), b.id, container.StartOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// stop is "docker stop": SIGTERM, and SIGKILL to whoever is still there after those seconds.
func (b *box) stop(seconds int) {
	b.t.Helper()
	if err := b.api.ContainerStop(b.t.Context(), b.id, container.StopOptions{Timeout: &seconds}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) inspect() container.InspectResponse {
	b.t.Helper()
	state, err := b.api.ContainerInspect(b.t.Context(), b.id)
	if err != nil {
		b.t.Fatal(err)
	}
	return state
}

// wait returns the exit status of a container that ends by itself.
func (b *box) wait() int64 {
	b.t.Helper()
	ended, errs := b.api.ContainerWait(b.t.Context(), b.id, container.WaitConditionNotRunning)
	select {
	case end := <-ended:
		return end.StatusCode
	case err := <-errs:
		b.t.Fatal(err)
	}
	return -1
}

// run runs a program inside and returns its standard output, standard error and exit status.
func (b *box) run(args ...string) (string, string, int) {
	b.t.Helper()
	made, err := b.api.ContainerExecCreate(b.t.Context(), b.id, container.ExecOptions{Cmd: args, AttachStdout: true, AttachStderr: true})
	if err != nil {
		b.t.Fatalf("%q: %v; the container's log:\n%s", args, err, b.log())
	}
	attached, err := b.api.ContainerExecAttach(b.t.Context(), made.ID, container.ExecAttachOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer attached.Close()
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, attached.Reader); err != nil {
		b.t.Fatal(err)
	}
	state, err := b.api.ContainerExecInspect(b.t.Context(), made.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return out.String(), errs.String(), state.ExitCode
}

// must is run for a program that has to succeed.
func (b *box) must(args ...string) string {
	b.t.Helper()
	out, errs, code := b.run(args...)
	if code != 0 {
		b.t.Fatalf("%q: exit status %d\n%s%s", args, code, out, errs)
	}
	return out
}

// log is all that the container has printed.
func (b *box) log() string {
	b.t.Helper()
	stream, err := b.api.ContainerLogs(context.WithoutCancel(b.t.Context()), b.id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		b.t.Fatal(err)
	}
	defer stream.Close()
	var all bytes.Buffer
	if _, err := stdcopy.StdCopy(&all, &all, stream); err != nil {
		b.t.Fatal(err)
	}
	return all.String()
}

// copyIn copies the files of a folder of the host into one inside.
func (b *box) copyIn(from, to string) {
	b.t.Helper()
	var tree bytes.Buffer
	w := tar.NewWriter(&tree)
	if err := errors.Join(w.AddFS(os.DirFS(from)), w.Close()); err != nil {
		b.t.Fatal(err)
	}
	if err := b.api.CopyToContainer(b.t.Context(), b.id, to, &tree, container.CopyToContainerOptions{}); err != nil {
		b.t.Fatal(err)
	}
}
