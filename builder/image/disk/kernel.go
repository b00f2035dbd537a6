package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// findKernel returns the version of the kernel to boot: want, or the only one in /boot. Its
// initramfs must be there too.
func findKernel(root *os.Root, want string) (string, error) {
	entries, err := fs.ReadDir(root.FS(), "boot")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("disk: %w", err)
	}
	var versions []string
	for _, e := range entries {
		if v, ok := strings.CutPrefix(e.Name(), "vmlinuz-"); ok && kernelForm.MatchString(v) {
			versions = append(versions, v)
		}
	}
	version := want
	switch {
	case len(versions) == 0:
		return "", fmt.Errorf("disk: %s/boot holds no vmlinuz-VERSION: the image needs a kernel package, such as linux-image-cloud-amd64", root.Name())
	case want == "" && len(versions) > 1:
		return "", fmt.Errorf("disk: %s/boot holds several kernels (%s): name one, or leave one", root.Name(), strings.Join(versions, ", "))
	case want == "":
		version = versions[0]
	}
	for _, name := range []string{"vmlinuz-", "initrd.img-"} {
		info, err := root.Stat("boot/" + name + version)
		switch {
		case err != nil && name == "initrd.img-":
			return "", fmt.Errorf("disk: kernel %s has no initramfs: %w: the image needs initramfs-tools, run at the end of its configuration", version, err)
		case err != nil:
			return "", fmt.Errorf("disk: kernel %s is not in the image, which holds %s: %w", version, strings.Join(versions, ", "), err)
		case !info.Mode().IsRegular() || info.Size() == 0:
			return "", fmt.Errorf("disk: %s/boot/%s%s is not a file with something in it", root.Name(), name, version)
		}
	}
	return version, nil
}
