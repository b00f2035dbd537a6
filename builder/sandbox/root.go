package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// order is what Run tells the init process of a tree, as JSON on file descriptor orderFD.
type order struct {
	Root     string
	Args     []string
	Env      []string
	Dir      string
	Binds    []Bind
	Network  bool
	KeepSync bool
}

// verdict is what init tells Run, as JSON on file descriptor verdictFD.
type verdict struct {
	Setup  string // why the program was not started; "" when it was
	Status syscall.WaitStatus
}

// maxVerdict bounds what is read from init.
const maxVerdict = 64 << 10

// runRoot starts init (this same program, see Init) in new namespaces; init builds the view of
// the tree and starts the program. Killing init, PID 1 there, ends everything in it.
func runRoot(ctx context.Context, s Spec) error {
	root, err := filepath.Abs(s.Root)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	input, err := json.Marshal(order{Root: root, Args: s.Args, Env: s.Env, Dir: s.Dir, Binds: s.Binds, Network: s.Network, KeepSync: s.KeepSync})
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	orderR, orderW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer orderR.Close()
	verdictR, verdictW, err := os.Pipe()
	if err != nil {
		orderW.Close()
		return fmt.Errorf("sandbox: %w", err)
	}
	defer verdictR.Close()

	var t tail
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{initName}
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Stdin = s.Stdin
	cmd.Stdout, cmd.Stderr = outputs(s, &t)
	cmd.ExtraFiles = []*os.File{orderR, verdictW}
	flags := uintptr(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if !s.Network {
		flags |= unix.CLONE_NEWNET
	}
	cmd.WaitDelay = 5 * time.Second // Stdin may never end
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL, Setsid: true}
	if err := cmd.Start(); err != nil {
		orderW.Close()
		verdictW.Close()
		return fmt.Errorf("sandbox: %s in %s: %w", s.Args[0], root, namespaceError(err))
	}
	verdictW.Close()
	_, writeErr := orderW.Write(input)
	orderW.Close()
	answer, readErr := io.ReadAll(io.LimitReader(verdictR, maxVerdict))
	waitErr := cmd.Wait()
	if ctx.Err() != nil && waitErr != nil {
		return fmt.Errorf("%s: %w", s.Args[0], context.Cause(ctx))
	}
	var v verdict
	if err := json.Unmarshal(answer, &v); err != nil {
		return fmt.Errorf("sandbox: %s in %s: init ended early: %w\n%s", s.Args[0], root,
			errors.Join(writeErr, readErr, waitErr, err), t.String())
	}
	if v.Setup != "" {
		return fmt.Errorf("sandbox: %s in %s: %s", s.Args[0], root, v.Setup)
	}
	return newExitError(s.Args, v.Status, &t)
}
