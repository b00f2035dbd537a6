package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/evidence"
	"github.com/mesos-forge/forge/builder/image/oci"
	"github.com/mesos-forge/forge/builder/publish/sign"
)

func pushCommand(v *viper.Viper) *cobra.Command {
	var insecure, allowStandins bool
	cmd := &cobra.Command{Use: "push REFERENCE", Short: "Send a role's image to a registry",
		Long: `Send a role's image to a registry, and print its reference with the digest.

--role may be left out if the output folder holds the image of one role only. An image with stand-ins is
refused: they check the wiring of a cluster, they don't run anything. --allow-standins sends it all the same.

The SBOM, the lock and the provenance are attached to the image, signed if there is a key: forge inspect shows them, forge verify
checks them.`,
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
			key, err := signingKey(v)
			if err != nil {
				return err
			}
			name := "push " + role
			sink, started := event.ForStep(opt.Sink, name), time.Now()
			sink.Emit(event.Event{Kind: event.StepStart})
			remote := oci.RemoteOptions{Insecure: insecure, Jobs: opt.Jobs}
			ref, err := oci.Push(cmd.Context(), filepath.Join(opt.Out, role, "image"), args[0], oci.PushOptions{
				RemoteOptions: remote, AllowStandins: allowStandins, Events: sink})
			var attached []evidence.Attached
			if err == nil {
				attached, err = evidence.Attach(cmd.Context(), opt.Out, role, ref, key, remote)
			}
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
				return json.NewEncoder(cmd.OutOrStdout()).Encode(pushed{role, ref, attached})
			}
			fmt.Fprintln(cmd.OutOrStdout(), ref)
			if !v.GetBool("quiet") {
				sayAttached(cmd.ErrOrStderr(), attached, key)
			}
			return nil
		}}
	signFlag(cmd, "sign the image, its provenance and its SBOM")
	cmd.Flags().BoolVar(&insecure, "insecure", false, "use http (loopback needs no flag)")
	cmd.Flags().BoolVar(&allowStandins, "allow-standins", false, "send an image that has stand-ins in it")
	return cmd
}

// pushed is what forge push prints as JSON.
type pushed struct {
	Role      string              `json:"role"`
	Reference string              `json:"reference"`
	Attached  []evidence.Attached `json:"attached,omitempty"`
}

// sayAttached tells what lies beside the image now.
func sayAttached(w io.Writer, attached []evidence.Attached, key *sign.Key) {
	switch {
	case len(attached) == 0:
		fmt.Fprintln(w, "Nothing is attached to it: no SBOM and no provenance lies beside the image.")
	case key == nil:
		fmt.Fprintf(w, "Attached to it: %s, not signed: --sign-key FILE signs.\n", count(len(attached), "file", "files"))
	default:
		fmt.Fprintf(w, "Attached to it: %s, signed by key %s.\n", count(len(attached), "file", "files"), key.ID())
	}
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
