package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	code := m.Run()
	if ownCache != "" {
		os.RemoveAll(ownCache)
	}
	os.Exit(code)
}

// ownCache is where the tree lies when $FORGE_TEST_CACHE names no place that outlives the test.
var ownCache string

// testTree is one tree that serves as tools and as image: a Debian 13 with the programs that make
// disks, GRUB, and files in place of a kernel. Booting is tested where there is a whole image.
var testTree = sync.OnceValues(func() (string, error) {
	cache := os.Getenv("FORGE_TEST_CACHE")
	if cache == "" {
		var err error
		if cache, err = os.MkdirTemp("", "forge-disk-test"); err != nil {
			return "", err
		}
		ownCache = cache
	}
	dir := filepath.Join(cache, "disk-tools-trixie")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mirror, err := hostMirror()
	if err != nil {
		return "", err
	}
	temp := fmt.Sprintf("%s.%d", dir, os.Getpid())
	defer os.RemoveAll(temp)
	out, err := exec.Command("mmdebstrap", "--variant=essential", "--mode=root", "--quiet", "--format=directory",
		"--include=e2fsprogs,libarchive13t64,fdisk,dosfstools,mtools,qemu-utils,grub-common,grub-pc-bin,grub-efi-amd64-bin",
		"trixie", temp, "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "+mirror+" trixie main").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mmdebstrap: %w\n%s", err, out)
	}
	for _, name := range []string{"vmlinuz-6.12-test", "initrd.img-6.12-test"} {
		if err := os.WriteFile(filepath.Join(temp, "boot", name), []byte(name), 0o644); err != nil {
			return "", err
		}
	}
	return dir, os.Rename(temp, dir)
})

// hostMirror is the first archive of the host's apt sources.
func hostMirror() (string, error) {
	entry := regexp.MustCompile(`(?m)^(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+/debian/?)(?:\s|$)`)
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return "", err
			}
			if m := entry.FindSubmatch(text); m != nil {
				return string(m[1]), nil
			}
		}
	}
	return "", errors.New("the host's apt sources name no Debian archive")
}

// realSpec describes a disk of testTree, to be made in a new directory.
func realSpec(t *testing.T) Spec {
	t.Helper()
	if testing.Short() {
		t.Skip("makes file trees with mmdebstrap")
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil || os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("needs root and mmdebstrap: %v", err)
		}
		t.Skipf("needs root and mmdebstrap (apt-get install mmdebstrap): %v", err)
	}
	tree, err := testTree()
	if err != nil {
		t.Fatal(err)
	}
	return Spec{
		Tools: tree, Root: tree, Output: filepath.Join(t.TempDir(), "disk.raw"), Seed: "test/disk", Epoch: testEpoch,
		Tree: func(ctx context.Context, w io.Writer) error {
			return archive.WriteTar(ctx, tree, w, archive.TarOptions{Clamp: testEpoch, Top: true})
		},
	}
}
