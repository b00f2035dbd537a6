package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mesos-forge/forge/builder/sandbox"
)

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
