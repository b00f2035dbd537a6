package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/evidence"
	"github.com/mesos-forge/forge/builder/image/oci"
)

func pushCommand(v *viper.Viper) *cobra.Command {
	var allowStandins, disk bool
	cmd := &cobra.Command{Use: "push REFERENCE...", Short: "Send a role's image or disk to a registry", ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Send a role's image to a registry, and print its reference with the digest. With several references it gets
them all. What the registry has already is not sent again. Credentials are those of "docker login".

--disk sends the role's disk.qcow2 instead. --role may be left out if the output folder holds the image of one
role only. What has stand-ins in it is refused: they check the wiring of a cluster, they don't run anything.
--allow-standins sends it all the same.

The SBOM, the lock and the provenance are attached to either, signed if there is a key: forge inspect shows them,
forge verify checks them.`,
		Example: "  forge push registry.example/cluster/slave:1 --role slave\n" +
			"  forge push registry.example/cluster/slave-disk:1 --role slave --disk",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("push needs a reference, such as registry.example/cluster/slave:1")}
			}
			return nil
		}}
	flags := addRegistryFlags(cmd)
	signFlag(cmd, "sign image or disk, its provenance and its SBOM")
	cmd.Flags().BoolVar(&allowStandins, "allow-standins", false, "send what has stand-ins in it")
	cmd.Flags().BoolVar(&disk, "disk", false, "send the role's disk in place of its image")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := options(v)
		if err != nil {
			return err
		}
		role, err := builtRole(opt.Out, opt.Roles)
		if err != nil {
			return err
		}
		remote, err := flags.remote(opt)
		if err != nil {
			return err
		}
		key, err := signingKey(v)
		if err != nil {
			return err
		}
		var attached []evidence.Attached
		p := pushing{opt.Out, role, disk, oci.PushOptions{RemoteOptions: remote, AllowStandins: allowStandins}}
		var refs []string
		err = watched(opt, "push "+role, func(sink event.Sink) (err error) {
			p.Events = sink
			if refs, err = p.all(cmd.Context(), args); err != nil {
				return err
			}
			attached, err = p.attach(cmd.Context(), refs, key)
			return err
		})
		if err != nil {
			return err
		}
		if v.GetString("output") == "json" {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"role": role, "reference": refs[0], "references": refs, "attached": attached})
		}
		fmt.Fprintln(cmd.OutOrStdout(), strings.Join(refs, "\n"))
		if !v.GetBool("quiet") {
			sayAttached(cmd.ErrOrStderr(), attached, key)
		}
		return nil
	}
	return cmd
}

// pushing is what is sent.
type pushing struct {
	out, role string
	disk      bool
	oci.PushOptions
}

// all sends it under each name, and returns its references with the digest: one for each repository.
func (p pushing) all(ctx context.Context, names []string) ([]string, error) {
	send := func(name string) (string, error) {
		return oci.Push(ctx, filepath.Join(p.out, p.role, "image"), name, p.PushOptions)
	}
	if p.disk {
		d, err := builder.BuiltDisk(p.out, p.role)
		if err != nil {
			return nil, err
		}
		send = func(name string) (string, error) { return oci.PushDisk(ctx, d, name, p.PushOptions) }
	}
	var refs []string
	for _, name := range names {
		ref, err := send(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
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
