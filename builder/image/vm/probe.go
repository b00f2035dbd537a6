package vm

import (
	"bytes"
	"cmp"
	"context"
	_ "embed" // the boot sector
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

const (
	kvmDevice  = "/dev/kvm"
	bootIDFile = "/proc/sys/kernel/random/boot_id"
	// The boot sector may take emulationTime under TCG, and under KVM kvmTime or slowest times what it
	// took under TCG (the host may be busy). Where KVM works, it is the quicker one.
	emulationTime = time.Minute
	kvmTime       = 5 * time.Second
	slowest       = 3
	probePort     = 0xf4
	probeStatus   = 0x2a<<1 | 1 // the sector's value, as isa-debug-exit turns it into a status
	probeDisk     = 64 << 10
	maxProbeFile  = 4096
)

// Probe describes a question to Accelerator.
type Probe struct {
	Programs Programs
	Accel    Accel // what is wanted; "" means Auto
	// Cache is a file that keeps the answer as long as the host is not booted again and QEMU stays the
	// same; "" asks every time.
	Cache  string
	Events event.Sink // nil drops events

	device string // instead of kvmDevice, in tests
}

// verdict is what the cache file holds.
type verdict struct {
	BootID string `json:"boot_id"`
	QEMU   string `json:"qemu"`
	KVM    bool   `json:"kvm"`
	Reason string `json:"reason,omitempty"` // why not
}

// Accelerator returns KVM or TCG. Auto gives KVM if a guest really ran under it, and not much
// slower than emulated, else TCG with a
// Warning that says why; for KVM, the same reason is an error.
func Accelerator(ctx context.Context, p Probe) (Accel, error) {
	if p.Events == nil {
		p.Events = event.Discard
	}
	if p.Accel == TCG {
		return TCG, nil
	}
	v, err := p.verdict(ctx)
	switch {
	case err != nil:
		return "", err
	case v.KVM:
		return KVM, nil
	case p.Accel == KVM:
		return "", fmt.Errorf("vm: KVM can't be used here: %s; use the accelerator tcg (slower), or a host with working virtualization", v.Reason)
	}
	p.Events.Emit(event.Event{Kind: event.Warning, Message: "KVM can't be used here (" + v.Reason + "); the machine is emulated, which is slower"})
	return TCG, nil
}

func (p Probe) verdict(ctx context.Context) (verdict, error) {
	now, err := p.circumstances(ctx)
	if err != nil {
		return now, err
	}
	if old, ok := p.cached(); ok && old.BootID == now.BootID && old.QEMU == now.QEMU {
		return old, nil
	}
	now.Reason, err = p.try(ctx)
	if err != nil {
		return now, err
	}
	now.KVM = now.Reason == ""
	if p.Cache == "" {
		return now, nil
	}
	data, err := json.Marshal(now)
	if err == nil {
		err = renameio.WriteFile(p.Cache, append(data, '\n'), 0o644)
	}
	if err != nil { // the answer is good all the same
		p.Events.Emit(event.Event{Kind: event.Warning, Message: "can't keep whether KVM works: " + err.Error()})
	}
	return now, nil
}

// circumstances are those under which an answer stays true.
func (p Probe) circumstances(ctx context.Context) (verdict, error) {
	id, err := os.ReadFile(bootIDFile)
	if err != nil {
		return verdict{}, fmt.Errorf("vm: %w", err)
	}
	var out bytes.Buffer
	err = p.Programs.run(ctx, sandbox.Spec{Args: []string{qemu, "--version"}, Stdout: &out})
	if err != nil {
		return verdict{}, fmt.Errorf("vm: ask QEMU for its version: %w (is the package qemu-system-x86 installed?)", err)
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	return verdict{BootID: strings.TrimSpace(string(id)), QEMU: first}, nil
}

// cached reads the cache; what can't be read is asked again.
func (p Probe) cached() (v verdict, ok bool) {
	if p.Cache == "" {
		return v, false
	}
	info, err := os.Stat(p.Cache)
	if err != nil || info.Size() > maxProbeFile {
		return v, false
	}
	data, err := os.ReadFile(p.Cache)
	if err != nil {
		return v, false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return v, dec.Decode(&v) == nil
}

// try returns why KVM can't be used, or "" when a guest ran. An error means that nothing was learnt.
func (p Probe) try(ctx context.Context) (string, error) {
	device := cmp.Or(p.device, kvmDevice)
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "this host has no " + device, nil
	}
	if err != nil {
		return err.Error(), nil
	}
	f.Close()
	begin := time.Now()
	if err := bootSector(ctx, p.Programs, TCG, emulationTime); err != nil {
		return "", fmt.Errorf("vm: QEMU can't even emulate a guest of 512 bytes: %w", err)
	}
	emulated := time.Since(begin)
	limit := max(kvmTime, slowest*emulated)
	err = bootSector(ctx, p.Programs, KVM, limit)
	var exit *sandbox.ExitError
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("vm: try KVM: %w", context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("under it a guest of 512 bytes did not end within %v, emulated it took %v", limit.Round(time.Millisecond), emulated.Round(time.Millisecond)), nil
	case errors.As(err, &exit):
		return fmt.Sprintf("QEMU ended with status %d: %s", exit.Code, lastLine(exit.Tail)), nil
	}
	return "", fmt.Errorf("vm: try KVM: %w", err)
}

// bootSector boots 512 bytes that end QEMU with a status of their own, and returns nil if they did
// so in time.
func bootSector(ctx context.Context, p Programs, accel Accel, limit time.Duration) error {
	dir, err := os.MkdirTemp("", "forge-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	image := filepath.Join(dir, "sector.img")
	disk := make([]byte, probeDisk)
	copy(disk, sector)
	if err := os.WriteFile(image, disk, 0o600); err != nil {
		return err
	}
	v := view{tree: p.Root != ""}
	seen, err := v.see(image, false)
	if err != nil {
		return err
	}
	args := append([]string{qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "pc", "-m", "128", "-nic", "none"},
		accelArgs(accel)...)
	args = append(args, "-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=1", probePort),
		"-drive", "if=ide,format=raw,file="+option(seen))
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = p.run(ctx, sandbox.Spec{Args: args, Binds: withKVM(v, accel)})
	var exit *sandbox.ExitError
	if errors.As(err, &exit) && exit.Signal == 0 && exit.Code == probeStatus {
		return nil
	}
	if err == nil {
		return errors.New("QEMU ended without running the guest")
	}
	return err
}

// sector is bootsector/sector.S, assembled; it ends QEMU with probeStatus.
//
//go:embed bootsector/sector.bin
var sector []byte

// withKVM adds the device to the files that a tree shows.
func withKVM(v view, accel Accel) []sandbox.Bind {
	if !v.tree || accel != KVM {
		return v.binds
	}
	return append(v.binds, sandbox.Bind{Source: kvmDevice, Target: kvmDevice})
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
