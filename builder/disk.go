package builder

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/image/disk"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/step"
)

// bootUnits switch on what a machine needs to find its network, and off what would make it wait
// for one that is not there, or use it behind the operator's back.
var bootUnits = [][]string{
	{"systemctl", "enable", "systemd-networkd.service"},
	{"systemctl", "disable", "systemd-networkd-wait-online.service"},
	{"systemctl", "mask", "systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service"},
}

// tools makes the tree with the programs that make disks.
func (b *Builder) tools() *step.Step {
	t := b.stack.Tools
	return b.base("tools", b.solve("tools", b.index(t.Distribution.Suite, t.Apt), t.Image, true, nil, nil))
}

type diskSettings struct {
	Epoch    int64
	Seed     string
	Cmdline  string
	Size     int64
	Features []string
}

// disk makes the bootable disk of the merged trees, the topmost first.
func (b *Builder) disk(role string, tools *step.Step, trees ...*step.Step) *step.Step {
	boot := b.stack.Boot
	set := diskSettings{b.opt.Epoch.Unix(), b.stack.Name + "/" + role, boot.Cmdline, int64(boot.Disk.SizeMiB) << 20, boot.Disk.Ext4Features}
	needs := []step.Ref{tools.Out("tree")}
	for _, t := range trees {
		needs = append(needs, t.Out("tree"))
	}
	return &step.Step{Name: "disk/" + role, Kind: "disk", Version: 2, Memory: 2 << 10, Settings: set, Needs: needs,
		Run: func(ctx context.Context, r *step.Run) (err error) {
			toolsDir, err := r.Tree(ctx, tools.Out("tree"))
			if err != nil {
				return err
			}
			root, unmount, err := merged(ctx, r, trees)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, unmount()) }()
			raw, out := filepath.Join(r.Dir, "disk.raw"), filepath.Join(r.Dir, "disk.qcow2")
			_, err = disk.Build(ctx, disk.Spec{Tools: toolsDir, Root: root, Output: raw, Size: set.Size, Seed: set.Seed,
				Epoch: b.opt.Epoch, Cmdline: set.Cmdline, Ext4: disk.Ext4{Features: set.Features}, Events: r.Sink,
				Tree: func(ctx context.Context, w io.Writer) error {
					return archive.WriteTar(ctx, root, w, archive.TarOptions{Clamp: b.opt.Epoch, Top: true})
				}})
			if err != nil {
				return err
			}
			err = disk.Convert(ctx, disk.Conversion{Tools: toolsDir, Source: raw, Output: out, Format: disk.QCOW2,
				Seed: set.Seed, Epoch: b.opt.Epoch, Events: r.Sink})
			if err != nil {
				return err
			}
			return r.PutFile("disk", out)
		}}
}

// merged mounts trees over each other in r.Dir, the topmost first.
func merged(ctx context.Context, r *step.Run, trees []*step.Step) (string, func() error, error) {
	var lowers []string
	for _, t := range trees {
		dir, err := r.Tree(ctx, t.Out("tree"))
		if err != nil {
			return "", nil, err
		}
		lowers = append(lowers, dir)
	}
	var dirs [3]string
	for i, name := range []string{"upper", "work", "root"} {
		dirs[i] = filepath.Join(r.Dir, name)
		if err := os.Mkdir(dirs[i], 0o755); err != nil {
			return "", nil, err
		}
	}
	unmount, err := sandbox.Overlay(lowers, dirs[0], dirs[1], dirs[2])
	return dirs[2], unmount, err
}
