package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mesos-forge/forge"
)

func initCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{Use: "init", Short: "Write a commented inventory to start from",
		Long: `Write a commented inventory to start from: three masters and three slaves. A file that is there is never overwritten.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := writeInventory(to, forge.ExampleInventory); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "%s: an inventory of three masters and three slaves\n", to)
			fmt.Fprintf(w, "next: change the names and addresses in it, then forge lint --inventory %s\n", to)
			return nil
		}}
	cmd.Flags().StringVar(&to, "to", "cluster.yaml", "file to write")
	return cmd
}

// writeInventory writes a new file, and refuses to touch one that exists.
func writeInventory(to string, content []byte) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and is not overwritten; name another file with --to", to)
	}
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("inventory: %w", err), os.Remove(to)) // half of it would be taken for all
	}
	return nil
}
