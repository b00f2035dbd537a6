package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

func planCommand(v *viper.Viper) *cobra.Command {
	cmd := &cobra.Command{Use: "plan", Short: "Show which steps a build would run, and why", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := only(cmd.Flags(), &opt, builder.Onlys()...); err != nil {
				return err
			}
			b, err := builder.New(opt)
			if err != nil {
				return err
			}
			defer b.Close()
			plan, err := b.Plan()
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(plan)
			}
			for _, p := range plan {
				fmt.Fprintf(cmd.OutOrStdout(), "%-8s%-28s%s\n", p.State, p.Step, strings.Join(p.Reasons, "; "))
			}
			for _, w := range b.Without() {
				fmt.Fprintln(cmd.OutOrStdout(), w)
			}
			return nil
		}}
	pipelineFlags(cmd.Flags())
	onlyFlag(cmd, "make no more than this: packages, or images (packages and container images, no disks)", builder.Onlys()...)
	return cmd
}
