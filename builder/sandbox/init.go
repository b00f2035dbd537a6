package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// initName is argv[0] of a process that is the init of a tree.
const initName = "forge-sandbox-init"

// File descriptors that Run gives to init.
const (
	orderFD   = 3
	verdictFD = 4
)

// Init turns this process into the init of a tree when Run started it for that, and then does not
// return. main and TestMain call it first.
func Init() {
	if len(os.Args) != 1 || os.Args[0] != initName || os.Getpid() != 1 {
		return
	}
	runtime.LockOSThread() // seccomp and the capability bounding set belong to a thread
	unix.CloseOnExec(orderFD)
	unix.CloseOnExec(verdictFD)
	out := os.NewFile(verdictFD, "verdict")
	var v verdict
	status, err := serve(os.NewFile(orderFD, "order"))
	if err != nil {
		v.Setup = err.Error()
	}
	v.Status = status
	code := 0
	if err := json.NewEncoder(out).Encode(v); err != nil {
		code = 1
	}
	syscall.Exit(code) // not os.Exit: under the race detector that one sleeps for a second
}

// serve carries out one order and returns how the program ended.
func serve(in io.Reader) (syscall.WaitStatus, error) {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return 0, fmt.Errorf("read the order: %w", err)
	}
	unix.Umask(0o022)
	if err := enterRoot(o); err != nil {
		return 0, err
	}
	if err := unix.Sethostname([]byte("localhost")); err != nil {
		return 0, fmt.Errorf("set the host name: %w", err)
	}
	if !o.Network {
		if err := loopbackUp(); err != nil {
			return 0, err
		}
	}
	path, err := lookPath(o.Args[0], o.Env)
	if err != nil {
		return 0, err
	}
	dir := o.Dir
	if dir == "" {
		dir = "/"
	}
	if err := dropCapabilities(); err != nil {
		return 0, err
	}
	if !o.KeepSync {
		if err := ignoreSync(); err != nil {
			return 0, err
		}
	}
	pid, err := syscall.ForkExec(path, o.Args, &syscall.ProcAttr{
		Dir: dir, Env: o.Env, Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", path, err)
	}
	return reap(pid)
}

// reap waits for pid, and meanwhile for every orphan that ends.
func reap(pid int) (syscall.WaitStatus, error) {
	for {
		var w syscall.WaitStatus
		got, err := syscall.Wait4(-1, &w, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait: %w", err)
		case got == pid:
			return w, nil
		}
	}
}

// loopbackUp switches on the loopback interface of a new network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}

// dropCapabilities takes away, for good, what reaches the host in spite of the namespaces. User
// namespaces do not give these either, so that root and rootless behave alike.
func dropCapabilities() error {
	for _, c := range []uintptr{
		unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_SYS_TIME, unix.CAP_SYS_BOOT, unix.CAP_SYSLOG,
		unix.CAP_WAKE_ALARM, unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE, unix.CAP_MKNOD,
		unix.CAP_AUDIT_CONTROL, unix.CAP_PERFMON, unix.CAP_BPF,
	} {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: this kernel does not know it
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}
