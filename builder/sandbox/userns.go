package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// wantedIDs is how many subordinate ids a rootfs needs: uids and gids 1..65535.
const wantedIDs = 65535

// maxSubIDFile bounds what is read of /etc/subuid.
const maxSubIDFile = 1 << 20

// enterUserNamespace replaces this process by itself as root of a new user namespace. unshare
// asks newuidmap to map 0 to the caller and 1.. to the subordinate ids. It returns only on error.
func enterUserNamespace() error {
	for _, f := range rootlessFindings() {
		if !f.OK {
			return fmt.Errorf("sandbox: not root, and %s: %s (or run forge as root)", f.Detail, f.Fix)
		}
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return fmt.Errorf("sandbox: %w: apt-get install util-linux", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("sandbox: find the running program: %w", err)
	}
	args := append(unshareArgs(), self)
	args = append(args, os.Args[1:]...)
	err = syscall.Exec(unshare, args, withStage(os.Environ(), stageUser))
	return fmt.Errorf("sandbox: %s: %w", unshare, err)
}

func unshareArgs() []string {
	return []string{"unshare", "--user", "--map-root-user", "--map-auto", "--"}
}

// rootlessFindings checks what an ordinary user needs to enter a user namespace.
func rootlessFindings() []Finding {
	me, err := user.Current()
	if err != nil {
		return []Finding{{Name: "user", Detail: fmt.Sprintf("the user database does not know uid %d: %v", os.Getuid(), err),
			Fix: "add the user to /etc/passwd"}}
	}
	var out []Finding
	for _, program := range []string{"newuidmap", "newgidmap"} {
		f := Finding{Name: program, Fix: "apt-get install uidmap"}
		if path, err := exec.LookPath(program); err != nil {
			f.Detail = program + " is not installed"
		} else {
			f.OK, f.Detail = true, path
		}
		out = append(out, f)
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		out = append(out, subIDFinding(file, me))
	}
	return out
}

func subIDFinding(file string, me *user.User) Finding {
	f := Finding{
		Name: file,
		Fix:  "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 " + me.Username,
	}
	r, err := os.Open(file)
	if err != nil {
		f.Detail = fmt.Sprintf("%s gives no subordinate ids to %s (%v)", file, me.Username, errors.Unwrap(err))
		return f
	}
	defer r.Close()
	n, err := subIDs(io.LimitReader(r, maxSubIDFile), me.Username, me.Uid)
	switch {
	case err != nil:
		f.Detail = fmt.Sprintf("%s: %v", file, err)
	case n < wantedIDs:
		f.Detail = fmt.Sprintf("%s gives %s %d subordinate ids in one range, %d are needed", file, me.Username, n, wantedIDs)
	default:
		f.OK, f.Detail = true, fmt.Sprintf("%d ids for %s", n, me.Username)
	}
	return f
}

// subIDs returns the size of the first range that r (subuid(5)) gives to a user, which is the
// one that unshare --map-auto takes; 0 when there is none.
func subIDs(r io.Reader, name, uid string) (int, error) {
	s := bufio.NewScanner(r)
	for line := 1; s.Scan(); line++ {
		fields := strings.Split(strings.TrimSpace(s.Text()), ":")
		if len(fields) != 3 || (fields[0] != name && fields[0] != uid) {
			continue
		}
		n, err := strconv.Atoi(fields[2])
		if err != nil || n < 0 {
			return 0, fmt.Errorf("line %d: %q is no count", line, fields[2])
		}
		return n, nil
	}
	return 0, s.Err()
}
