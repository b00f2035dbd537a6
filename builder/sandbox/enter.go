package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// stageEnv tells a re-executed forge how far it has come: stageUser, then stageInside.
const (
	stageEnv    = "FORGE_SANDBOX"
	stageUser   = "user"
	stageInside = "inside"
)

// Entry says how Enter goes inside.
type Entry struct {
	// Interactive keeps the inner forge in the terminal's foreground process group, for commands
	// that read from the terminal. The terminal then sends it Ctrl-C by itself.
	Interactive bool
}

// Inside reports whether this process went through Enter: it is PID 1 of its own PID namespace.
func Inside() bool {
	return os.Getenv(stageEnv) == stageInside && os.Getpid() == 1
}

// Enter moves the running program into a private mount and PID namespace by running it again.
//
// In the process that was started by the user, done is true when the inner one has ended, and
// code is its exit status (128+n when signal n ended it): the caller exits with it. A second SIGINT
// kills the inner process; code is then 130. In the inner
// process done is false and the program goes on: effective uid 0 in some user namespace, ids
// 0..65535 mapped, mounts private, a fresh /proc, umask 022.
//
// Errors say what the host lacks and which command mends it.
func Enter(e Entry) (code int, done bool, err error) {
	stage := os.Getenv(stageEnv)
	switch {
	case Inside():
		return 0, false, settle()
	case os.Geteuid() == 0:
		code, err = supervise(e)
		return code, true, err
	case stage == stageUser:
		return 1, true, errors.New("sandbox: unshare did not make us root in the new user namespace: run `forge doctor`")
	default:
		return 1, true, enterUserNamespace()
	}
}

// settle prepares the namespaces of the inner process.
func settle() error {
	unix.Umask(0o022)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("sandbox: make the mounts private: %w", err)
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("proc", "/proc", "proc", flags, ""); err != nil {
		return fmt.Errorf("sandbox: mount /proc for the new PID namespace: %w "+
			"(in a container, /proc must not be masked: docker run --security-opt systempaths=unconfined)", err)
	}
	return nil
}

// supervise runs the inner process, hands signals on, and returns its exit status. When this
// process dies the kernel kills the inner one, PID 1, and with it everything in its namespaces.
func supervise(e Entry) (int, error) {
	runtime.LockOSThread() // Pdeathsig is about the thread that forked
	defer runtime.UnlockOSThread()

	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded(e)...)
	defer signal.Stop(signals)

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = withStage(os.Environ(), stageInside)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
		// Out of the terminal's process group: Ctrl-C reaches this process, which hands it on once.
		Setpgid: !e.Interactive,
	}
	if err := cmd.Start(); err != nil {
		return 1, namespaceError(err)
	}
	var impatient atomic.Bool
	ended := make(chan struct{})
	go func() {
		for interrupts := 0; ; {
			select {
			case s := <-signals:
				if s == unix.SIGINT {
					interrupts++
				}
				if interrupts > 1 { // it does not end, or not fast enough for whoever presses Ctrl-C again
					impatient.Store(true)
					s = unix.SIGKILL
				}
				_ = cmd.Process.Signal(s) // it may have ended by now
			case <-ended:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, fmt.Errorf("sandbox: wait for the inner process: %w", err)
	}
	if impatient.Load() {
		return 128 + int(unix.SIGINT), nil
	}
	return exitStatus(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

func namespaceError(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("sandbox: the kernel refuses new mount and PID namespaces: %w "+
			"(in a container: docker run --privileged; `forge doctor` says more)", err)
	}
	return fmt.Errorf("sandbox: start the inner process: %w", err)
}

// forwarded lists the signals handed to the inner process. In the terminal's foreground group it
// receives the terminal's own signals by itself. What the caller has ignored (nohup) stays so.
func forwarded(e Entry) []os.Signal {
	s := []os.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2}
	if e.Interactive {
		signal.Ignore(unix.SIGINT, unix.SIGQUIT)
	} else {
		s = append(s, unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH)
	}
	return slices.DeleteFunc(s, signal.Ignored)
}

func exitStatus(w syscall.WaitStatus) int {
	if w.Signaled() {
		return 128 + int(w.Signal())
	}
	return w.ExitStatus()
}

func withStage(env []string, stage string) []string {
	out := make([]string, 0, len(env)+1)
	for _, kv := range env {
		if !strings.HasPrefix(kv, stageEnv+"=") {
			out = append(out, kv)
		}
	}
	return append(out, stageEnv+"="+stage)
}
