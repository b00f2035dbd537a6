package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is for those who package forge, so help does not list it.
func manCommand() *cobra.Command {
	var date string
	cmd := &cobra.Command{Use: "man DIR", Short: "Write the manual pages, one for each command", Hidden: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("man needs one folder")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := time.Parse(time.DateOnly, date)
			if err != nil {
				return usageError{fmt.Errorf("--date %s: want YEAR-MONTH-DAY: the pages are the same whenever they are written", date)}
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			root.PersistentFlags().Lookup("store").DefValue = "$XDG_CACHE_HOME/forge" // of the reader, not of this user
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &at, Source: "forge", Manual: "forge"}, args[0])
		}}
	cmd.Flags().StringVar(&date, "date", "", "date that the pages bear, such as that of the release's commit")
	return cmd
}
