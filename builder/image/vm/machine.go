package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

const (
	maxSocketPath = 107 // sun_path of unix(7), without the final NUL
	maxVars       = 16 << 20
	startTime     = time.Minute      // for QEMU to open its sockets
	commandTime   = 10 * time.Second // for QEMU to accept a command
	lastMoment    = time.Second
	askAgain      = 20 * time.Second // an ACPI event before systemd runs is lost
)

// Machine is a machine that was started. Its methods may be used by several goroutines.
type Machine struct {
	// Accel is what runs it: KVM or TCG.
	Accel Accel

	spec    Spec
	dir     string // overlay and firmware variables
	sockets string
	started time.Time
	channel *channel
	kill    context.CancelFunc
	done    chan struct{}
	err     error // how QEMU ended, once done is closed
}

// Start starts the machine. It runs until it powers itself off, PowerOff or Close is called, or ctx
// ends.
func Start(ctx context.Context, spec Spec) (*Machine, error) {
	spec, err := spec.settle()
	if err != nil {
		return nil, err
	}
	accel, err := Accelerator(ctx, Probe{Programs: spec.Programs, Accel: spec.Accel, Cache: spec.ProbeCache, Events: spec.Events})
	if err != nil {
		return nil, err
	}
	if spec.CPUs == 0 {
		spec.CPUs = defaultCPUs[accel]
	}
	m := &Machine{spec: spec, Accel: accel, started: time.Now(), done: make(chan struct{})}
	run, err := m.prepare(ctx)
	if err != nil {
		m.clean()
		return nil, fmt.Errorf("vm: prepare machine %s: %w", spec.Name, err)
	}
	m.channel = newChannel(filepath.Join(m.sockets, channelSocket))
	running, kill := context.WithCancel(ctx)
	m.kill = kill
	go func() {
		defer kill()
		defer close(m.done)
		defer m.clean()
		m.err = spec.Programs.run(running, run)
	}()
	if err := m.awaitSockets(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	spec.Events.Emit(event.Event{Kind: event.Log, Message: fmt.Sprintf("%s boots by %s under %s; its console is in %s", spec.Name, spec.Firmware, accel, spec.SerialLog)})
	return m, nil
}

// prepare makes the machine's files and returns how to run QEMU.
func (m *Machine) prepare(ctx context.Context) (sandbox.Spec, error) {
	var none sandbox.Spec
	if err := m.makeDirs(); err != nil {
		return none, err
	}
	if m.spec.Firmware == UEFI {
		if err := m.copyVars(); err != nil {
			return none, err
		}
	}
	log, err := os.Create(m.spec.SerialLog)
	if err != nil {
		return none, err
	}
	if err := log.Close(); err != nil {
		return none, err
	}
	v := &view{tree: m.spec.Programs.Root != ""}
	p, base, err := m.paths(v)
	if err != nil {
		return none, err
	}
	if err := m.makeOverlay(ctx, v, p, base); err != nil {
		return none, fmt.Errorf("make the disk's overlay: %w", err)
	}
	kind := m.spec.Network.Kind
	return sandbox.Spec{
		Args: m.spec.argv(m.Accel, p), Binds: withKVM(*v, m.Accel), Network: kind == User || kind == Multicast,
	}, nil
}

// makeOverlay makes the disk that the guest writes to, unless it is kept from an earlier machine.
func (m *Machine) makeOverlay(ctx context.Context, v *view, p paths, base string) error {
	made := p.overlay
	if m.spec.Overlay != "" {
		if _, err := os.Stat(m.spec.Overlay); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		made += ".new"
	}
	create := []string{qemuImg, "create", "-q", "-f", "qcow2", "-F", m.spec.Disk.format(), "-b", base, made}
	if m.spec.DiskSize > 0 {
		create = append(create, fmt.Sprint(m.spec.DiskSize))
	}
	if err := m.spec.Programs.run(ctx, sandbox.Spec{Args: create, Binds: v.binds}); err != nil || m.spec.Overlay == "" {
		return err
	}
	return os.Rename(m.spec.Overlay+".new", m.spec.Overlay)
}

func (m *Machine) makeDirs() (err error) {
	if m.dir, err = os.MkdirTemp(m.spec.Dir, "forge-vm-"); err != nil {
		return err
	}
	if m.dir, err = filepath.Abs(m.dir); err != nil {
		return err
	}
	m.sockets = m.dir
	if len(filepath.Join(m.dir, serialSocket)) > maxSocketPath {
		m.sockets, err = os.MkdirTemp("", "forge-vm-")
	}
	return err
}

func (m *Machine) clean() {
	for _, dir := range []string{m.dir, m.sockets} {
		if dir == "" {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			m.spec.Events.Emit(event.Event{Kind: event.Warning, Message: "can't remove a machine's files: " + err.Error()})
		}
	}
}

// copyVars gives the machine UEFI variables of its own.
func (m *Machine) copyVars() error {
	top := m.spec.Programs.Root
	if top == "" {
		top = "/"
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return err
	}
	defer root.Close()
	in, err := root.Open(ovmfVars[1:])
	if err != nil {
		return fmt.Errorf("UEFI firmware: %w (is the package ovmf installed?)", err)
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(m.dir, "vars.fd"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, maxVars))
	return errors.Join(err, out.Close())
}

// paths returns the machine's files as QEMU sees them, and the disk below the overlay.
func (m *Machine) paths(v *view) (p paths, base string, err error) {
	see := func(host string, readOnly bool) string {
		seen, e := v.see(host, readOnly)
		err = errors.Join(err, e)
		return seen
	}
	dir := see(m.dir, false)
	p.overlay, p.vars = path.Join(dir, "disk.qcow2"), path.Join(dir, "vars.fd")
	if m.spec.Overlay != "" {
		p.overlay = path.Join(see(filepath.Dir(m.spec.Overlay), false), filepath.Base(m.spec.Overlay))
	}
	p.sockets = see(m.sockets, false)
	p.serialLog = see(m.spec.SerialLog, false)
	base = see(m.spec.Disk.Path, true)
	if m.spec.Seed != "" {
		p.seed = see(m.spec.Seed, true)
	}
	if k := m.spec.Kernel; k != nil {
		p.kernel, p.initrd = see(k.Image, true), see(k.Initrd, true)
	}
	for _, d := range m.spec.Extra {
		p.extra = append(p.extra, see(d.Path, d.ReadOnly))
	}
	return p, base, err
}

// awaitSockets returns when QEMU listens, or has ended.
func (m *Machine) awaitSockets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// QEMU makes it last.
		if _, err := os.Stat(filepath.Join(m.sockets, qmpSocket)); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-m.done:
			return m.ended()
		case <-ctx.Done():
			return fmt.Errorf("vm: machine %s: QEMU does not open its sockets: %w", m.spec.Name, context.Cause(ctx))
		}
	}
}

// ended says how QEMU ended; m.done is closed.
func (m *Machine) ended() error {
	if m.err == nil {
		return fmt.Errorf("vm: machine %s has powered off", m.spec.Name)
	}
	return fmt.Errorf("vm: machine %s: QEMU ended: %w", m.spec.Name, m.err)
}

// whileRunning returns a context that also ends, with the reason as its cause, when QEMU does.
func (m *Machine) whileRunning(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-m.done:
			cancel(m.ended())
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Done is closed when QEMU has ended and the machine's files are gone.
func (m *Machine) Done() <-chan struct{} { return m.done }

// PowerOff asks the guest, as its power button does, to shut down, and waits until it has. When ctx
// ends first, the machine is killed and the error says so.
func (m *Machine) PowerOff(ctx context.Context) error {
	for {
		try, cancel := context.WithTimeout(ctx, commandTime)
		err := qmpCommand(try, filepath.Join(m.sockets, qmpSocket), "system_powerdown")
		cancel()
		again := time.NewTimer(askAgain)
		select {
		case <-m.done:
			again.Stop()
			if m.err != nil {
				return m.ended()
			}
			return nil
		case <-ctx.Done():
			again.Stop()
			if err == nil {
				err = context.Cause(ctx)
			}
			return errors.Join(fmt.Errorf("vm: machine %s did not power off and was killed: %w", m.spec.Name, err), m.Close())
		case <-again.C:
		}
	}
}

// Close kills the machine, if it still runs, and returns when its files are gone. It may be called
// more than once.
func (m *Machine) Close() error {
	m.kill()
	<-m.done
	m.channel.leave()
	return nil
}
