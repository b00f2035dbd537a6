package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/recipe"
)

// completeFlags tells a shell which stacks and roles there are. What can't be read completes to nothing.
func completeFlags(root *cobra.Command, v *viper.Viper) {
	words := func(list func(setting func(string) string) []string) cobra.CompletionFunc {
		return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			setting := func(name string) string { // flags reach v when a command runs, which none does here
				if f := cmd.Flag(name); f.Changed || v.GetString(name) == "" {
					return f.Value.String()
				}
				return v.GetString(name)
			}
			return list(setting), cobra.ShellCompDirectiveNoFileComp
		}
	}
	fixed := func(words ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	for name, complete := range map[string]cobra.CompletionFunc{
		"stack":    words(func(of func(string) string) []string { return stacks(of("checkout")) }),
		"role":     words(func(of func(string) string) []string { return roles(of("checkout"), of("stack")) }),
		"output":   fixed("text", "json"),
		"progress": fixed("auto", "plain", "json"),
	} {
		if err := root.RegisterFlagCompletionFunc(name, complete); err != nil { // only an unknown flag can fail
			panic(err)
		}
	}
}

func stacks(checkout string) []string {
	names, _ := recipe.ListStacks(os.DirFS(checkout))
	return names
}

func roles(checkout, stack string) []string {
	s, err := recipe.Load(os.DirFS(checkout), stack)
	if err != nil {
		return nil
	}
	return s.RoleNames()
}
