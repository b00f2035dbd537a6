package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/evidence"
	"github.com/mesos-forge/forge/builder/report"
)

func inspectCommand(v *viper.Viper) *cobra.Command {
	var packages bool
	cmd := &cobra.Command{Use: "inspect REFERENCE|FOLDER|FILE", Short: "Show an image, a package or a disk, and what goes with it",
		Long: `Show an image or a disk in a registry or in a folder, or a package: its digest, role, stack and version, the stand-ins in it, its layers, how many
packages it holds, and the SBOM, provenance and signatures that go with it, with the keys that they name. None of it is
checked: forge verify does that.`,
		Example: "  forge inspect registry.example/cluster/slave:1\n  forge inspect out/slave/image --packages",
		Args:    oneArgument("inspect needs one image reference, folder or file"),
	}
	registry := addRegistryFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := options(v)
		if err != nil {
			return err
		}
		remote, err := registry.remote(opt)
		if err != nil {
			return err
		}
		var got *evidence.Inspection
		if isFile(args[0]) {
			got, err = evidence.InspectFile(cmd.Context(), args[0])
		} else {
			got, err = evidence.InspectImage(cmd.Context(), args[0], remote)
		}
		if err != nil {
			return err
		}
		if v.GetString("output") == "json" {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(got)
		}
		return printInspection(cmd.OutOrStdout(), got, packages)
	}
	cmd.Flags().BoolVar(&packages, "packages", false, "list the packages")
	return cmd
}

func printInspection(w io.Writer, i *evidence.Inspection, packages bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\n", i.Name)
	line := func(what, is string) {
		if is != "" {
			fmt.Fprintf(t, "  %s\t%s\n", what, is)
		}
	}
	line("kind", i.Kind)
	line("digest", i.Digest)
	line("size", report.Size(i.Size))
	line("stack", i.Stack)
	line("role", strings.Join(i.Roles, ", "))
	line("version", i.Version)
	line("stand-ins", strings.Join(i.StandIns, ", "))
	for _, f := range i.Fields {
		line(strings.ToLower(f.Name), f.Value)
	}
	if i.Image != nil {
		line("created", i.Image.Created.Format("2006-01-02 15:04:05 MST"))
		for n, l := range i.Image.Layers {
			line(fmt.Sprintf("layer %d", n+1), fmt.Sprintf("%s  %s  %s", l.Digest, report.Size(l.Size), l.History))
		}
	}
	if len(i.Packages) > 0 {
		line("packages", fmt.Sprint(len(i.Packages)))
	}
	if i.Inputs > 0 {
		line("inputs", fmt.Sprintf("%d, named by the provenance", i.Inputs))
	}
	for _, a := range i.Attached {
		line("attached", attachedLine(a))
	}
	if packages {
		for _, p := range i.Packages {
			fmt.Fprintf(t, "%s\t%s\n", p.Name, p.Version)
		}
	}
	return t.Flush()
}

// attachedLine says what an artifact is, where it is, and which key it names.
func attachedLine(a evidence.Attached) string {
	parts := []string{a.Type}
	if a.Predicate != "" {
		parts = []string{"statement " + a.Predicate}
	}
	for _, at := range []string{a.Title, a.Digest} {
		if at != "" {
			parts = append(parts, at)
		}
	}
	if a.KeyID != "" {
		parts = append(parts, "signed, it says, by key "+a.KeyID)
	}
	return strings.Join(parts, "  ")
}
