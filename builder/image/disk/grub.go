package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mesos-forge/forge/builder/sandbox"
)

// coreModules are in GRUB's core image on either platform: all that a boot needs, so that it
// works even when /boot/grub/PLATFORM is damaged.
var coreModules = []string{
	"part_gpt", "ext2", "normal", "configfile", "linux", "gzio", "search", "search_fs_uuid", "search_label",
	"serial", "terminal", "echo", "test", "sleep", "minicmd", "ls", "cat", "halt", "reboot",
}

var platformModules = map[string][]string{
	"i386-pc":    {"biosdisk"},
	"x86_64-efi": {"fat", "all_video", "efi_gop", "efi_uga"},
}

// makeCore writes the core image of a platform to the file out with the image's own grub-mkimage.
// Its prefix names a partition and no disk: GRUB takes the disk it was started from, so that a
// machine with two clones attached boots the one that its firmware chose.
func makeCore(ctx context.Context, s Spec, target, out string) error {
	f, err := os.Create(out)
	if err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	defer f.Close()
	args := []string{"grub-mkimage", "--directory", "/" + grubPackaged + "/" + target, "--format", target,
		"--prefix", fmt.Sprintf("(,gpt%d)/%s", rootPart, grubDir)}
	args = append(append(args, platformModules[target]...), coreModules...)
	if err := s.Run(ctx, sandbox.Spec{Root: s.Root, Args: args, Env: s.env(), Stdout: f}); err != nil {
		return fmt.Errorf("disk: make GRUB's core image for %s (the image needs the package grub-common): %w", target, err)
	}
	return f.Close()
}

// grubConfig is the boot menu of a new disk: one entry. update-grub replaces it when a kernel is
// installed or removed later.
func grubConfig(id ids, kernel, cmdline string) string {
	return fmt.Sprintf(`# Written when the disk image was made; update-grub replaces it.
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
if [ "$grub_platform" = efi ]; then
  insmod all_video
fi
set default=0
set timeout=1
menuentry "Linux %[1]s" --id linux {
  linux /boot/vmlinuz-%[1]s %[2]s
  initrd /boot/initrd.img-%[1]s
}
`, kernel, id.cmdline(cmdline))
}

// grubDefaults makes what update-grub writes later behave like grubConfig.
func grubDefaults(cmdline string) string {
	return fmt.Sprintf(`# Read by update-grub after /etc/default/grub.
GRUB_TIMEOUT=1
GRUB_CMDLINE_LINUX="%s"
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_DISABLE_OS_PROBER=true
`, cmdline)
}

// env is the environment of every program that makes a part of the disk.
func (s Spec) env() []string {
	return []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", s.Epoch.Unix())}
}

// workTarget is where the work directory appears in a tree.
const workTarget = "/run/forge-disk"

// tool runs a program of the tools tree. It sees the directory work as workTarget.
func (s Spec) tool(ctx context.Context, work string, spec sandbox.Spec) error {
	spec.Root = s.Tools
	spec.Env = append(s.env(), spec.Env...)
	spec.Binds = append(spec.Binds, sandbox.Bind{Source: work, Target: workTarget})
	if err := s.Run(ctx, spec); err != nil {
		return fmt.Errorf("disk: in the tools tree (%s is %s there): %w", work, workTarget, err)
	}
	return nil
}

// inTools is the path of a file of the work directory as tools see it.
func inTools(name string) string { return filepath.Join(workTarget, name) }

// featureList is the -O of mke2fs: these features and no other.
func featureList(features []string) string {
	return strings.Join(append([]string{"none"}, features...), ",")
}
