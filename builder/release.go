package builder

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// releasedPath is where a release has the program: beside forge, in ../libexec/forge.
func releasedPath(executable, name string) string {
	return filepath.Join(filepath.Dir(filepath.Dir(executable)), "libexec", "forge", name)
}

func released(called, path string) *step.Step {
	in := map[string]store.Digest{}
	if f, err := os.Open(path); err == nil {
		in[filepath.Base(path)], _, _ = store.DigestReader(f)
		f.Close()
	}
	return &step.Step{Name: called, Kind: "released-program", Version: 1, Inputs: in,
		Run: func(_ context.Context, r *step.Run) error {
			if err := checkProgram(path); err != nil {
				return err
			}
			out := filepath.Join(r.Dir, filepath.Base(path))
			if err := copyFile(path, out, 0o755); err != nil {
				return err
			}
			return r.PutFile("program", out)
		}}
}

// checkProgram wants a program that runs in the images.
func checkProgram(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("program %s: %w: the checkout has no go.mod to build it from, so it must come with the release of forge", path, err)
	}
	defer f.Close()
	if f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("program %s is for %s, images are for amd64: run forge in a checkout of its sources", path, f.Machine)
	}
	return nil
}
