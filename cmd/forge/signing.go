package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder/evidence"
	"github.com/mesos-forge/forge/builder/publish/sign"
)

// The environment variables with what nobody else may see.
const (
	keyVariable        = "FORGE_SIGN_KEY" // a file's path, or the key itself
	passphraseVariable = "FORGE_SIGN_PASSPHRASE"
)

func signFlag(cmd *cobra.Command, what string) {
	cmd.Flags().String("sign-key", "", what+" with this private key, a PEM file (also sign.key in forge.yaml; FORGE_SIGN_KEY, a file or the key itself; passphrase: FORGE_SIGN_PASSPHRASE, or sign.passphrase_file in forge.yaml)")
}

// signingKey reads the key that signs; nil: there is none. What it read from the environment no program gets that forge starts.
func signingKey(v *viper.Viper) (*sign.Key, error) {
	passphrase, fromEnvironment := os.Getenv(passphraseVariable), os.Getenv(keyVariable)
	for _, name := range []string{keyVariable, passphraseVariable} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	setting := v.GetString("sign-key")
	for _, other := range []string{fromEnvironment, v.GetString("sign.key")} {
		if setting == "" {
			setting = other
		}
	}
	if setting == "" {
		return nil, nil
	}
	if sign.IsText(setting) && setting != fromEnvironment {
		return nil, usageError{fmt.Errorf("a private key must not stand on a command line or in forge.yaml, where others see it: name a file with it, or put it into %s", keyVariable)}
	}
	return sign.Load(setting, passphrase, v.GetString("sign.passphrase_file"))
}

// attach puts what tells about an image beside it under each of its references, and returns what lies beside one.
func (p pushing) attach(ctx context.Context, refs []string, key *sign.Key) (attached []evidence.Attached, err error) {
	for _, ref := range refs {
		if attached, err = evidence.Attach(ctx, p.out, p.role, ref, key, p.RemoteOptions); err != nil {
			return nil, err
		}
	}
	return attached, nil
}

// sayAttached tells what lies beside the image or disk now.
func sayAttached(w io.Writer, attached []evidence.Attached, key *sign.Key) {
	switch {
	case len(attached) == 0:
		fmt.Fprintln(w, "Nothing is attached to it: no SBOM and no provenance is in the role's folder.")
	case key == nil:
		fmt.Fprintf(w, "Attached to it: %s, not signed: --sign-key FILE signs.\n", count(len(attached), "file", "files"))
	default:
		fmt.Fprintf(w, "Attached to it: %s, signed by key %s.\n", count(len(attached), "file", "files"), key.ID())
	}
}
