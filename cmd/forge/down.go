package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
)

func downCommand(v *viper.Viper) *cobra.Command {
	var f clusterFlags
	var keep, machines bool
	cmd := &cobra.Command{Use: "down", Short: "Remove a cluster of the local Docker engine, its data too", Args: cobra.NoArgs,
		Long: "Stop the nodes of a cluster in good order, and remove its containers, its network and the volumes that hold its\n" +
			"data. Nothing else is touched; the images stay for the next forge up.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if machines {
				return downMachines(cmd, v, &f)
			}
			cluster, err := f.fleet(cmd.Context())
			if err != nil {
				return err
			}
			defer cluster.Engine.Close()
			gone, err := cluster.Down(cmd.Context(), keep)
			if err != nil {
				return oci.EngineError(err)
			}
			w := cmd.OutOrStdout()
			if v.GetString("output") == "json" {
				return json.NewEncoder(w).Encode(gone)
			}
			if len(gone.Nodes)+len(gone.Networks)+len(gone.Volumes)+len(gone.Kept) == 0 {
				_, err := fmt.Fprintf(w, "nothing of cluster %s was there\n", cluster.Cluster)
				return err
			}
			_, err = fmt.Fprintf(w, "removed of cluster %s: nodes: %s; networks: %d; volumes: %d\n", cluster.Cluster, cmp.Or(strings.Join(gone.Nodes, ", "), "none"), len(gone.Networks), len(gone.Volumes))
			if len(gone.Kept) > 0 {
				_, err = fmt.Fprintf(w, "kept for the next forge up of this cluster: volumes: %d\n", len(gone.Kept))
			}
			return err
		}}
	f.flags(cmd)
	cmd.Flags().BoolVar(&keep, "keep-data", false, "leave the volumes, for the next forge up")
	cmd.Flags().BoolVar(&machines, "vm", false, "remove what virtual machines of forge up --vm left in OUT/machines, instead")
	return cmd
}

// downMachines removes the files of a cluster's machines.
func downMachines(cmd *cobra.Command, v *viper.Viper, f *clusterFlags) error {
	name := f.name
	if name == "" {
		var err error
		if name, err = builder.ClusterName(cmp.Or(f.inventory, "cluster.yaml")); err != nil {
			return err
		}
	}
	there, err := builder.RemoveMachines(v.GetString("out"), name)
	if err != nil {
		return err
	}
	said := "removed the machines of cluster %s\n"
	if !there {
		said = "cluster %s had no machines\n"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), said, name)
	return err
}
