package fleet

import (
	"context"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Session is a program that a person runs on a node.
type Session struct {
	User          string
	Args          []string
	In            io.Reader
	Out, Err      io.Writer
	Terminal      string // value of TERM; "": the program has no terminal
	Width, Height int    // of the terminal, in characters
}

// Attach runs a program on a node with the session's streams, and returns its exit status.
func (f *Fleet) Attach(ctx context.Context, node string, s Session) (int, error) {
	b, err := f.Box(ctx, node)
	if err != nil {
		return 0, err
	}
	if b.State != container.StateRunning {
		return 0, fmt.Errorf("node %s does not run: %s; start it with: forge up", node, b.Status)
	}
	tty := s.Terminal != ""
	opt := container.ExecOptions{User: s.User, Cmd: s.Args, Tty: tty, AttachStdin: true, AttachStdout: true, AttachStderr: true}
	if tty {
		opt.Env = []string{"TERM=" + s.Terminal}
	}
	made, err := f.Engine.ContainerExecCreate(ctx, b.ID, opt)
	if err != nil {
		return 0, fmt.Errorf("%s on node %s: %w", s.Args[0], node, err)
	}
	stream, err := f.Engine.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: tty})
	if err != nil {
		return 0, fmt.Errorf("%s on node %s: %w", s.Args[0], node, err)
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Close)()
	if tty && s.Width > 0 { // an older size is no reason to end a session
		_ = f.Engine.ContainerExecResize(ctx, made.ID, container.ResizeOptions{Width: uint(s.Width), Height: uint(s.Height)})
	}
	go func() {
		_, _ = io.Copy(stream.Conn, s.In) // it ends with the program, or the person
		_ = stream.CloseWrite()
	}()
	if tty {
		_, err = io.Copy(s.Out, stream.Reader)
	} else {
		_, err = stdcopy.StdCopy(s.Out, s.Err, stream.Reader)
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("%s on node %s: %w", s.Args[0], node, err)
	}
	end, err := f.Engine.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return 0, err
	}
	return end.ExitCode, nil
}
