package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Overlay mounts lowers (the topmost first) with upper over them at target, and returns what
// unmounts it. upper then holds the plain difference: changed and new files, whiteouts (character
// devices 0:0), opaque directories (xattr user.overlay.opaque=y); no redirects, no metadata-only
// copies, no index. upper and work lie on one file system; work is empty. Renaming a directory
// that is in a lower fails with EXDEV, as on any overlayfs without redirects: programs copy then.
//
// Nothing is synced: upper has to be synced by whoever keeps it.
func Overlay(lowers []string, upper, work, target string) (unmount func() error, err error) {
	if len(lowers) == 0 {
		return nil, errors.New("sandbox: overlay without a lower tree")
	}
	// Through /proc/self/fd no path needs escaping, and many lowers fit into the one page of options.
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	ref := func(dir string) (string, error) {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return "", fmt.Errorf("sandbox: overlay: %s: %w", dir, err)
		}
		fds = append(fds, fd)
		return fmt.Sprintf("/proc/self/fd/%d", fd), nil
	}
	refs := make([]string, 0, len(lowers)+2)
	for _, dir := range append(append([]string{}, lowers...), upper, work) {
		r, err := ref(dir)
		if err != nil {
			return nil, err
		}
		refs = append(refs, r)
	}
	n := len(lowers)
	options := "lowerdir=" + strings.Join(refs[:n], ":") + ",upperdir=" + refs[n] + ",workdir=" + refs[n+1] +
		",userxattr,index=off,metacopy=off,redirect_dir=nofollow,volatile"
	if err := unix.Mount("overlay", target, "overlay", 0, options); err != nil {
		return nil, fmt.Errorf("sandbox: mount overlay on %s (upper %s): %w", target, upper, err)
	}
	return func() error { return unmountAt(target) }, nil
}

// unmountAt unmounts target, waiting a little for the last processes to leave it.
func unmountAt(target string) error {
	for range 50 {
		err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
		if !errors.Is(err, unix.EBUSY) {
			if err != nil {
				return &os.PathError{Op: "unmount", Path: target, Err: err}
			}
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return &os.PathError{Op: "unmount", Path: target, Err: err}
	}
	return nil
}
