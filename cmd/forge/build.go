package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

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
			if err := takeBundle(cmd, v, &opt); err != nil {
				return err
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
	cmd.Flags().String("bundle", "", "build from this bundle of forge vendor, a file or a folder, and take nothing from anywhere else")
	onlyFlag(cmd, "make no more than this: packages, or images (packages and container images, no disks)", builder.Onlys()...)
	return cmd
}

// takeBundle reads the bundle that --bundle names.
func takeBundle(cmd *cobra.Command, v *viper.Viper, opt *builder.Options) error {
	name := v.GetString("bundle")
	if name == "" {
		return nil
	}
	if opt.Refresh {
		return usageError{fmt.Errorf("--bundle takes nothing from a network, so --refresh has nothing to say: leave one of them out")}
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return fmt.Errorf("--bundle: %w", err)
	}
	if err := builder.TakeBundle(cmd.Context(), opt, path); err != nil {
		endProgress(opt.Sink)
		return err
	}
	return nil
}
