package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

func buildCommand(v *viper.Viper) *cobra.Command {
	cmd := &cobra.Command{Use: "build", Short: "Build packages, container images and disks of roles", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := only(cmd.Flags(), &opt, builder.Onlys()...); err != nil {
				return err
			}
			if err := enter(); err != nil {
				return err
			}
			if key, err := signingKey(v); err != nil {
				return err
			} else if key != nil {
				opt.Key = key
			}
			b, err := builder.New(opt)
			if err != nil {
				return err
			}
			defer b.Close()
			res, err := b.Build(cmd.Context())
			endProgress(opt.Sink)
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(res)
			}
			return summary(cmd.OutOrStdout(), res, opt.Out, opt.Vendor)
		}}
	pipelineFlags(cmd.Flags())
	signFlag(cmd, "sign the provenance of what is built")
	onlyFlag(cmd, "make no more than this: packages, or images (packages and container images, no disks)", builder.Onlys()...)
	return cmd
}
