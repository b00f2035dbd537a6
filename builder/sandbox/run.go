package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bind shows a file or directory of the host in a tree.
type Bind struct {
	Source   string // absolute path on the host
	Target   string // absolute path in the tree; made when it lies in /run, /tmp or /dev, else it must exist
	ReadOnly bool
}

// Spec describes one run of one program.
type Spec struct {
	Root     string    // directory that becomes /; "" runs a program of the host, with the host's files
	Args     []string  // program (looked up in Env's PATH) and its arguments
	Env      []string  // KEY=VALUE; on top of DefaultEnv, nothing else is inherited
	Dir      string    // working directory, in Root; "" means / (or the caller's, when Root is "")
	Binds    []Bind    // only with Root
	Stdin    io.Reader // nil: /dev/null
	Stdout   io.Writer // nil: dropped
	Stderr   io.Writer // nil: dropped but for the tail that an ExitError carries
	Network  bool      // false, with Root: an own network namespace with only a loopback interface
	KeepSync bool      // false, with Root: fsync, sync and the like succeed without doing anything
}

// ExitError says that a program ran and failed.
type ExitError struct {
	Args   []string
	Code   int            // exit status; 128+Signal when a signal ended the program
	Signal syscall.Signal // 0: none
	Tail   string         // the last 8 KiB of its standard error
}

// Error gives the command, how it ended, and the end of what it said.
func (e *ExitError) Error() string {
	how := fmt.Sprintf("exit status %d", e.Code)
	if e.Signal != 0 {
		how = "killed by signal " + e.Signal.String()
	}
	msg := fmt.Sprintf("%s: %s", strings.Join(e.Args, " "), how)
	if t := strings.TrimSpace(e.Tail); t != "" {
		msg += "\n" + t
	}
	return msg
}

// DefaultEnv is what every program gets before Spec.Env.
func DefaultEnv(root string) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C.UTF-8", "TZ=UTC",
	}
	if root == "" {
		return append(env, "HOME="+os.Getenv("HOME"))
	}
	return append(env, "HOME=/root", "SOURCE_DATE_EPOCH=0")
}

// UserEnv is the part of the caller's environment in which a person keeps settings of ordinary
// clients (proxies, agents, certificates), for programs of the host that fetch things.
func UserEnv() []string {
	var out []string
	for _, kv := range os.Environ() {
		key, _, _ := strings.Cut(kv, "=")
		switch lower := strings.ToLower(key); {
		case strings.HasSuffix(lower, "_proxy"),
			strings.HasPrefix(key, "MAVEN_"), strings.HasPrefix(key, "PIP_"), strings.HasPrefix(key, "GIT_"),
			strings.HasPrefix(key, "XDG_"), strings.HasPrefix(key, "SSL_CERT_"),
			slices.Contains([]string{"HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "JAVA_HOME", "NETRC", "APT_CONFIG"}, key):
			out = append(out, kv)
		}
	}
	slices.Sort(out)
	return out
}

// Run starts the program and waits for it. When ctx ends it is killed with all its children.
// A program that ran and failed gives an *ExitError; ctx's error is wrapped when ctx ended it.
func Run(ctx context.Context, s Spec) error {
	if len(s.Args) == 0 {
		return errors.New("sandbox: no program given")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", s.Args[0], err)
	}
	s.Env = mergeEnv(DefaultEnv(s.Root), s.Env)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Pdeathsig is about the thread that forked; it ends with this goroutine
		if s.Root == "" {
			done <- runHost(ctx, s)
		} else {
			done <- runRoot(ctx, s)
		}
	}()
	return <-done
}

func runHost(ctx context.Context, s Spec) error {
	if len(s.Binds) > 0 {
		return fmt.Errorf("sandbox: %s: binds need a root", s.Args[0])
	}
	path, err := lookPath(s.Args[0], s.Env)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = s.Args
	cmd.Env, cmd.Dir, cmd.Stdin = s.Env, s.Dir, s.Stdin
	var t tail
	cmd.Stdout, cmd.Stderr = outputs(s, &t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // a stray child may hold the pipes open
	err = cmd.Run()
	if cmd.Process != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // what it left behind
	}
	return runError(ctx, s.Args, err, cmd.ProcessState, &t)
}

// runError turns the end of a process into the error that a caller sees.
func runError(ctx context.Context, args []string, err error, state *os.ProcessState, t *tail) error {
	if ctxErr := ctx.Err(); ctxErr != nil && err != nil {
		return fmt.Errorf("%s: %w", args[0], context.Cause(ctx))
	}
	var exit *exec.ExitError
	if err == nil || state == nil || (!errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay)) {
		if err != nil {
			return fmt.Errorf("sandbox: %s: %w", args[0], err)
		}
		return nil
	}
	return newExitError(args, state.Sys().(syscall.WaitStatus), t)
}

// newExitError returns nil when w is a success.
func newExitError(args []string, w syscall.WaitStatus, t *tail) error {
	if w.Exited() && w.ExitStatus() == 0 {
		return nil
	}
	e := &ExitError{Args: args, Code: exitStatus(w), Tail: t.String()}
	if w.Signaled() {
		e.Signal = w.Signal()
	}
	return e
}

// outputs returns what to give exec.Cmd: one writer for both when the caller gave one, so that
// the order of lines is kept.
func outputs(s Spec, t *tail) (stdout, stderr io.Writer) {
	switch {
	case s.Stderr == nil:
		return s.Stdout, t
	case same(s.Stdout, s.Stderr):
		both := io.MultiWriter(s.Stderr, t)
		return both, both
	default:
		return s.Stdout, io.MultiWriter(s.Stderr, t)
	}
}

func same(a, b io.Writer) bool {
	if a == nil || b == nil || reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	return reflect.TypeOf(a).Comparable() && a == b
}

// mergeEnv lays over on top of under, keeping the order.
func mergeEnv(under, over []string) []string {
	var out []string
	for _, kv := range under {
		key, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(over, func(o string) bool { return strings.HasPrefix(o, key+"=") }) {
			out = append(out, kv)
		}
	}
	return append(out, over...)
}

// lookPath finds a program by the PATH of env, relative to the current root.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	var path string
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, name)
		if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return full, nil
		}
	}
	return "", fmt.Errorf("%s: %w in %s", name, exec.ErrNotFound, path)
}

// tailSize is how much of a program's standard error an ExitError carries.
const tailSize = 8 << 10

// tail keeps the last tailSize bytes written to it.
type tail struct {
	buf []byte
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
		t.cut = true
	}
	return len(p), nil
}

func (t *tail) String() string {
	if t.cut {
		return "..." + string(t.buf)
	}
	return string(t.buf)
}
