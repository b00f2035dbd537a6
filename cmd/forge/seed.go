package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

func seedCommand(v *viper.Viper) *cobra.Command {
	var opt builder.SeedOptions
	var to string
	cmd := &cobra.Command{Use: "seed", Short: "Write the seed that makes a clone of an image one node", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.Node == "" {
				return usageError{fmt.Errorf("seed needs --node NAME, a node of the inventory")}
			}
			s, err := builder.NewSeed(opt)
			if err != nil {
				return err
			}
			if to == "" {
				to = filepath.Join(v.GetString("out"), "seeds", s.Node.Name+".iso")
			}
			if err := s.Write(to); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if v.GetString("output") == "json" {
				return json.NewEncoder(w).Encode(struct {
					Seed    string `json:"seed"`
					Node    string `json:"node"`
					Address string `json:"address"`
					Role    string `json:"role"`
					Cluster string `json:"cluster"`
				}{to, s.Node.Name, s.Node.Address, s.Node.Role, s.Cluster})
			}
			fmt.Fprintf(w, "%s: node %s (%s), role %s of cluster %s\n", to, s.Node.Name, s.Node.Address, s.Node.Role, s.Cluster)
			fmt.Fprintf(w, "next: attach it, read-only, to a machine that boots a clone of the disk of the role %s\n", s.Node.Role)
			return nil
		}}
	seedFlags(cmd, &opt)
	cmd.Flags().StringVar(&opt.Inventory, "inventory", "cluster.yaml", "the inventory")
	cmd.Flags().StringVar(&to, "to", "", "file to write (default OUT/seeds/NODE.iso)")
	cmd.Flags().BoolVar(&opt.Shell, "shell", false, "open a root shell without a password on the serial console")
	return cmd
}

// seedFlags are those that seed and boot share.
func seedFlags(cmd *cobra.Command, opt *builder.SeedOptions) {
	cmd.Flags().StringVar(&opt.Node, "node", "", "the node's name in the inventory")
	cmd.Flags().StringArrayVar(&opt.SSHKeys, "ssh-key", nil, "public key that may log in, or a file with some; repeat for several")
	cmd.Flags().StringVar(&opt.Identity, "identity-in", builder.SeedIdentities()[0],
		"where the seed says who the node is: "+strings.Join(builder.SeedIdentities(), "|")+"; none: the kernel command line does (forge.role= forge.node=), or the machine's address")
}
