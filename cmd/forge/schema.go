package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/schema"
)

func schemaCommand(v *viper.Viper) *cobra.Command {
	var to string
	var check bool
	cmd := &cobra.Command{Use: "schema [" + strings.Join(schema.Kinds(), "|") + "]",
		Short: "Write the JSON schemas that editors check recipes and inventories with",
		Long: `Write the JSON schemas of recipes and of the inventory. Editors find them by the first line of a file.

Without an argument all schemas are written to a folder, with one that schema is printed.`,
		Args: cobra.MaximumNArgs(1), ValidArgs: schema.Kinds(),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := cmd.OutOrStdout()
			if len(args) == 1 {
				b, err := schema.Of(args[0])
				if err != nil {
					return usageError{err}
				}
				_, err = w.Write(b)
				return err
			}
			if to == "" {
				to = filepath.Join(v.GetString("checkout"), "recipes", "schema")
			}
			if check {
				stale, err := schema.Stale(to)
				if err == nil && len(stale) > 0 {
					err = fmt.Errorf("not what the types say: %s; write them with forge schema --to %s", strings.Join(stale, ", "), to)
				}
				return err
			}
			written, err := schema.Write(to)
			for _, path := range written {
				fmt.Fprintln(w, path)
			}
			if err == nil && len(written) == 0 {
				fmt.Fprintf(w, "all schemas in %s are up to date\n", to)
			}
			return err
		}}
	cmd.Flags().StringVar(&to, "to", "", "folder for the schemas (default: recipes/schema in the checkout)")
	cmd.Flags().BoolVar(&check, "check", false, "write nothing, fail if a schema is not up to date")
	return cmd
}
