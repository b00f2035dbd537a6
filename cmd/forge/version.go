package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is that of a release, which the linker writes here.
var version string

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print forge's version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			known := version
			if info, ok := debug.ReadBuildInfo(); ok && known == "" {
				known = info.Main.Version
			}
			if known == "" {
				known = "unknown"
			}
			fmt.Fprintln(cmd.OutOrStdout(), "forge", known)
		}}
}
