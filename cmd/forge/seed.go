package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/seed"
)

const seedLong = `Write the seed that makes a clone of an image one node of the inventory: name, role,
address, inventory, SSH keys and secrets, in the form that cloud-init reads.

  nocloud-iso  a volume to attach to a machine of your own
  openstack    a configuration drive
  user-data    the user-data alone, for a cloud that asks for it
  ec2          the same, for EC2: at most 16384 bytes, compressed where it must be

A file of --user-data is a cloud-config or a script of your own. Its lists are appended to
forge's; a key that contradicts forge is an error.

The secrets that the nodes of a stack share are made once, kept in OUT/seeds/secrets/CLUSTER, and used
again by every later seed. Seeds and secrets have the mode 0600: guard them, and back them up.`

// seedFlagValues are the flags of seed.
type seedFlagValues struct {
	builder.SeedOptions
	all bool
	to  string
}

func seedCommand(v *viper.Viper) *cobra.Command {
	var f seedFlagValues
	cmd := &cobra.Command{Use: "seed", Short: "Write the seed that makes a clone of an image one node", Long: seedLong, Args: cobra.NoArgs,
		Example: `  forge seed --node slave1 --ssh-key ~/.ssh/id_ed25519.pub
  forge seed --all
  pass show azkaban | forge seed --node master3 --secret azkaban-db=-`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, v) }}
	seedFlags(cmd, &f.SeedOptions)
	fs := cmd.Flags()
	fs.StringVar(&f.Inventory, "inventory", "cluster.yaml", "the inventory")
	fs.BoolVar(&f.all, "all", false, "write the seeds of all nodes")
	fs.StringVar(&f.Format, "format", builder.SeedFormats()[0], "form of the seed: "+strings.Join(builder.SeedFormats(), "|"))
	fs.StringArrayVar(&f.UserData, "user-data", nil, "file with a cloud-config or a script of your own; repeat for several")
	fs.StringArrayVar(&f.Secrets, "secret", nil, "NAME=FILE, or NAME=- for standard input: a secret that the node gets; repeat for several")
	fs.StringVar(&f.to, "to", "", "file to write (default OUT/seeds/NODE.iso, or as the format has it)")
	fs.BoolVar(&f.Shell, "shell", false, "open a root shell without a password on the serial console")
	for name, words := range map[string][]string{"format": builder.SeedFormats(), "identity-in": builder.SeedIdentities()} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil { // only an unknown flag can fail
			panic(err)
		}
	}
	return cmd
}

// seedFlags are those that seed and boot share.
func seedFlags(cmd *cobra.Command, opt *builder.SeedOptions) {
	cmd.Flags().StringVar(&opt.Node, "node", "", "the node's name in the inventory")
	cmd.Flags().StringArrayVar(&opt.SSHKeys, "ssh-key", nil, "public key that may log in, or a file with some; repeat for several")
	cmd.Flags().StringVar(&opt.Identity, "identity-in", builder.SeedIdentities()[0],
		"where the seed says who the node is: "+strings.Join(builder.SeedIdentities(), "|")+"; none: the kernel command line does (forge.role= forge.node=), or the machine's address")
}

func (f *seedFlagValues) run(cmd *cobra.Command, v *viper.Viper) error {
	switch {
	case cmd.Flags().Changed("role"):
		return usageError{errors.New("--role is for builds; the inventory says a node's role: give --node NAME, or --all")}
	case f.Node == "" && !f.all:
		return usageError{errors.New("seed needs --node NAME, a node of the inventory, or --all")}
	case f.Node != "" && f.all:
		return usageError{errors.New("--node and --all exclude each other")}
	case f.all && f.to != "":
		return usageError{errors.New("--to names one file; with --all use --out, the folder above seeds/")}
	}
	for _, c := range []struct {
		flag, value string
		words       []string
	}{{"--format", f.Format, builder.SeedFormats()}, {"--identity-in", f.Identity, builder.SeedIdentities()},
		{"--output", v.GetString("output"), []string{"text", "json"}}} {
		if !slices.Contains(c.words, c.value) {
			return usageError{fmt.Errorf("%s %s: want one of %s", c.flag, c.value, strings.Join(c.words, ", "))}
		}
	}
	dir := builder.SeedsDir(v.GetString("out"))
	f.Stdin, f.SecretsDir = cmd.InOrStdin(), builder.SecretsDir(v.GetString("out"))
	var err error
	if f.Declared, err = builder.LoadStackSecrets(v.GetString("checkout"), v.GetString("stack")); err != nil {
		return err
	}
	seeds, paths, err := f.write(dir)
	if errors.Is(err, builder.ErrSecretForm) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	for _, s := range seeds {
		for _, w := range s.Warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: node %s: %s\n", s.Node.Name, w)
		}
	}
	return f.report(cmd.OutOrStdout(), v.GetString("output"), seeds, paths)
}

// write writes one seed or all of them.
func (f *seedFlagValues) write(dir string) ([]*builder.Seed, []string, error) {
	if f.all {
		seeds, err := builder.NewSeeds(f.SeedOptions)
		if err != nil {
			return nil, nil, err
		}
		paths, err := builder.WriteSeeds(dir, seeds)
		return seeds, paths, err
	}
	s, err := builder.NewSeed(f.SeedOptions)
	if err != nil {
		return nil, nil, err
	}
	if f.to == "" {
		f.to = filepath.Join(dir, s.FileName())
	}
	return []*builder.Seed{s}, []string{f.to}, s.Write(f.to)
}

// seedResult is one seed in --output json.
type seedResult struct {
	Seed     string   `json:"seed"` // path
	Node     string   `json:"node"`
	Address  string   `json:"address"`
	Role     string   `json:"role"`
	Cluster  string   `json:"cluster"`
	Format   string   `json:"format"`
	Identity string   `json:"identity_in"`
	Secrets  []string `json:"secrets,omitempty"` // names
	Warnings []string `json:"warnings,omitempty"`
}

// report prints the seeds: in JSON one object, with --all a list of them.
func (f *seedFlagValues) report(w io.Writer, form string, seeds []*builder.Seed, paths []string) error {
	var results []seedResult
	for i, s := range seeds {
		results = append(results, seedResult{paths[i], s.Node.Name, s.Node.Address, s.Node.Role, s.Cluster,
			string(s.Format), string(s.Identity), s.Secrets, s.Warnings})
	}
	switch {
	case form == "json" && f.all:
		return json.NewEncoder(w).Encode(results)
	case form == "json":
		return json.NewEncoder(w).Encode(results[0])
	}
	for _, r := range results {
		secrets := ""
		if len(r.Secrets) > 0 {
			secrets = "; secrets: " + strings.Join(r.Secrets, ", ")
		}
		fmt.Fprintf(w, "%s: node %s (%s), role %s of cluster %s%s\n", r.Seed, r.Node, r.Address, r.Role, r.Cluster, secrets)
	}
	_, err := fmt.Fprintln(w, "next:", nextWithSeed(results))
	return err
}

// nextWithSeed says what to do with the seeds.
func nextWithSeed(results []seedResult) string {
	r := results[0]
	file, it, of, node, role := r.Seed, "it", "of the role "+r.Role, r.Node, r.Role
	if len(results) > 1 {
		file, it, of, node, role = "FILE", "each", "of its role, or of the golden image", "NODE", "ROLE"
	}
	tags := ""
	if seed.Identity(r.Identity) == seed.InMetaData { // which the cloud has, not the file
		tags = fmt.Sprintf("forge.node=%s and forge.role=%s", node, role)
	}
	switch format := seed.Format(r.Format); {
	case format.HasMetaData():
		return fmt.Sprintf("attach %s, read-only, to a machine that boots a clone of the disk %s", it, of)
	case format == seed.EC2 && tags != "":
		return fmt.Sprintf("start an instance from the disk %s with --user-data fileb://%s --metadata-options InstanceMetadataTags=enabled and the tags %s", of, file, tags)
	case format == seed.EC2:
		return fmt.Sprintf("start an instance from the disk %s with --user-data fileb://%s", of, file)
	case tags != "":
		return fmt.Sprintf("give %s as user-data, and the properties %s, to a machine that boots a clone of the disk %s", file, tags, of)
	}
	return fmt.Sprintf("give %s as user-data to a machine that boots a clone of the disk %s", file, of)
}
