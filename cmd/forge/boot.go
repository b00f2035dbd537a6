package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	"golang.org/x/term"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// powerOffTime is what a guest gets to shut down; services have 30 s each, at the same time.
const powerOffTime = 3 * time.Minute

// bootFlags are the flags of boot.
type bootFlags struct {
	builder.BootOptions
	firmware, diskSize, level string
	timeout                   time.Duration
	keep                      bool
}

func bootCommand(v *viper.Viper) *cobra.Command {
	var f bootFlags
	cmd := &cobra.Command{Use: "boot", Short: "Boot a role's disk as one node, and say how the node is", Args: cobra.NoArgs,
		Long: "Boot a role's disk as one node of an inventory, in a machine that is thrown away afterwards, and say how the node is.\n\n" +
			"Alone, a node can only be configured: a DataNode opens no port before its NameNode answers, and one ZooKeeper of\n" +
			"three serves nobody. So that is the level that boot waits for, unless --level says in-role.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := f.settle(opt.Roles); err != nil {
				return err
			}
			if err := enterAs(sandbox.Entry{Interactive: f.Seed.Shell}); err != nil {
				return err
			}
			defer endProgress(opt.Sink)
			b, err := builder.New(opt)
			if err != nil {
				return err
			}
			defer b.Close()
			m, err := b.Boot(cmd.Context(), f.BootOptions)
			if err != nil {
				return err
			}
			return errors.Join(f.use(cmd, v, m, opt.Sink), m.Close())
		}}
	seedFlags(cmd, &f.Seed)
	cmd.Flags().StringVar(&f.Seed.Inventory, "inventory", "", "the inventory (default cluster.yaml, or cluster.example.yaml where there is none)")
	cmd.Flags().BoolVar(&f.Seed.Shell, "shell", false, "then give a root shell on the serial console; Ctrl-] leaves it")
	cmd.Flags().StringVar(&f.firmware, "firmware", string(vm.BIOS), "firmware: bios or uefi")
	cmd.Flags().StringVar(&f.diskSize, "disk-size", "", "size of the machine's disk, such as 20G (default: the image's own)")
	cmd.Flags().StringVar(&f.Append, "append", "", "more parameters for the kernel, such as 'forge.role=slave forge.node=slave1'; QEMU then starts it, not the boot loader")
	cmd.Flags().IntVar(&f.MemoryMiB, "memory", 2048, "memory in MiB")
	cmd.Flags().StringVar(&f.level, "level", string(node.LevelConfigured), "level to wait for: configured or in-role")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 15*time.Minute, "how long the node may take to reach it")
	cmd.Flags().BoolVar(&f.OwnPrograms, "own-qemu", false, "use the QEMU that forge builds for itself, even where the host has one")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "leave the machine running until Ctrl-C")
	return cmd
}

// settle checks the flags and turns them into options.
func (f *bootFlags) settle(roles []string) error {
	if len(roles) != 1 {
		return usageError{errors.New("boot needs exactly one --role")}
	}
	f.Role, f.Firmware = roles[0], vm.Firmware(f.firmware)
	switch {
	case f.Firmware != vm.BIOS && f.Firmware != vm.UEFI:
		return usageError{fmt.Errorf("--firmware %s: want bios or uefi", f.firmware)}
	case f.level != string(node.LevelConfigured) && f.level != string(node.LevelInRole):
		return usageError{fmt.Errorf("--level %s: want configured or in-role", f.level)}
	case f.timeout <= 0:
		return usageError{fmt.Errorf("--timeout %v: want a time such as 10m", f.timeout)}
	case f.Seed.Shell && !term.IsTerminal(int(os.Stdin.Fd())):
		return usageError{errors.New("--shell needs a terminal")}
	}
	var err error
	if f.DiskSize, err = diskSize(f.diskSize); err != nil {
		return err
	}
	if f.Seed.Inventory == "" {
		if _, err := os.Stat("cluster.yaml"); !errors.Is(err, fs.ErrNotExist) {
			f.Seed.Inventory = "cluster.yaml"
		}
	}
	return nil
}

// use waits for the node, says how it is, and ends the machine.
func (f *bootFlags) use(cmd *cobra.Command, v *viper.Viper, m *builder.Booted, progress event.Sink) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	r, err := m.Reach(ctx, node.Level(f.level))
	if err != nil {
		return err
	}
	endProgress(progress)
	w := cmd.OutOrStdout()
	if v.GetString("output") == "json" {
		err = json.NewEncoder(w).Encode(r)
	} else {
		_, err = fmt.Fprint(w, r.Describe())
	}
	if err != nil {
		return err
	}
	if f.Seed.Shell {
		if err := shell(cmd.Context(), m); err != nil {
			return err
		}
	}
	if f.keep {
		if host, port, err := net.SplitHostPort(m.SSH); err == nil {
			fmt.Fprintf(os.Stderr, "log in with: ssh -p %s root@%s\n", port, host)
		}
		fmt.Fprintln(os.Stderr, "the machine runs until Ctrl-C, or until it powers itself off")
		select {
		case <-m.Done():
		case <-cmd.Context().Done():
		}
		return nil
	}
	ctx, cancel = context.WithTimeout(cmd.Context(), powerOffTime)
	defer cancel()
	return m.PowerOff(ctx)
}

// shell connects the terminal to the machine's console.
func shell(ctx context.Context, m *builder.Booted) error {
	fmt.Fprintln(os.Stderr, "root shell on the machine's console; press Enter for a prompt, Ctrl-] to leave")
	old, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(int(os.Stdin.Fd()), old) }()
	return m.Attach(ctx, os.Stdin, os.Stdout)
}
