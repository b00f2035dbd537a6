// Command forge bakes packages and images for the roles of a cluster.
//
// Rules of the interface: results go to standard output, progress and errors to standard error. An
// error says what failed, where, why and what to do. Exit status: 0 done, 1 failed, 2 wrong usage,
// 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/sandbox"
)

func main() {
	sandbox.Init()
	os.Exit(run(os.Args[1:]))
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), ending()...)
	defer stop()
	root := newRoot(viper.New())
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var left exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &left):
		return int(left)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "forge: interrupted; what was finished is kept for the next run")
		return 130
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(os.Stderr, "forge: %v\nforge: see forge --help\n", err)
		return 2
	}
	fmt.Fprintln(os.Stderr, "forge:", err)
	return 1
}

// ending lists the signals that end forge in good order: Ctrl-C, a supervisor's, and a terminal that is
// gone. What the caller has it ignore (nohup, a script's background) it ignores. Inside, the outer
// forge decides what comes.
func ending() []os.Signal {
	s := []os.Signal{syscall.SIGTERM}
	for _, other := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if sandbox.Inside() || !signal.Ignored(other) {
			s = append(s, other)
		}
	}
	return s
}

// newRoot builds the command tree. Settings come from flags, then FORGE_*, then forge.yaml, then defaults.
func newRoot(v *viper.Viper) *cobra.Command {
	root := &cobra.Command{
		Use:           "forge",
		Short:         "Bake packages and images for the roles of a cluster",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := v.BindPFlags(cmd.Flags()); err != nil {
				return err
			}
			v.SetConfigFile(filepath.Join(v.GetString("checkout"), "forge.yaml"))
			if err := v.ReadInConfig(); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("settings: %w", err)
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.String("checkout", ".", "folder with recipes and overlays")
	f.String("stack", "bookworm", "stack to build")
	f.StringSlice("role", nil, "role to build; repeat for several; all is the golden one, which holds every role (default: every role of a cluster)")
	f.String("store", defaultStore(), "folder of the store")
	f.String("out", "out", "folder for results")
	f.String("vendor", "vendor", "folder with your own files")
	f.Int("jobs", 0, "steps at a time (default: the number of processors)")
	f.Bool("refresh", false, "fetch the package indexes anew")
	f.Bool("offline", false, "use no network")
	f.String("output", "text", "form of results: text or json")
	f.String("progress", "auto", "form of progress: auto (bars on a terminal), plain or json")
	f.Bool("quiet", false, "print no progress")
	v.SetEnvPrefix("FORGE")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_", ".", "_"))
	v.AutomaticEnv()
	completeFlags(root, v)
	root.AddCommand(
		initCommand(), lintCommand(v), renderCommand(v), schemaCommand(v),
		lockCommand(v), planCommand(v), buildCommand(v), diffCommand(v),
		loadCommand(v), pushCommand(v), pullCommand(v), publishCommand(v), inspectCommand(v), verifyCommand(v),
		seedCommand(v), bootCommand(v), upCommand(v), downCommand(v), statusCommand(v), logsCommand(), shCommand(),
		gcCommand(v), doctorCommand(), manCommand(), versionCommand())
	return root
}

func defaultStore() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "forge")
	}
	return ".forge-store"
}
