package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// maxOutput is the most that is kept of what a program inside prints, in bytes.
const maxOutput = 4 << 20

// Output is what a program inside a container left.
type Output struct {
	Out, Err []byte
	Code     int
}

// Run runs a program inside a running container, as root, and waits for its end.
func (f *Fleet) Run(ctx context.Context, id string, args ...string) (*Output, error) {
	made, err := f.Engine.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: args, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return nil, err
	}
	stream, err := f.Engine.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	stop := context.AfterFunc(ctx, stream.Close)
	defer stop()
	var out, errs limited
	if _, err := stdcopy.StdCopy(&out, &errs, stream.Reader); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	end, err := f.Engine.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return nil, err
	}
	return &Output{Out: out.Bytes(), Err: errs.Bytes(), Code: end.ExitCode}, nil
}

// limited keeps the first maxOutput bytes, and takes the rest for nothing.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxOutput-l.Len())])
	return len(p), nil
}

// Logs copies what a node's forge-node and services print, of the last so many lines ("all": of all), and with
// follow what comes until ctx ends.
func (f *Fleet) Logs(ctx context.Context, node, tail string, follow bool, w, errs io.Writer) error {
	b, err := f.Box(ctx, node)
	if err != nil {
		return err
	}
	r, err := f.Engine.ContainerLogs(ctx, b.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow, Tail: tail})
	if err != nil {
		return fmt.Errorf("logs of node %s: %w", node, err)
	}
	defer r.Close()
	if _, err := stdcopy.StdCopy(w, errs, r); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("logs of node %s: %w", node, err)
	}
	return context.Cause(ctx)
}
