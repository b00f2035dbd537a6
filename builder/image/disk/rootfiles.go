package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// file is something that Build lays into the root file system, over what the tree holds. All of
// it belongs to root.
type file struct {
	name string // relative, clean; a directory when dir is set
	dir  bool
	size int64
	open func() (io.ReadCloser, error) // nil for a directory
}

// Directories of GRUB's modules: where the packages keep them, and where its core image looks.
const (
	grubPackaged = "usr/lib/grub"
	grubDir      = "boot/grub"
)

// targets are the platforms that GRUB is installed for, as its packages name them.
var targets = []string{"i386-pc", "x86_64-efi"}

func textFile(name, text string) file {
	return file{name: name, size: int64(len(text)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

// rootFiles lists what Build adds to the tree, each directory before what lies in it.
func rootFiles(root *os.Root, s Spec, id ids, kernel string) ([]file, error) {
	files := []file{
		textFile("etc/fstab", fstab(id)),
		textFile("etc/default/grub.d/50-forge.cfg", grubDefaults(s.Cmdline)),
		textFile("usr/lib/repart.d/50-root.conf", repartConf),
		textFile(grubDir+"/grub.cfg", grubConfig(id, kernel, s.Cmdline)),
		{name: "boot/efi", dir: true},
	}
	for _, target := range targets {
		modules, err := grubModules(root, target)
		if err != nil {
			return nil, err
		}
		files = append(files, modules...)
	}
	for i := 0; i < len(files); i++ { // parents, once each
		for p := path.Dir(files[i].name); p != "."; p = path.Dir(p) {
			if !slices.ContainsFunc(files, func(f file) bool { return f.name == p }) {
				files = append(files, file{name: p, dir: true})
			}
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// grubModules lists the modules of one platform, to be copied beside grub.cfg: the core image on
// the disk and the modules that it loads must stay of one version when apt brings a newer GRUB.
func grubModules(root *os.Root, target string) ([]file, error) {
	dir := path.Join(grubPackaged, target)
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("disk: %s has no /%s: the image needs the packages grub-pc-bin and grub-efi-amd64-bin", root.Name(), dir)
	} else if err != nil {
		return nil, fmt.Errorf("disk: %w", err)
	}
	var files []file
	for _, e := range entries {
		if ext := path.Ext(e.Name()); !e.Type().IsRegular() || (ext != ".mod" && ext != ".lst") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("disk: %w", err)
		}
		source := path.Join(dir, e.Name())
		files = append(files, file{
			name: path.Join(grubDir, target, e.Name()), size: info.Size(),
			open: func() (io.ReadCloser, error) { return root.Open(source) },
		})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("disk: /%s of %s holds no modules: is its GRUB package complete?", dir, root.Name())
	}
	return files, nil
}

// fstab mounts the root by its UUID. systemd-growfs makes the file system fill its partition.
func fstab(id ids) string {
	var b bytes.Buffer
	b.WriteString("# <what> <where> <type> <options> <dump> <pass>\n")
	fmt.Fprintf(&b, "UUID=%s / ext4 errors=remount-ro,x-systemd.growfs 0 1\n", id.RootFS)
	// Only grub-install needs the ESP: mounting it at each boot would leave it dirty after a crash.
	fmt.Fprintf(&b, "UUID=%s /boot/efi vfat umask=0077,noauto 0 0\n", id.volumeUUID())
	return b.String()
}

// repartConf lets systemd-repart grow the root partition to the end of the disk (repart.d(5)).
const repartConf = `# The root partition fills the disk. To keep it as it is: an empty file of this name in /etc/repart.d.
[Partition]
Type=root
`
