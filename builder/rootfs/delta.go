package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// DeltaSpec describes what is laid over finished trees.
type DeltaSpec struct {
	Install
	Lower []string // sealed trees and deltas, the topmost first
	Dir   string   // the upper layer: absent, or an empty directory
	// Work is an empty or absent directory on the file system of Dir, for overlayfs and for the mount; it is
	// removed in the end.
	Work string
	// Overlays are laid down after everything is configured and before Install.Run.
	Overlays []Overlay
}

// Delta installs packages over Lower and leaves the difference in s.Dir: an overlayfs upper layer
// with userxattr (a removed file is a character device 0:0, an emptied directory has the xattr
// user.overlay.opaque=y). On an error what is in s.Dir is of no use. The result still has to be
// sealed (Seal with Delta).
//
// It mounts an overlay in the caller's mount namespace, which should be a private one.
func Delta(ctx context.Context, s DeltaSpec) (err error) {
	if len(s.Lower) == 0 {
		return errors.New("rootfs: a delta needs a lower tree")
	}
	if err := emptyDir(s.Dir); err != nil {
		return err
	}
	work, target := s.Work+"/work", s.Work+"/merged"
	for _, dir := range []string{s.Work, work, target} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("rootfs: %w", err)
		}
	}
	unmount, err := sandbox.Overlay(s.Lower, s.Dir, work, target)
	if err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	defer func() {
		err = errors.Join(err, unmount())
		if err == nil {
			err = os.RemoveAll(s.Work)
		}
	}()
	t, err := openTree(target, s.Install.withDefaults())
	if err != nil {
		return err
	}
	t.overlays = s.Overlays
	return errors.Join(t.install(ctx), t.root.Close())
}
