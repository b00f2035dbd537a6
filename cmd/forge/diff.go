package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/oci"
)

func diffCommand(v *viper.Viper) *cobra.Command {
	var all bool
	var remote oci.RemoteOptions
	cmd := &cobra.Command{Use: "diff A B", Short: "Show how two builds, images, packages or locks differ",
		Long: `Show how B differs from A: packages, files, configuration, layers, and size by package. Each of the two is

  an output folder, such as out; or the folder of one role in it, such as out/slave
  an OCI image layout, such as out/slave/image
  an image in a registry, such as registry.example/cluster/slave:1
  a .deb
  a forge.lock

Times of files don't count, since all files of a build have that of its lock. The exit status is 0 if the two
are the same, 3 if they differ, 1 if they could not be compared.`,
		Example: "  forge diff registry.example/cluster/slave:1 out/slave",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("diff needs two things to compare, such as: forge diff registry.example/cluster/slave:1 out/slave")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := v.GetString("output")
			if out != "text" && out != "json" {
				return usageError{fmt.Errorf("--output %s: want text or json", out)}
			}
			res, err := builder.Compare(cmd.Context(), args[0], args[1], remote)
			if err != nil {
				return err
			}
			if out == "json" {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(res)
			} else {
				err = builder.WriteDiff(cmd.OutOrStdout(), res, all)
			}
			if err == nil && !res.Same {
				return exitStatus(differs)
			}
			return err
		}}
	cmd.Flags().BoolVar(&all, "all", false, "show everything, as --output json does")
	cmd.Flags().BoolVar(&remote.Insecure, "insecure", false, "use http (loopback needs no flag)")
	return cmd
}

// differs is the exit status of forge diff for two things that are not the same.
const differs = 3
