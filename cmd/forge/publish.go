package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
)

func publishCommand(v *viper.Viper) *cobra.Command {
	cmd := &cobra.Command{Use: "publish --apt DIR", Short: "Add the packages to a signed apt repository", Args: cobra.NoArgs,
		Long: `Add the packages of the output folder to a signed apt repository in a folder, and print what a client
needs. Clients see all of it at once, old versions stay, and what is there is checked before.

The key is an OpenPGP private key: the file that --key names (or publish.key in forge.yaml), or the armored text in
FORGE_SIGNING_KEY. What unlocks it stands in FORGE_SIGNING_PASSPHRASE or in the file that --passphrase-file names.
Two keys sign together while clients change from one to the other.

Packages that are stand-ins are refused: they check the wiring of a cluster, they don't run anything.
--allow-standins publishes them all the same.`,
		Example: "  forge publish --apt /srv/apt --key ~/forge-key.asc --url http://apt.example/forge",
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			apt, err := aptOptions(v)
			if err != nil {
				return err
			}
			if err := enter(); err != nil {
				return err
			}
			defer endProgress(opt.Sink)
			b, err := builder.New(opt)
			if err != nil {
				return err
			}
			defer b.Close()
			res, err := b.PublishApt(cmd.Context(), apt)
			if err != nil {
				return err
			}
			endProgress(opt.Sink)
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(res)
			}
			return describePublished(cmd.OutOrStdout(), res)
		}}
	f := cmd.Flags()
	f.String("apt", "", "folder of the apt repository; made when it is not there")
	f.StringArray("key", nil, "file with the OpenPGP private key that signs; twice: both sign")
	f.String("passphrase-file", "", "file with the passphrase of the key")
	f.Bool("new-key", false, "sign with another key than so far, which every client has to be given")
	f.String("suite", "", "suite of the repository (default: the stack's name)")
	f.String("url", "", "where clients find the repository (default: the folder itself)")
	f.Duration("valid-for", 0, "how long clients accept this publication, such as 720h (default: for ever)")
	f.Int("keep", 0, "versions of each package that stay in the index, the newest (default: all)")
	f.Bool("allow-standins", false, "publish packages that are stand-ins")
	return cmd
}

// aptOptions are the flags, and below them what forge.yaml says under publish.
func aptOptions(v *viper.Viper) (builder.AptOptions, error) {
	or := func(flag, key string) string {
		if s := v.GetString(flag); s != "" {
			return s
		}
		return v.GetString("publish." + key)
	}
	o := builder.AptOptions{Dir: or("apt", "apt"), URL: or("url", "url"), KeyFiles: v.GetStringSlice("key"), Key: os.Getenv("FORGE_SIGNING_KEY"),
		Passphrase: os.Getenv("FORGE_SIGNING_PASSPHRASE"), PassphraseFile: or("passphrase-file", "passphrase_file"), Suite: or("suite", "suite"),
		Origin: v.GetString("publish.origin"), Label: v.GetString("publish.label"), ValidFor: v.GetDuration("valid-for"),
		NewKey: v.GetBool("new-key"), AllowStandins: v.GetBool("allow-standins"), KeepVersions: v.GetInt("keep")}
	if len(o.KeyFiles) == 0 && o.Key == "" {
		if name, one := v.Get("publish.key").(string); one {
			o.KeyFiles = []string{name} // which may have blanks in it
		} else {
			o.KeyFiles = v.GetStringSlice("publish.key")
		}
	}
	switch {
	case o.Dir == "":
		return o, usageError{errors.New("publish needs the folder of the repository: --apt DIR")}
	case o.ValidFor < 0 || o.KeepVersions < 0:
		return o, usageError{errors.New("--valid-for and --keep want more than 0")}
	}
	return o, nil
}

// describePublished says what was done, and what to do on a client.
func describePublished(w io.Writer, res *builder.AptResult) error {
	for _, name := range res.Added {
		fmt.Fprintf(w, "added    %s\n", name)
	}
	for _, name := range res.Removed {
		fmt.Fprintf(w, "removed  %s\n", name)
	}
	if !res.Changed {
		fmt.Fprintf(w, "nothing new: suite %s, publication %d, has all of these packages\n", res.Suite, res.Publication)
	} else {
		fmt.Fprintf(w, "suite %s, publication %d: %d packages\n", res.Suite, res.Publication, res.Packages)
	}
	_, err := fmt.Fprintf(w, "\nOn a client copy %s to /etc/apt/keyrings/forge.asc, and write into /etc/apt/sources.list.d/forge.sources:\n\n%s", res.PublicKey, res.Sources)
	return err
}
