package main

import (
	"fmt"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/sandbox"
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

func doctorCommand() *cobra.Command {
	return &cobra.Command{Use: "doctor", Short: "Say what this machine lacks, and how to mend it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bad := 0
			for _, f := range sandbox.Doctor(cmd.Context()) {
				state := "ok"
				if !f.OK {
					state, bad = "MISSING", bad+1
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-8s%s: %s\n", state, f.Name, f.Detail)
				if !f.OK && f.Fix != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "        mend it with: %s\n", f.Fix)
				}
			}
			if bad > 0 {
				return fmt.Errorf("%d of what forge needs is missing", bad)
			}
			return nil
		}}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print forge's version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
			}
			fmt.Fprintln(cmd.OutOrStdout(), "forge", version)
		}}
}
