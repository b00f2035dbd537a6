package rootfs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// InitrdCache keeps initramfs images by the key of what goes into them, so that roles share one.
type InitrdCache interface {
	// Get opens the image of a key; nil without an error when there is none.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// Put keeps the image at path.
	Put(ctx context.Context, key, path string) error
}

// updateInitramfs is what kernels and packages with hooks call, each of them once or twice.
const updateInitramfs = "usr/sbin/update-initramfs"

// initramfsStub stands over update-initramfs while dpkg configures, and notes that it was called.
const (
	initramfsStub   = dpkgDir + "/forge.update-initramfs"
	initramfsWanted = dpkgDir + "/forge.initramfs-wanted"
	stubScript      = "#!/bin/sh\necho \"update-initramfs: deferred to the end\"\n: >/" + initramfsWanted + "\n"
)

// deferInitramfs returns the bind that puts the stub in place; none where there is no
// update-initramfs.
func (t *tree) deferInitramfs() ([]sandbox.Bind, error) {
	if _, err := t.root.Lstat(updateInitramfs); err != nil {
		return nil, ignoreMissing(err)
	}
	if err := put(t.root, initramfsStub, []byte(stubScript), 0o755); err != nil {
		return nil, err
	}
	return []sandbox.Bind{{Source: filepath.Join(t.dir, initramfsStub), Target: "/" + updateInitramfs, ReadOnly: true}}, nil
}

// makeInitramfs makes the initramfs of every kernel of the tree, or takes it from the cache, when a
// package asked for it.
func (t *tree) makeInitramfs(ctx context.Context) error {
	if err := t.root.Remove(initramfsStub); err != nil {
		return ignoreMissing(err)
	}
	if err := t.root.Remove(initramfsWanted); err != nil {
		return ignoreMissing(err)
	}
	kernels, err := fs.Glob(t.root.FS(), "boot/vmlinuz-*")
	if err != nil || len(kernels) == 0 {
		return err
	}
	t.phase("initramfs")
	key, err := t.initramfsKey()
	if err != nil {
		return fmt.Errorf("rootfs: initramfs: %w", err)
	}
	for _, kernel := range kernels {
		version := strings.TrimPrefix(kernel, "boot/vmlinuz-")
		if err := t.initramfs(ctx, version, key+"-"+version); err != nil {
			return fmt.Errorf("rootfs: initramfs for %s: %w", version, err)
		}
	}
	return nil
}

func (t *tree) initramfs(ctx context.Context, version, key string) error {
	image := "boot/initrd.img-" + version
	if t.Initrds != nil {
		ready, err := t.Initrds.Get(ctx, key)
		if err != nil {
			return err
		}
		if ready != nil {
			defer ready.Close()
			return t.copyIn(image, ready)
		}
	}
	err := t.run(ctx, sandbox.Spec{Args: []string{"update-initramfs", "-c", "-k", version}})
	if err != nil || t.Initrds == nil {
		return err
	}
	return t.Initrds.Put(ctx, key, filepath.Join(t.dir, image))
}

func (t *tree) copyIn(name string, r io.Reader) error {
	f, err := t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Chmod(0o644), f.Close())
}

// initramfsConfig are files and directories of the tree that mkinitramfs and its hooks read.
var initramfsConfig = [...]string{
	"etc/initramfs-tools", "usr/share/initramfs-tools", "etc/modprobe.d", "etc/modules", "etc/modules-load.d", "etc/fstab",
	"etc/crypttab", "etc/udev", "etc/default/console-setup", "etc/default/keyboard", "etc/ld.so.conf", "etc/ld.so.conf.d",
}

// initramfsKey is the digest of what goes into an initramfs: the versions of the packages that
// bring kernels, hooks and scripts, and of all that they depend on; the configuration that these
// read; and the epoch.
func (t *tree) initramfsKey() (string, error) {
	status, err := t.root.ReadFile(dpkgDir + "/status")
	if err != nil {
		return "", err
	}
	packages, err := archive.ParseParagraphs(status)
	if err != nil {
		return "", err
	}
	var roots []string
	for _, p := range packages {
		list, err := t.root.ReadFile(dpkgDir + "/info/" + listName(p) + ".list")
		if err != nil {
			return "", err
		}
		text := string(list)
		if strings.Contains(text, "\n/boot/vmlinuz-") || strings.Contains(text, "/initramfs-tools/") || p.Get("Essential") == "yes" {
			roots = append(roots, p.Get("Package"))
		}
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "initramfs 1 %d\n", t.Epoch.Unix())
	for _, line := range dependencyClosure(packages, roots) {
		fmt.Fprintln(sum, line)
	}
	for _, name := range initramfsConfig {
		if err := t.hashConfig(sum, name); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// hashConfig adds names, modes and contents below a path; a path that is absent adds nothing.
func (t *tree) hashConfig(sum hash.Hash, top string) error {
	err := fs.WalkDir(t.root.FS(), top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %v\n", name, info.Mode())
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := t.root.Readlink(name)
			fmt.Fprintf(sum, "%q\n", target)
			return err
		case d.Type().IsRegular():
			f, err := t.root.Open(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(sum, "%d\n", info.Size())
			_, err = io.Copy(sum, f)
			return errors.Join(err, f.Close())
		}
		return nil
	})
	return ignoreMissing(err)
}

// dependencyClosure lists "name version" of the roots and of what they need, sorted.
func dependencyClosure(packages []archive.Paragraph, roots []string) []string {
	byName := map[string][]archive.Paragraph{}
	for _, p := range packages {
		byName[p.Get("Package")] = append(byName[p.Get("Package")], p)
		for _, group := range parseRelations(p.Get("Provides")) {
			byName[group[0].name] = append(byName[group[0].name], p)
		}
	}
	seen := map[string]bool{}
	var out []string
	for len(roots) > 0 {
		name := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		for _, p := range byName[name] {
			line := p.Get("Package") + " " + p.Get("Version")
			if seen[line] {
				continue
			}
			seen[line] = true
			out = append(out, line)
			for _, field := range []string{"Pre-Depends", "Depends"} {
				for _, group := range parseRelations(p.Get(field)) {
					for _, a := range group {
						roots = append(roots, a.name)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
