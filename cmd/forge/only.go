package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mesos-forge/forge/builder"
)

// onlyFlag adds the flag that leaves kinds of results out.
func onlyFlag(cmd *cobra.Command, what string, allowed ...builder.Only) {
	cmd.Flags().String("only", "", what)
	var words []cobra.Completion
	for _, o := range allowed {
		words = append(words, string(o))
	}
	if err := cmd.RegisterFlagCompletionFunc("only", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only an unknown flag can fail
	}
}

// only reads --only and refuses flags that say something about results that it leaves out.
func only(f *pflag.FlagSet, o *builder.Options, allowed ...builder.Only) error {
	name, err := f.GetString("only")
	if err != nil || name == "" {
		return err
	}
	o.Only = builder.Only(name)
	if !slices.Contains(allowed, o.Only) {
		return usageError{fmt.Errorf("--only %s: want one of %v", name, allowed)}
	}
	for _, flag := range []string{"format", "disk-size"} {
		if given := f.Lookup(flag); given != nil && given.Changed {
			return usageError{fmt.Errorf("--only %s makes no disks, so --%s has nothing to say: leave one of them out", name, flag)}
		}
	}
	return nil
}
