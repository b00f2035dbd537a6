package rootfs_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/rootfs"
)

// kernel is a package that behaves like a kernel and initramfs-tools in one: its script asks for
// the initramfs three times. Each time that it is really made is counted.
var kernel = deb{
	name: "linux-image-test",
	files: map[string]string{
		"/boot/vmlinuz-1.0":                 "kernel",
		"/etc/initramfs-tools/modules":      "virtio\n",
		"/usr/share/initramfs-tools/hook":   "",
		"/usr/lib/forge/update-initramfs":   "#!/bin/sh\nset -e\necho made >>/var/lib/initramfs-count\necho \"$* $SOURCE_DATE_EPOCH\" >/boot/initrd.img-$3\n",
		"/usr/share/debianutils/shells.d/k": "/bin/dash\n",
	},
	control: map[string]string{
		"postinst": "#!/bin/sh\nset -e\nfor i in 1 2 3; do update-initramfs -c -k 1.0; done\ntest ! -e /boot/initrd.img-1.0\n",
	},
}

// initrds is an InitrdCache in a directory.
type initrds string

func (c initrds) Get(_ context.Context, key string) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(string(c), key))
	if os.IsNotExist(err) {
		return nil, nil
	}
	return f, err
}

func (c initrds) Put(_ context.Context, key, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(string(c), key), b, 0o600)
}

func TestInitramfsIsMadeOnceAndShared(t *testing.T) {
	tools := deb{name: "initramfs-tools-test", fields: "", files: map[string]string{
		"/usr/sbin/update-initramfs": "#!/bin/sh\nexec sh /usr/lib/forge/update-initramfs \"$@\"\n"}}
	base := baseTree(t)
	cache := initrds(t.TempDir())
	with := func(s *rootfs.DeltaSpec) { s.Initrds = cache }
	first, err := delta(t, []string{base}, with, kernel, tools)
	if err != nil {
		t.Fatal(err)
	}
	image := read(t, filepath.Join(first, "boot/initrd.img-1.0"))
	if !strings.HasPrefix(image, "-c -k 1.0 ") {
		t.Errorf("initramfs %q", image)
	}
	if got := read(t, filepath.Join(first, "var/lib/initramfs-count")); got != "made\n" {
		t.Errorf("made %q, want once", got)
	}
	second, err := delta(t, []string{base}, with, kernel, tools, deb{name: "forge-test-unrelated", files: map[string]string{"/usr/share/u": ""}})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(second, "boot/initrd.img-1.0")); got != image {
		t.Errorf("another package: initramfs %q, want the shared one", got)
	}
	if _, err := os.Stat(filepath.Join(second, "var/lib/initramfs-count")); !os.IsNotExist(err) {
		t.Errorf("another package: made again (%v)", err)
	}
	changed := kernel
	changed.files = map[string]string{}
	for name, content := range kernel.files {
		changed.files[name] = content
	}
	changed.files["/etc/initramfs-tools/modules"] = "virtio\nnvme\n"
	third, err := delta(t, []string{base}, with, changed, tools)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(third, "var/lib/initramfs-count")); got != "made\n" {
		t.Errorf("changed configuration: made %q, want once", got)
	}
	for _, name := range []string{"var/lib/dpkg/forge.update-initramfs", "var/lib/dpkg/forge.initramfs-wanted"} {
		if _, err := os.Lstat(filepath.Join(first, name)); !os.IsNotExist(err) {
			t.Errorf("%s stayed (%v)", name, err)
		}
	}
}
