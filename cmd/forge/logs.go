package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mesos-forge/forge/builder/image/oci"
)

func logsCommand() *cobra.Command {
	var f clusterFlags
	var follow bool
	var tail int
	cmd := &cobra.Command{Use: "logs NODE", Short: "Print what forge-node and the services of a node print", Args: oneNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := f.fleet(cmd.Context())
			if err != nil {
				return err
			}
			defer cluster.Engine.Close()
			lines := "all"
			if cmd.Flags().Changed("tail") {
				lines = strconv.Itoa(max(0, tail))
			}
			err = cluster.Logs(cmd.Context(), args[0], lines, follow, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if follow && errors.Is(err, context.Canceled) {
				return nil
			}
			return oci.EngineError(err)
		}}
	f.flags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until Ctrl-C")
	cmd.Flags().IntVar(&tail, "tail", 0, "no more than the last so many lines")
	return cmd
}

// oneNode checks that a command gets the name of one node.
func oneNode(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New(cmd.Name() + " needs the name of one node")}
	}
	return nil
}
