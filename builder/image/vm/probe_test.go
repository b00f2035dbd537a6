package vm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

func TestAccelerator(t *testing.T) {
	t.Parallel()
	ran := &sandbox.ExitError{Args: []string{qemu}, Code: probeStatus}
	refused := &sandbox.ExitError{Args: []string{qemu}, Code: 1, Tail: "warning: x\nqemu: failed to initialize kvm: Permission denied\n"}
	device := write(t, "kvm", nil)
	for _, test := range []struct {
		name   string
		kvm    error
		device string
		want   Accel
		get    Accel
		says   string // in the warning, or in the error
	}{
		{"works", ran, device, Auto, KVM, ""},
		{"works, wanted", ran, device, KVM, KVM, ""},
		{"works, not wanted", ran, device, TCG, TCG, ""},
		{"refused", refused, device, Auto, TCG, "status 1: qemu: failed to initialize kvm: Permission denied"},
		{"refused, wanted", refused, device, KVM, "", "KVM can't be used here: QEMU ended with status 1"},
		{"hangs", nil, device, KVM, "", "did not end within 5s, emulated it took"},
		{"no device", ran, "/dev/none", Auto, TCG, "no /dev/none"},
		{"no device, wanted", ran, "/dev/none", KVM, "", "use the accelerator tcg"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fakeQEMU{version: "7.2", kvm: test.kvm}
			var rec event.Recorder
			got, err := Accelerator(t.Context(), Probe{Programs: f.programs(), Accel: test.want, Events: &rec, device: test.device})
			if got != test.get || (err != nil) != (test.get == "") {
				t.Fatalf("got %q, %v", got, err)
			}
			said := ""
			for _, e := range rec.Events() {
				said += string(e.Kind) + " " + e.Message
			}
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, test.says) || (test.says == "") != (said == "") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// A guest that hangs is given up, and the caller's own end is not taken for that.
func TestProbeThatHangs(t *testing.T) {
	f := &fakeQEMU{}
	err := bootSector(t.Context(), f.programs(), KVM, time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = Accelerator(ctx, Probe{Programs: f.programs(), device: write(t, "kvm", nil)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestProbeCache(t *testing.T) {
	f := &fakeQEMU{version: "7.2", kvm: &sandbox.ExitError{Code: probeStatus}}
	p := Probe{Programs: f.programs(), Cache: filepath.Join(t.TempDir(), "kvm.json"), device: write(t, "kvm", nil)}
	ask := func(probes int) {
		t.Helper()
		got, err := Accelerator(t.Context(), p)
		if n := f.count("-accel kvm"); err != nil || got != KVM || n != probes {
			t.Fatalf("got %s, %v after %d probes, want %d", got, err, n, probes)
		}
	}
	ask(1)
	ask(1)
	f.version = "10.0"
	ask(2)
	ask(2)
	data, err := os.ReadFile(p.Cache)
	if err != nil {
		t.Fatal(err)
	}
	for n, bad := range []string{
		"", "{", strings.Replace(string(data), `"boot_id":"`, `"boot_id":"x`, 1),
		strings.Replace(string(data), `{`, `{"more":1,`, 1), string(data) + strings.Repeat(" ", maxProbeFile),
	} {
		if err := os.WriteFile(p.Cache, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		ask(3 + n)
	}
	p.Cache = filepath.Join(t.TempDir(), "missing", "kvm.json")
	ask(8) // what can't be kept is said, and used
}

// What is embedded is what its source says.
func TestBootSectorSource(t *testing.T) {
	need(t, "as", "ld")
	dir := t.TempDir()
	object, out := filepath.Join(dir, "sector.o"), filepath.Join(dir, "sector.bin")
	for _, argv := range [][]string{
		{"as", "-o", object, "bootsector/sector.S"},
		{"ld", "-Ttext=0x7c00", "--oformat=binary", "-o", out, object},
	} {
		if text, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, text)
		}
	}
	got, err := os.ReadFile(out)
	if err != nil || len(got) != 512 || !bytes.Equal(got, sector) {
		t.Errorf("%d bytes, %v: sector.bin is not sector.S assembled", len(got), err)
	}
}

// The real thing: a boot sector under emulation, and what this host's KVM really does.
func TestBootSectorReal(t *testing.T) {
	need(t, qemu)
	if err := bootSector(t.Context(), Programs{}, TCG, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "kvm.json")
	for range 2 {
		got, err := Accelerator(t.Context(), Probe{Cache: cache})
		if err != nil || got != KVM && got != TCG {
			t.Fatalf("got %q, %v", got, err)
		}
		t.Logf("this host: %s", got)
	}
	if data, err := os.ReadFile(cache); err != nil || !strings.Contains(string(data), "QEMU emulator version") {
		t.Errorf("cache %s, %v", data, err)
	}
}
