package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge"
	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/lint"
)

func lintCommand(v *viper.Viper) *cobra.Command {
	var inventory, from, to string
	var rules bool
	cmd := &cobra.Command{Use: "lint", Short: "Check the inventory, recipes, overlays and templates, or a hand-made node",
		Long: `Check the inventory and the stack's recipes, overlays, templates and scripts, and the files that each node would have.

With --import, check a node that was made by hand instead, and propose the inventory that replaces it: DIR holds its
etc folder (or NODE/etc of several nodes) and the scripts, shell histories or notes with the commands that were typed.

Exit status: 0 nothing is wrong (accepted rules are told all the same), 1 something is.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, json := cmd.OutOrStdout(), v.GetString("output") == "json"
			if form := v.GetString("output"); form != "text" && !json {
				return usageError{fmt.Errorf("--output %s: want text or json", form)}
			}
			switch {
			case rules:
				return printRules(w, json)
			case from != "":
				return importNode(w, cmd.ErrOrStderr(), from, to, json)
			case to != "":
				return usageError{errors.New("--to belongs to --import, which proposes an inventory")}
			}
			result, err := lintStack(v.GetString("checkout"), v.GetString("stack"), inventory, cmd.Flags().Changed("inventory"))
			if err != nil {
				return err
			}
			return printLint(w, cmd.ErrOrStderr(), &lint.Imported{Result: *result}, json)
		}}
	cmd.Flags().StringVar(&inventory, "inventory", "cluster.yaml", "the inventory")
	cmd.Flags().StringVar(&from, "import", "", "folder of a hand-made node")
	cmd.Flags().StringVar(&to, "to", "", "with --import: file to write the proposed inventory to")
	cmd.Flags().BoolVar(&rules, "rules", false, "list all rules")
	return cmd
}

// lintStack checks a stack with the inventory, or with the example where there is none and none was asked for by name.
func lintStack(checkout, stack, inventory string, asked bool) (*lint.Result, error) {
	root, err := os.OpenRoot(checkout)
	if err != nil {
		return nil, fmt.Errorf("checkout: %w", err)
	}
	if _, err := root.Stat("recipes"); err != nil {
		return nil, errors.Join(builder.NoRecipes(checkout, err), root.Close())
	}
	defer func() { _ = root.Close() }()
	f, err := os.Open(inventory)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		result, err := lint.Check(root.FS(), stack, &lint.Inventory{Name: "cluster.example.yaml", From: bytes.NewReader(forge.ExampleInventory)})
		if err == nil {
			result.Notes = append(result.Notes, "there is no "+inventory+", so the stack was checked with the example's nodes; forge init writes an inventory")
		}
		return result, err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, builder.NoInventory(inventory)
	}
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	defer func() { _ = f.Close() }()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("inventory: %s is not a file", inventory)
	}
	return lint.Check(root.FS(), stack, &lint.Inventory{Name: inventory, From: f})
}

// importNode checks a hand-made node and writes or prints the inventory that takes its place.
func importNode(w, errs io.Writer, dir, to string, json bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("hand-made node: %w", err)
	}
	defer func() { _ = root.Close() }()
	im, err := lint.Import(root.FS())
	if err != nil {
		return fmt.Errorf("hand-made node %s: %w", dir, err)
	}
	for i := range im.Problems {
		im.Problems[i].File = filepath.Join(dir, im.Problems[i].File)
	}
	if to != "" {
		if im.Inventory == "" {
			im.Notes = append(im.Notes, "nothing was written to "+to)
		} else if err := writeInventory(to, []byte(im.Inventory)); err != nil {
			return err
		} else {
			im.Notes = append(im.Notes, "the proposed inventory is in "+to+"; look it over, then forge lint --inventory "+to)
			im.Inventory = ""
		}
	}
	return printLint(w, errs, im, json)
}

// printLint prints what was found; its error is the exit status.
func printLint(w, errs io.Writer, im *lint.Imported, asJSON bool) error {
	problems := im.Problems
	if asJSON {
		if problems == nil {
			problems = []cluster.Problem{}
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(struct {
			Problems  []cluster.Problem `json:"problems"`
			Notes     []string          `json:"notes,omitempty"`
			Inventory string            `json:"inventory,omitempty"`
		}{problems, im.Notes, im.Inventory}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(w, p)
		}
		if im.Inventory != "" {
			fmt.Fprintf(w, "\n%s", im.Inventory)
		}
		for _, n := range im.Notes {
			fmt.Fprintln(errs, "forge: note:", n)
		}
	}
	wrong := len(cluster.Errors(problems))
	if wrong == 0 {
		if !asJSON {
			fmt.Fprintln(errs, "forge: nothing is wrong"+acceptedCount(len(problems)))
		}
		return nil
	}
	fmt.Fprintf(errs, "forge: %s%s; forge lint --rules says what each rule is about\n", problemCount(wrong), acceptedCount(len(problems)-wrong))
	return exitStatus(1)
}

func problemCount(n int) string {
	if n == 1 {
		return "1 problem"
	}
	return fmt.Sprintf("%d problems", n)
}

func acceptedCount(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d accepted", n)
}

func printRules(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(cluster.Rules())
	}
	for _, r := range cluster.Rules() {
		fmt.Fprintf(w, "%-18s %s\n%-18s right: %s\n%-18s looks at: %s\n", r.ID, r.Title, "", r.Right, "", r.Where)
		if r.Firm {
			fmt.Fprintf(w, "%-18s can't be accepted\n", "")
		}
	}
	return nil
}
