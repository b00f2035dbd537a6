package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

func buildCommand(v *viper.Viper) *cobra.Command {
	cmd := &cobra.Command{Use: "build", Short: "Build packages, container images and disks of roles", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			started := time.Now()
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := enter(); err != nil {
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
			w := cmd.OutOrStdout()
			for _, r := range res.Roles {
				fmt.Fprintf(w, "role %s\n", r.Role)
				for _, d := range r.Debs {
					fmt.Fprintf(w, "  package  %s\n", filepath.Join(opt.Out, d))
				}
				fmt.Fprintf(w, "  image    %s  %s\n", filepath.Join(opt.Out, r.Image), r.Digest)
				for _, d := range r.Disks {
					fmt.Fprintf(w, "  disk     %s\n", filepath.Join(opt.Out, d))
				}
				if len(r.StandIns) > 0 {
					fmt.Fprintf(w, "  stand-in %s (put the real package into %s)\n", strings.Join(r.StandIns, ", "), opt.Vendor)
				}
			}
			if res.Ran == 0 {
				fmt.Fprintf(w, "nothing had to be done: %d steps were up to date, %s\n", res.Hits, time.Since(started).Round(time.Millisecond))
			} else {
				fmt.Fprintf(w, "%d steps ran, %d were up to date, %s\n", res.Ran, res.Hits, time.Since(started).Round(100*time.Millisecond))
			}
			fmt.Fprintln(w, "next: forge load --role ROLE puts an image into the local engine")
			return nil
		}}
	pipelineFlags(cmd.Flags())
	return cmd
}
