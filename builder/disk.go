package builder

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/archive"
	"github.com/mesos-forge/forge/builder/image/disk"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/step"
)

// bootUnits switch on what a machine needs to find its network, and off what would make it wait
// for one that is not there, or use it behind the operator's back. Without systemd there is no such thing.
func bootUnits(s *recipe.Stack) [][]string {
	if s.InitSystem == node.InitUpstart {
		return nil
	}
	return [][]string{
		{"systemctl", "enable", "systemd-networkd.service"},
		{"systemctl", "disable", "systemd-networkd-wait-online.service"},
		// NFS 4 needs no portmapper, and version 3 starts it by itself.
		{"systemctl", "disable", "rpcbind.service", "rpcbind.socket"},
		{"systemctl", "mask", "systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service"},
	}
}

// disks makes a role's disk in each format that is asked for: qcow2 first, the others of it.
func (b *Builder) disks(role string, tools *step.Step, trees ...*step.Step) map[disk.Format]*step.Step {
	out := map[disk.Format]*step.Step{}
	first := b.disk(role, tools, trees...)
	for _, format := range b.opt.Formats {
		out[format] = first
		if format != disk.QCOW2 {
			out[format] = b.convert(role, format, tools, first)
		}
	}
	return out
}

// convert makes the disk of a qcow2 in another format.
func (b *Builder) convert(role string, format disk.Format, tools, qcow2 *step.Step) *step.Step {
	set := struct {
		Epoch  int64
		Seed   string
		Format disk.Format
	}{b.opt.Epoch.Unix(), b.diskSeed(role), format}
	return &step.Step{Name: "disk/" + role + "/" + string(format), Kind: "disk-convert", Version: 1, Memory: 1 << 10, Settings: set,
		Needs: []step.Ref{tools.Out("tree"), qcow2.Out("disk")},
		Run: func(ctx context.Context, r *step.Run) error {
			toolsDir, err := r.Tree(ctx, tools.Out("tree"))
			if err != nil {
				return err
			}
			source, err := r.Blob(qcow2.Out("disk"))
			if err != nil {
				return err
			}
			out := filepath.Join(r.Dir, "disk")
			err = disk.Convert(ctx, disk.Conversion{Tools: toolsDir, Source: source, SourceFormat: disk.QCOW2, Output: out,
				Format: format, Seed: set.Seed, Epoch: b.opt.Epoch, Events: r.Sink})
			if err != nil {
				return err
			}
			return r.PutFile("disk", out)
		}}
}

// diskSeed is what the identifiers of a role's disk are derived from.
func (b *Builder) diskSeed(role string) string { return b.stack.Name + "/" + role }

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
	set := diskSettings{b.opt.Epoch.Unix(), b.diskSeed(role), boot.Cmdline, int64(boot.Disk.SizeMiB) << 20, boot.Disk.Ext4Features}
	if b.opt.DiskSize > 0 {
		set.Size = b.opt.DiskSize
	}
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
