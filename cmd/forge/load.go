package main

import (
	"encoding/json"
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
		Long: `Put a role's image into the local Docker engine, and print its name and id there. An image that the engine has
already only gets the name. --role may be left out if the output folder holds the image of one role only.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			role, err := builtRole(opt.Out, opt.Roles)
			if err != nil {
				return err
			}
			if tag == "" {
				tag = "forge/" + role + ":latest"
			}
			engine, err := oci.NewEngine(host)
			if err != nil {
				return err
			}
			defer engine.Close()
			var got oci.Loaded
			err = watched(opt, "load "+role, func(sink event.Sink) (err error) {
				got, err = oci.Load(cmd.Context(), filepath.Join(opt.Out, role, "image"), tag, engine, sink)
				return err
			})
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"role": role, "tag": got.Tag, "id": got.ID, "existed": got.Existed})
			}
			note := ""
			if got.Existed {
				note = " (was there already)"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s%s\n", got.Tag, got.ID, note)
			return nil
		}}
	cmd.Flags().StringVar(&host, "host", "", "address of the engine (default: DOCKER_HOST, or its usual socket)")
	cmd.Flags().StringVar(&tag, "tag", "", "name for the image (default forge/ROLE:latest)")
	return cmd
}
