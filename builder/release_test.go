package builder

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// TestReleasedProgram: a release's program is taken from beside forge, if it is one for the images.
func TestReleasedProgram(t *testing.T) {
	dir := t.TempDir()
	path := releasedPath(filepath.Join(dir, "bin", "forge"), "forge-node")
	if want := filepath.Join(dir, "libexec/forge/forge-node"); path != want {
		t.Fatalf("path = %s, want %s", path, want)
	}
	st, err := store.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	run := func() (map[string]step.Done, error) {
		g, err := step.NewGraph(released("program/forge-node", path))
		if err != nil {
			t.Fatal(err)
		}
		return (&step.Executor{Store: st, Sink: event.Discard, Jobs: 1}).Execute(t.Context(), g)
	}
	if _, err := run(); err == nil || !strings.Contains(err.Error(), "it must come with the release of forge") {
		t.Errorf("without the file: error %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("/proc/self/exe") // any will do
	if err != nil {
		t.Fatal(err)
	}
	const machine = 18 // offset of e_machine in the header
	for arch, want := range map[elf.Machine]string{elf.EM_AARCH64: "images are for amd64", elf.EM_X86_64: ""} {
		binary.LittleEndian.PutUint16(program[machine:], uint16(arch))
		if err := os.WriteFile(path, program, 0o755); err != nil {
			t.Fatal(err)
		}
		done, err := run()
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", arch, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		made, err := st.BlobPath(done["program/forge-node"].Outputs["program"].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(made); err != nil || !bytes.Equal(got, program) {
			t.Errorf("the step made something else (%v)", err)
		}
	}
}
