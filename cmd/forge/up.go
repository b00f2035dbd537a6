package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/node"
	"github.com/mesos-forge/forge/builder/sandbox"
)

const upLong = `Bring up the cluster of an inventory in the local Docker engine: one container a node, each of
its role's image, on a network of their own with the inventory's addresses. Images are built first where
they are missing or not up to date.

Once more, it changes what differs and nothing else: a node that is new in the inventory is added, one
that is gone is removed, one whose image changed is made anew on its data, and a running node whose
configuration changes gets the new inventory.

What nodes keep (names and blocks of HDFS, ZooKeeper's data, data bases) lies in volumes, which only
forge down removes. The network leads nowhere else, unless --internet is given: nothing in
such a cluster asks anybody for a password.

With --vm the nodes named run as virtual machines instead, from their roles' disks, on a network of
their own that needs no privileges. The command stays and shows them until Ctrl-C, which powers them off
in good order; what they wrote is in OUT/machines/CLUSTER for the next time. A data disk of the
inventory is a file there, which the guest finds as /dev/disk/by-id/virtio-extra0, and so on.`

// upFlags are the flags of up.
type upFlags struct {
	clusterFlags
	builder.UpOptions
	machines     []string // nodes to run as virtual machines
	replace      bool
	memory, data string
	timeout      time.Duration
	watch, leave bool
}

func upCommand(v *viper.Viper) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{Use: "up", Short: "Bring up the inventory's cluster in the local Docker engine", Long: upLong, Args: cobra.NoArgs,
		Example: "  forge up\n  forge up --inventory lab.yaml --stack bookworm-ha --watch\n  forge up --vm master1 --vm slave1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err == nil {
				err = f.settle(cmd, &opt)
			}
			if err != nil {
				return err
			}
			if err := enter(); err != nil {
				return err
			}
			if len(f.machines) > 0 {
				return f.runMachines(cmd, v, opt)
			}
			return f.run(cmd, v, opt)
		}}
	f.engineFlag(cmd)
	cmd.Flags().BoolVar(&f.Golden, "golden", false, "start every node from the golden image, which holds all roles")
	cmd.Flags().BoolVar(&f.Internet, "internet", false, "let nodes reach what lies outside of their network")
	cmd.Flags().StringVar(&f.memory, "memory", "", "memory of each node, such as 2G (default: an equal share of three quarters of the engine's, at most 4G)")
	cmd.Flags().StringArrayVar(&f.Seed.Secrets, "secret", nil, "NAME=FILE, or NAME=- for standard input: a secret that the nodes get; repeat for several")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 15*time.Minute, "how long the nodes may take to be in their roles; virtual machines 45m")
	cmd.Flags().BoolVar(&f.watch, "watch", false, "then go on showing how the nodes are, until Ctrl-C")
	cmd.Flags().StringSliceVar(&f.machines, "vm", nil, "run this node as a virtual machine; repeat for several, all for every one")
	cmd.Flags().StringVar(&f.data, "data-size", "8G", "with --vm: size of a data disk that is made")
	cmd.Flags().BoolVar(&f.replace, "replace", false, "with --vm: begin anew from disks that were built since, keeping data disks alone")
	cmd.Flags().BoolVar(&f.leave, "no-wait", false, "start the nodes, and don't wait for them to be in their roles")
	return cmd
}

// settle checks the flags and turns them into options.
func (f *upFlags) settle(cmd *cobra.Command, opt *builder.Options) error {
	switch {
	case cmd.Flags().Changed("role"):
		return usageError{errors.New("--role is for builds; the inventory says the roles of nodes: give --golden for the image that holds them all")}
	case cmd.Flags().Changed("vm") && len(f.machines) == 0:
		return usageError{errors.New("--vm needs the name of a node, or all")}
	case f.timeout <= 0:
		return usageError{fmt.Errorf("--timeout %v: want a time such as 10m", f.timeout)}
	case len(f.machines) == 0 && (f.replace || cmd.Flags().Changed("data-size")):
		return usageError{errors.New("--replace and --data-size are for virtual machines: name some with --vm")}
	case len(f.machines) > 0 && (f.leave || f.Internet || f.host != ""):
		return usageError{errors.New("--no-wait, --internet and --host are for containers, and exclude --vm: virtual machines end with the command, and their network leads nowhere")}
	case f.watch && f.leave:
		return usageError{errors.New("--watch and --no-wait exclude each other")}
	}
	if len(f.machines) > 0 && !cmd.Flags().Changed("timeout") {
		f.timeout = machinesTime
	}
	if f.memory != "" {
		n, err := units.RAMInBytes(f.memory)
		if err != nil || n < 512<<20 {
			return usageError{fmt.Errorf("--memory %s: want a size from 512M on, such as 2G", f.memory)}
		}
		f.Memory = n
	}
	var example bool
	if f.inventory, example = givenInventory(f.inventory, opt.Checkout); example && !sandbox.Inside() {
		opt.Sink.Emit(event.Event{Kind: event.Warning, Message: "no inventory given and no cluster.yaml here: using " + f.inventory})
	}
	f.Seed.Inventory, f.Seed.Stdin = f.inventory, os.Stdin
	var err error
	if len(f.machines) > 0 {
		opt.Roles, err = builder.MachineRoles(f.inventory, f.machines, f.Golden)
		return err
	}
	opt.Only = builder.OnlyImages
	opt.Roles, err = builder.ClusterRoles(f.inventory, f.Golden)
	return err
}

func (f *upFlags) run(cmd *cobra.Command, v *viper.Viper, opt builder.Options) error {
	defer endProgress(opt.Sink)
	ctx := cmd.Context()
	engine, err := f.engine(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	b, err := builder.New(opt)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := b.Build(ctx); err != nil {
		return err
	}
	cluster, did, err := b.Up(ctx, engine, f.UpOptions)
	endProgress(opt.Sink)
	if !v.GetBool("quiet") {
		sayChanges(os.Stderr, did)
	}
	if err != nil {
		return err
	}
	t := newTable(v, os.Stderr)
	if f.leave {
		return finish(cmd, v, t, cluster)
	}
	if err := awaitRoles(ctx, cluster, t, f.timeout); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%w\nthe cluster stays up: \"forge status\" says how it is, \"forge logs NODE\" why, \"forge up\" tries again, \"forge down\" ends it", err)
		} else {
			fmt.Fprintln(os.Stderr, "the cluster stays up and goes on by itself: \"forge status\" says how it is, \"forge down\" ends it")
		}
		return err
	}
	if f.watch {
		err := watch(ctx, cluster, t)
		fmt.Fprintln(os.Stderr, "the cluster stays up; \"forge down\" ends it")
		return err
	}
	return finish(cmd, v, t, cluster)
}

// sayChanges prints what was done to nodes, a line for each kind of change.
func sayChanges(w io.Writer, did map[string]fleet.Change) {
	by := map[fleet.Change][]string{}
	for _, name := range slices.Sorted(maps.Keys(did)) {
		by[did[name]] = append(by[did[name]], name)
	}
	for _, change := range slices.Sorted(maps.Keys(by)) {
		fmt.Fprintf(w, "%-13s %s\n", change, strings.Join(by[change], ", "))
	}
}

// statuses says how nodes are, whatever they run on.
type statuses interface {
	Status(ctx context.Context) ([]fleet.NodeStatus, error)
}

// failedTime is how long a node may say that it failed before that is believed: a service may be seen between two
// starts, and a disk before it is mounted.
const failedTime = 30 * time.Second

// pollPause is the time between two looks at the nodes.
const pollPause = 2 * time.Second

// awaitRoles waits until every node is in its role. A node that says for failedTime that it failed ends the wait.
func awaitRoles(ctx context.Context, c statuses, t *table, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errSlow)
	defer cancel()
	failed := map[string]time.Time{} // since when
	for {
		nodes, err := c.Status(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		var not []string
		for _, n := range nodes {
			if n.Level != node.LevelInRole {
				not = append(not, n.Node+": "+n.Problem)
			}
			if n.Level != node.LevelFailed && n.Level != fleet.LevelStopped {
				delete(failed, n.Node)
			} else if failed[n.Node].IsZero() {
				failed[n.Node] = time.Now()
			}
		}
		if ctx.Err() == nil {
			t.show(nodes)
		}
		switch {
		case ctx.Err() == nil && len(not) == 0:
			return nil
		case errors.Is(context.Cause(ctx), errSlow):
			return fmt.Errorf("after %v not every node is in its role\n%s", timeout, strings.Join(not, "\n"))
		case ctx.Err() != nil:
			return ctx.Err()
		case slices.ContainsFunc(slices.Collect(maps.Values(failed)), func(since time.Time) bool { return time.Since(since) > failedTime }):
			return fmt.Errorf("a node failed\n%s", strings.Join(not, "\n"))
		}
		pause(ctx)
	}
}

var errSlow = errors.New("too slow")

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(pollPause):
	}
}

// watch shows the nodes until ctx ends, which is how a person leaves it.
func watch(ctx context.Context, c statuses, t *table) error {
	for ctx.Err() == nil {
		nodes, err := c.Status(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		t.show(nodes)
		pause(ctx)
	}
	return nil
}
