package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/evidence"
	"github.com/mesos-forge/forge/builder/publish/sign"
)

func verifyCommand(v *viper.Viper) *cobra.Command {
	var rebuild bool
	var dir string
	cmd := &cobra.Command{Use: "verify REFERENCE|FILE --key PUBLIC", Short: "Check the signature, the provenance and the bytes of a result",
		Long: `Check the signature, the provenance and the bytes of a result: an image or a disk in a registry, or a file or an image layout in an
output folder.

It passes if the key signed provenance that names exactly this result, if the lock and the SBOM beside it are those that the provenance
names, and if every byte is as the digests say. --rebuild also builds it again, from the lock and the parameters in the provenance, in
a new store, and compares bit for bit: the checkout must have the recipes of then. Files that were downloaded before are taken from
--store; nothing else of it is.`,
		Example: "  forge verify registry.example/cluster/slave:1 --key forge.pub\n  forge verify out/slave/disk.qcow2 --key forge.pub --rebuild",
		Args:    oneArgument("verify needs one image reference or one file"),
	}
	registry := addRegistryFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := options(v)
		if err != nil {
			return err
		}
		key, err := publicKey(v)
		if err != nil {
			return err
		}
		if rebuild {
			if err := enter(); err != nil {
				return err
			}
		}
		remote, err := registry.remote(opt)
		if err != nil {
			return err
		}
		var got *evidence.Verified
		if isFile(args[0]) {
			got, err = evidence.VerifyFile(cmd.Context(), args[0], key)
		} else {
			got, err = evidence.VerifyImage(cmd.Context(), args[0], key, remote)
		}
		if err == nil && rebuild {
			err = rebuildIn(dir, opt.Store, func(dir string) error {
				return evidence.Rebuild{Options: opt, Downloads: opt.Store, Remote: remote, Dir: dir}.Run(cmd.Context(), got)
			})
			endProgress(opt.Sink)
		}
		if err != nil {
			return err
		}
		if v.GetString("output") == "json" {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(got)
		}
		return printVerified(cmd.OutOrStdout(), got)
	}
	cmd.Flags().String("key", "", "the public key, a PEM file (also verify.key in forge.yaml, FORGE_VERIFY_KEY)")
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "build it again and compare bit for bit")
	cmd.Flags().StringVar(&dir, "rebuild-dir", "", "folder to make for the new store and results; it takes several GB (default: a new one beside --store, removed unless they differ)")
	return cmd
}

// publicKey reads the key that checks.
func publicKey(v *viper.Viper) (*sign.Public, error) {
	setting := v.GetString("key")
	if setting == "" {
		setting = v.GetString("verify.key")
	}
	if setting == "" {
		return nil, usageError{errors.New("verify needs --key with the public key of who signed: \"openssl pkey -in PRIVATE -pubout -out PUBLIC\" writes it")}
	}
	return sign.LoadPublic(setting)
}

// rebuildIn runs rebuild in a folder: the one that the caller named, or else a new one beside the store, which goes unless the
// results differ.
func rebuildIn(dir, store string, rebuild func(dir string) error) error {
	if dir != "" {
		if found, err := os.ReadDir(dir); err == nil && len(found) > 0 {
			return usageError{fmt.Errorf("--rebuild-dir %s is not empty", dir)}
		}
		return rebuild(dir)
	}
	dir, err := os.MkdirTemp(filepath.Dir(store), "forge-rebuild-")
	if err != nil {
		return fmt.Errorf("%w; name another place with --rebuild-dir", err)
	}
	if err = rebuild(dir); errors.Is(err, evidence.ErrDiffers) {
		return err
	}
	return errors.Join(err, os.RemoveAll(dir))
}

func isFile(name string) bool {
	_, err := os.Stat(name)
	return err == nil || filepath.IsAbs(name)
}

func oneArgument(says string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{errors.New(says)}
		}
		return nil
	}
}

func printVerified(w io.Writer, got *evidence.Verified) error {
	fmt.Fprintf(w, "%s passes\n", got.Name)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range got.Checks {
		fmt.Fprintf(t, "  %s\t%s\n", c.What, c.Detail)
	}
	return t.Flush()
}
