package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/node"
)

// renderFlags are what forge render does beyond what it renders.
type renderFlags struct {
	inventory, node string
	all             bool
	to, diff        string
}

func renderCommand(v *viper.Viper) *cobra.Command {
	var f renderFlags
	var opt builder.PreviewOptions
	cmd := &cobra.Command{Use: "render", Short: "Show the files that a node will have, or how they differ from a folder's", Args: cobra.NoArgs,
		Long: `Show the files that a node will have: path, mode, owner and content, then its directories, its
services in the order of starting, and what stays disabled. Nothing is built; secrets are shown as
<secret NAME>.

--diff DIR compares with a node's root folder, or with what --to wrote earlier. The exit status is
0 if they are equal, 1 if they differ.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := f.check(v, &opt)
			if err != nil {
				return err
			}
			p, err := builder.NewPreview(opt)
			if err != nil {
				return err
			}
			if f.all {
				names = p.Inventory.NodeNames()
			}
			var renderings []*node.Rendering
			for _, name := range names {
				r, err := p.Node(name)
				if err != nil {
					return err
				}
				renderings = append(renderings, r)
			}
			return f.show(cmd.OutOrStdout(), renderings, v.GetString("output") == "json")
		}}
	flags := cmd.Flags()
	flags.StringVar(&f.node, "node", "", "the node's name in the inventory")
	flags.BoolVar(&f.all, "all", false, "every node of the inventory, each with a folder of its name below that of --to or --diff")
	flags.StringVar(&f.inventory, "inventory", "cluster.yaml", "the inventory")
	flags.StringVar(&f.to, "to", "", "write the files below this folder, which is new or empty")
	flags.StringVar(&f.diff, "diff", "", "compare with this folder")
	flags.BoolVar(&opt.Container, "container", false, "as a container under runit, not as a machine")
	flags.IntVar(&opt.Machine.RAM, "ram", 2048, "memory of the machine in MiB; heaps depend on it")
	flags.IntVar(&opt.Machine.CPUs, "cpus", 2, "processors of the machine")
	return cmd
}

// check completes the options, and returns the nodes that are asked for by name.
func (f *renderFlags) check(v *viper.Viper, opt *builder.PreviewOptions) ([]string, error) {
	roles := v.GetStringSlice("role")
	switch out := v.GetString("output"); {
	case out != "text" && out != "json":
		return nil, usageError{fmt.Errorf("--output %s: want text or json", out)}
	case f.all == (f.node != ""):
		return nil, usageError{fmt.Errorf("render needs either --node NAME, a node of the inventory, or --all")}
	case f.to != "" && f.diff != "":
		return nil, usageError{fmt.Errorf("--to and --diff don't go together")}
	case len(roles) > 1:
		return nil, usageError{fmt.Errorf("--role %v: want one, that of the image which the nodes boot", roles)}
	case opt.Machine.RAM < 1 || opt.Machine.CPUs < 1:
		return nil, usageError{fmt.Errorf("--ram %d, --cpus %d: want at least 1", opt.Machine.RAM, opt.Machine.CPUs)}
	}
	opt.Checkout, opt.Stack, opt.Inventory = v.GetString("checkout"), v.GetString("stack"), f.inventory
	opt.Vendor, opt.Builds = v.GetString("vendor"), builds(v)
	if len(roles) == 1 {
		opt.Role = roles[0]
	}
	return []string{f.node}, nil
}

func (f *renderFlags) show(w io.Writer, renderings []*node.Rendering, asJSON bool) error {
	switch {
	case f.diff != "":
		return f.compare(w, renderings, asJSON)
	case f.to != "":
		return f.write(w, renderings, asJSON)
	}
	var views []node.View
	for _, r := range renderings {
		views = append(views, r.View())
	}
	if asJSON {
		return f.encode(w, views)
	}
	for _, v := range views {
		if _, err := fmt.Fprint(w, v); err != nil {
			return err
		}
	}
	return nil
}

// encode prints a list for --all, and else its only element.
func (f *renderFlags) encode(w io.Writer, list any) error {
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if !f.all {
		var one []json.RawMessage
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		data = one[0]
	}
	_, err = fmt.Fprintf(w, "%s\n", data)
	return err
}

// folder is a node's own below that of --to or --diff.
func (f *renderFlags) folder(dir string, r *node.Rendering) string {
	if f.all {
		return filepath.Join(dir, r.Data.Node.Name)
	}
	return dir
}

// written is what --to prints as JSON.
type written struct {
	Node  string `json:"node"`
	Dir   string `json:"dir"`
	Files int    `json:"files"`
}

func (f *renderFlags) write(w io.Writer, renderings []*node.Rendering, asJSON bool) error {
	var all []written
	for _, r := range renderings {
		dir := f.folder(f.to, r)
		if err := r.Preview(dir); err != nil {
			return fmt.Errorf("write the files of node %s: %w", r.Data.Node.Name, err)
		}
		one := written{r.Data.Node.Name, dir, len(r.AllFiles())}
		all = append(all, one)
		if !asJSON {
			if _, err := fmt.Fprintf(w, "%s: %d files of node %s\n", one.Dir, one.Files, one.Node); err != nil {
				return err
			}
		}
	}
	if asJSON {
		return f.encode(w, all)
	}
	return nil
}

// compared is what --diff prints as JSON.
type compared struct {
	Node  string `json:"node"`
	Dir   string `json:"dir"`
	Equal bool   `json:"equal"`
	Diff  string `json:"diff,omitempty"` // unified, from the folder to the rendering
}

func (f *renderFlags) compare(w io.Writer, renderings []*node.Rendering, asJSON bool) error {
	var all []compared
	equal := true
	for _, r := range renderings {
		dir := f.folder(f.diff, r)
		diff, err := builder.Diff(r, dir)
		if err != nil {
			return fmt.Errorf("node %s: %w", r.Data.Node.Name, err)
		}
		all = append(all, compared{r.Data.Node.Name, dir, diff == "", diff})
		equal = equal && diff == ""
		if !asJSON {
			if _, err := io.WriteString(w, diff); err != nil {
				return err
			}
		}
	}
	if asJSON {
		if err := f.encode(w, all); err != nil {
			return err
		}
	}
	if !equal {
		return exitStatus(1)
	}
	return nil
}
