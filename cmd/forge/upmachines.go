package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

// runMachines brings nodes up as virtual machines, shows them until Ctrl-C, and powers them off.
func (f *upFlags) runMachines(cmd *cobra.Command, v *viper.Viper, opt builder.Options) error {
	defer endProgress(opt.Sink)
	ctx := cmd.Context()
	size, err := units.RAMInBytes(f.data)
	if err != nil || size < 64<<20 || size%(1<<20) != 0 {
		return usageError{fmt.Errorf("--data-size %s: want a size of whole MiB from 64M on, such as 8G", f.data)}
	}
	b, err := builder.New(opt)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := b.Build(ctx); err != nil {
		return err
	}
	m, err := b.UpMachines(ctx, builder.MachinesOptions{Seed: f.Seed, Nodes: f.machines, Golden: f.Golden,
		MemoryMiB: int(f.Memory >> 20), DataSize: size, Replace: f.replace})
	if err != nil {
		return err
	}
	endProgress(opt.Sink)
	err = f.useMachines(cmd, v, m)
	fmt.Fprintln(os.Stderr, "powering the machines off")
	off, cancel := context.WithTimeout(context.WithoutCancel(ctx), powerOffTime)
	defer cancel()
	return errors.Join(err, m.PowerOff(off), m.Close())
}

// useMachines waits for the nodes, and then for the person.
func (f *upFlags) useMachines(cmd *cobra.Command, v *viper.Viper, m *builder.Machines) error {
	ctx, t := cmd.Context(), newTable(v, os.Stderr)
	if err := awaitRoles(ctx, m, t, f.timeout); err != nil {
		return err
	}
	if v.GetString("output") == "json" {
		nodes, err := m.Status(ctx)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(nodes); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stderr, "every node is in its role; Ctrl-C powers the machines off, and leaves their files in "+m.Dir)
	return watch(ctx, m, t)
}

// machinesTime is how long nodes that are virtual machines may take, when nobody says: emulated ones are slow.
const machinesTime = 45 * time.Minute
