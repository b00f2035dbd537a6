package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"context"

	"golang.org/x/sys/unix"
)

// Finding is one thing that sandboxes need of the host.
type Finding struct {
	Name   string // what was looked at, e.g. "newuidmap"
	OK     bool
	Detail string // what was found
	Fix    string // a command, or an instruction, that mends it; may be set when OK
}

// Doctor looks at everything that Enter and Run need of this host, for the user who asks.
func Doctor(ctx context.Context) []Finding {
	out := []Finding{kernelFinding(), overlayFinding()}
	if os.Geteuid() == 0 {
		return append(out, probe(ctx, "namespaces", "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--", "true"))
	}
	out = append(out, rootlessFindings()...)
	out = append(out, sysctlFindings()...)
	args := append(unshareArgs(), "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--", "true")
	return append(out, probe(ctx, "user namespace", args...))
}

func kernelFinding() Finding {
	f := Finding{Name: "kernel", Fix: "use Linux 5.12 or newer"}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		f.Detail = err.Error()
		return f
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	_, err := fmt.Sscanf(release, "%d.%d", &major, &minor)
	f.OK = err == nil && (major > 5 || major == 5 && minor >= 12)
	f.Detail = "Linux " + release
	return f
}

func overlayFinding() Finding {
	f := Finding{Name: "overlayfs", Fix: "modprobe overlay"}
	b, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	f.OK = bytes.Contains(b, []byte("\toverlay\n"))
	if f.Detail = "the kernel offers it"; !f.OK {
		f.Detail = "the kernel does not offer overlayfs (or its module is not loaded)"
	}
	return f
}

// sysctlFindings names settings with which distributions forbid user namespaces to users.
func sysctlFindings() []Finding {
	var out []Finding
	for _, s := range []struct{ key, bad, fix string }{
		{"kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
		{"kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
		{"user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"},
	} {
		b, err := os.ReadFile("/proc/sys/" + s.key)
		if err != nil {
			continue // this kernel has no such setting
		}
		v := strings.TrimSpace(string(b))
		name := strings.ReplaceAll(s.key, "/", ".")
		out = append(out, Finding{Name: name, OK: v != s.bad, Detail: name + " is " + v, Fix: s.fix})
	}
	return out
}

// probe does the real thing once.
func probe(ctx context.Context, name string, args ...string) Finding {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return Finding{Name: name, Detail: fmt.Sprintf("%s: %v: %s", strings.Join(args, " "), err, bytes.TrimSpace(out)),
			Fix: "see the findings above; in a container, start it with --privileged"}
	}
	return Finding{Name: name, OK: true, Detail: strings.Join(args, " ") + " works"}
}
