// Command sbom describes an archive (.tar.gz) or a Debian package of forge's release.
//
//	sbom FILE DOCUMENT
//
// The document is SPDX 2.3 in JSON: the file, the programs in it, and the Go modules that each is linked from, as
// the Go linker wrote them into it. It is the same for the same file.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/google/renameio/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom FILE DOCUMENT")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file, document string) error {
	digest, err := sha256Of(file)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "sbom")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	programs, created, err := unpack(ctx, file, temp)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return fmt.Errorf("no Go program is in it: a release's archives and packages have forge and its own programs")
	}
	out, err := renameio.NewPendingFile(document, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer out.Cleanup()
	if err := write(out, filepath.Base(file), digest, created, programs); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

func sha256Of(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
