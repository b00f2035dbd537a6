package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/oci"
)

func pullCommand(v *viper.Viper) *cobra.Command {
	var to string
	cmd := &cobra.Command{Use: "pull REFERENCE", Short: "Fetch an image or a disk that forge push sent", ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Fetch what forge push sent to a registry: an image becomes the OCI layout image in a folder, a disk the file
disk.qcow2. All of it arrives, with the digest that the registry promised, or nothing does. After an interruption
the same command goes on where it was.`,
		Example: "  forge pull registry.example/cluster/slave:1 --to slave",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("pull needs one reference, such as registry.example/cluster/slave:1")}
			}
			return nil
		}}
	flags := addRegistryFlags(cmd)
	cmd.Flags().StringVar(&to, "to", ".", "folder for it")
	if err := cmd.MarkFlagDirname("to"); err != nil { // only an unknown flag can fail
		panic(err)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := options(v)
		if err != nil {
			return err
		}
		remote, err := flags.remote(opt)
		if err != nil {
			return err
		}
		dir, err := filepath.Abs(to)
		if err != nil {
			return fmt.Errorf("--to: %w", err)
		}
		var got oci.Pulled
		err = watched(opt, "pull", func(sink event.Sink) (err error) {
			got, err = oci.Pull(cmd.Context(), args[0], dir, oci.PullOptions{RemoteOptions: remote, Events: sink})
			return err
		})
		if err != nil {
			return err
		}
		if v.GetString("output") == "json" {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(got)
		}
		return printPulled(cmd, got)
	}
	return cmd
}

func printPulled(cmd *cobra.Command, p oci.Pulled) error {
	note := ""
	if p.Existed {
		note = " (was there already)"
	}
	if len(p.StandIns) > 0 {
		note += " (with stand-ins: " + strings.Join(p.StandIns, ", ") + ")"
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s%s\n", p.Path, p.Ref, note)
	return err
}
