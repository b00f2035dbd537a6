package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

func vendorCommand(v *viper.Viper) *cobra.Command {
	var jdk bool
	cmd := &cobra.Command{Use: "vendor [BUNDLE]", Short: "Write a bundle of all that builds of roles take from outside",
		Long: `Write a bundle of all that builds of roles take from outside, for a machine without a network.

The bundle holds what the stack's forge.lock pins, or the lock that --lock names: Debian's packages, files from
Maven, PyPI and the web, your own files that the lock has, and the Go modules of forge's programs. What the store
lacks is fetched. BUNDLE is a file, or a folder if it is one or its name ends in a slash; a folder keeps what an
older bundle in it has already. The default is forge-STACK.tar.

forge build --bundle BUNDLE builds from it and takes nothing from anywhere else.`,
		Example: "  forge vendor --role slave slave.tar\n  forge build --bundle slave.tar",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("vendor writes one bundle, %d were named", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := only(cmd.Flags(), &opt, builder.Onlys()...); err != nil {
				return err
			}
			to, err := bundlePath(args, opt.Stack)
			if err != nil {
				return err
			}
			to.WithJDK = jdk
			if err := enter(); err != nil {
				return err
			}
			w, err := builder.Vendor(cmd.Context(), opt, to)
			endProgress(opt.Sink)
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(w)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d inputs, %s\n", w.Path, w.Inputs, units.BytesSize(float64(w.Size)))
			if w.Digest != "" {
				fmt.Fprintln(cmd.OutOrStdout(), w.Digest)
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%d files were there already\n", w.Kept)
			}
			return nil
		}}
	cmd.Flags().String("lock", "", "take what this lock has, such as out/ROLE/forge.lock of a build")
	cmd.Flags().String("profile", builder.ProfileLab, "lab: stand-ins take the place of software that can't be had; production: no stand-ins")
	cmd.Flags().BoolVar(&jdk, "with-jdk", false, "put in a JDK, for machines that have none to compile Java sources with")
	onlyFlag(cmd, "take what is enough for this: packages, or images (packages and container images, no disks)", builder.Onlys()...)
	return cmd
}

// bundlePath reads the argument: a folder that is there, or a name that ends in a slash, is a folder.
func bundlePath(args []string, stack string) (to builder.VendorOptions, err error) {
	name := "forge-" + stack + ".tar"
	if len(args) == 1 {
		name = args[0]
	}
	info, err := os.Stat(name)
	to.Folder = strings.HasSuffix(name, "/") || err == nil && info.IsDir()
	if to.Path, err = filepath.Abs(name); err != nil {
		return to, fmt.Errorf("bundle %s: %w", name, err)
	}
	return to, nil
}
