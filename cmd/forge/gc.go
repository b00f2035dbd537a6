package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

func gcCommand(v *viper.Viper) *cobra.Command {
	var dry bool
	var older string
	cmd := &cobra.Command{Use: "gc", Short: "Remove from the store what was not used for long", Args: cobra.NoArgs,
		Long: `Remove from the store the results that no build has used for long, and all that no other result needs:
downloads, file trees, logs, what killed builds left behind. It waits until no build runs; builds that
start meanwhile wait for a moment.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			age, err := parseAge(older)
			if err != nil {
				return usageError{fmt.Errorf("--older %s: %w", older, err)}
			}
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := enter(); err != nil {
				return err
			}
			got, err := store.Collect(cmd.Context(), opt.Store, store.Collection{
				Before: time.Now().Add(-age), DryRun: dry, Needs: step.OutputsOf,
				Wait: func() {
					fmt.Fprintf(os.Stderr, "forge: another forge uses the store %s; waiting for it to end\n", opt.Store)
				}})
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(got)
			}
			verb := "removed"
			if dry {
				verb = "would remove"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %d results not used for %s, %d files, %d trees, %d logs, %d temporary folders: %.1f MiB\nkept %d results\n",
				verb, got.Results, older, got.Blobs, got.Trees, got.Logs, got.Temporary, float64(got.Bytes)/(1<<20), got.Kept)
			return nil
		}}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "remove nothing, say what would go")
	cmd.Flags().StringVar(&older, "older", "30d", "how long a result must have been unused: 30d, 12h; 0d empties the store")
	return cmd
}

// parseAge reads a duration that may be in days.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d, nil
	}
	return 0, fmt.Errorf("want days or hours, such as 30d or 12h")
}
