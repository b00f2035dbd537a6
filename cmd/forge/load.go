package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/oci"
)

func loadCommand(v *viper.Viper) *cobra.Command {
	var host, tag string
	cmd := &cobra.Command{Use: "load", Short: "Put a role's image into the local Docker engine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			roles := v.GetStringSlice("role")
			if len(roles) != 1 {
				return usageError{fmt.Errorf("load needs exactly one --role")}
			}
			if tag == "" {
				tag = "forge/" + roles[0] + ":latest"
			}
			engine, err := oci.NewEngine(host)
			if err != nil {
				return err
			}
			defer engine.Close()
			got, err := oci.Load(cmd.Context(), filepath.Join(v.GetString("out"), roles[0], "image"), tag, engine, event.Discard)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", got.Tag, got.ID)
			return nil
		}}
	cmd.Flags().StringVar(&host, "host", "", "address of the engine (default: DOCKER_HOST, or its usual socket)")
	cmd.Flags().StringVar(&tag, "tag", "", "name for the image (default forge/ROLE:latest)")
	return cmd
}
