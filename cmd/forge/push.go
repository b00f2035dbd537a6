package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/oci"
)

func pushCommand(v *viper.Viper) *cobra.Command {
	var insecure, allowStandins bool
	cmd := &cobra.Command{Use: "push REFERENCE", Short: "Send a role's image to a registry",
		Long: `Send a role's image to a registry, and print its reference with the digest.

--role may be left out if the output folder holds the image of one role only. An image with stand-ins is
refused: they check the wiring of a cluster, they don't run anything. --allow-standins sends it all the same.`,
		Example: "  forge push registry.example/cluster/slave:1 --role slave",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("push needs one reference, such as registry.example/cluster/slave:1")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			role, err := builtRole(opt.Out, opt.Roles)
			if err != nil {
				return err
			}
			name := "push " + role
			sink, started := event.ForStep(opt.Sink, name), time.Now()
			sink.Emit(event.Event{Kind: event.StepStart})
			ref, err := oci.Push(cmd.Context(), filepath.Join(opt.Out, role, "image"), args[0], oci.PushOptions{
				RemoteOptions: oci.RemoteOptions{Insecure: insecure, Jobs: opt.Jobs}, AllowStandins: allowStandins, Events: sink})
			end := event.Event{Kind: event.StepDone, Duration: time.Since(started)}
			if err != nil {
				end.Kind, end.Err = event.StepFail, err.Error()
			}
			sink.Emit(end)
			endProgress(opt.Sink)
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"role": role, "reference": ref})
			}
			fmt.Fprintln(cmd.OutOrStdout(), ref)
			return nil
		}}
	cmd.Flags().BoolVar(&insecure, "insecure", false, "use http (loopback needs no flag)")
	cmd.Flags().BoolVar(&allowStandins, "allow-standins", false, "send an image that has stand-ins in it")
	return cmd
}

// builtRole returns the role whose image is meant: the one that was named, or the only one in out.
func builtRole(out string, named []string) (string, error) {
	if len(named) == 1 {
		return named[0], nil
	}
	if len(named) > 1 {
		return "", usageError{fmt.Errorf("one --role at a time, %s were named", strings.Join(named, " and "))}
	}
	found, err := filepath.Glob(filepath.Join(out, "*", "image", "oci-layout"))
	if err != nil {
		return "", err
	}
	var roles []string
	for _, f := range found {
		roles = append(roles, filepath.Base(filepath.Dir(filepath.Dir(f))))
	}
	switch len(roles) {
	case 0:
		return "", fmt.Errorf("no role's image is in %s: forge build makes one", out)
	case 1:
		return roles[0], nil
	}
	return "", usageError{fmt.Errorf("%s holds the images of %s: name one with --role", out, strings.Join(roles, ", "))}
}
