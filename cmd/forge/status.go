package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/node"
)

const statusLong = `Say how the nodes of a cluster are: in their roles, configured and waiting for others, starting,
failed or stopped.

Exit status: 0 every node is in its role; 3 none failed, but some are not there yet; 1 one failed or is
stopped, or there is no such cluster.`

func statusCommand(v *viper.Viper) *cobra.Command {
	var f clusterFlags
	var asJSON, watching bool
	cmd := &cobra.Command{Use: "status", Short: "Say how the nodes of a cluster are", Long: statusLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := f.fleet(cmd.Context())
			if err != nil {
				return err
			}
			defer cluster.Engine.Close()
			if watching {
				return watch(cmd.Context(), cluster, newTable(v, os.Stderr))
			}
			nodes, err := cluster.Status(cmd.Context())
			if err != nil {
				return oci.EngineError(err)
			}
			w := cmd.OutOrStdout()
			if asJSON || v.GetString("output") == "json" {
				if err := json.NewEncoder(w).Encode(nodes); err != nil {
					return err
				}
			} else {
				for _, line := range nodeLines(nodes) {
					fmt.Fprintln(w, line)
				}
			}
			return statusOf(nodes)
		}}
	f.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "the same as --output json")
	cmd.Flags().BoolVar(&watching, "watch", false, "go on until Ctrl-C")
	return cmd
}

// statusOf is the exit status for nodes; nil for 0.
func statusOf(nodes []fleet.NodeStatus) error {
	code := 0
	for _, n := range nodes {
		switch n.Level {
		case node.LevelInRole:
		case node.LevelFailed, fleet.LevelStopped:
			return exitStatus(1)
		default:
			code = 3
		}
	}
	if code != 0 {
		return exitStatus(code)
	}
	return nil
}
