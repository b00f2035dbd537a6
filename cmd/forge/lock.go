package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

func lockCommand(v *viper.Viper) *cobra.Command {
	cmd := &cobra.Command{Use: "lock", Short: "Pin everything from outside that a stack is built from", Args: cobra.NoArgs,
		Long: "Lock takes Debian's packages as the newest indexes have them, and every other file as the stack's forge.lock\n" +
			"pins it or, if that has no line for it, as its source gives it today. It prints what changed and writes forge.lock.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := only(cmd.Flags(), &opt, builder.OnlyPackages); err != nil {
				return err
			}
			if err := enter(); err != nil {
				return err
			}
			opt.Refresh = !opt.Offline
			path, changes, err := builder.Lock(cmd.Context(), opt)
			endProgress(opt.Sink)
			if err != nil {
				return err
			}
			for _, line := range changes {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			if len(changes) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing changed:", path)
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d lines changed: %s\n", len(changes), path)
			return nil
		}}
	onlyFlag(cmd, "pin no more than this: packages (files and forge's own packages; Debian's stay as the lock has them)", builder.OnlyPackages)
	return cmd
}
