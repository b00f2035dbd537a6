package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/image/oci"
)

func shCommand() *cobra.Command {
	var f clusterFlags
	var user string
	cmd := &cobra.Command{Use: "sh NODE [-- PROGRAM ARGUMENT...]", Short: "Run a shell or a program on a node of a cluster",
		Long:    "Run a shell, or a program, on a node of a cluster. The exit status is the program's.",
		Example: "  forge sh master1\n  forge sh --user hdfs slave1 -- hadoop fs -ls /",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || cmd.ArgsLenAtDash() > 1 || cmd.ArgsLenAtDash() < 0 && len(args) > 1 {
				return usageError{errors.New("sh needs the name of one node; a program comes after --")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := f.fleet(cmd.Context())
			if err != nil {
				return err
			}
			defer cluster.Engine.Close()
			session := fleet.Session{User: user, Args: args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
			if len(session.Args) == 0 {
				session.Args = []string{"bash", "-l"}
			}
			restore := func() {}
			if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) && term.IsTerminal(int(os.Stdout.Fd())) {
				session.Width, session.Height, _ = term.GetSize(fd)
				session.Terminal = os.Getenv("TERM")
				old, err := term.MakeRaw(fd)
				if err != nil {
					return err
				}
				restore = func() { _ = term.Restore(fd, old) }
			}
			code, err := cluster.Attach(cmd.Context(), args[0], session)
			restore()
			if err != nil {
				return oci.EngineError(err)
			}
			if code != 0 {
				return exitStatus(code)
			}
			return nil
		}}
	f.flags(cmd)
	cmd.Flags().StringVar(&user, "user", "root", "the user to be on the node")
	return cmd
}
