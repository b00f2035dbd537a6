package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runitDir is where a container's Runit has its directories.
const runitDir = "/run/forge/runit"

// Runit is the Supervisor of a container. Dir holds two directories: sv/, with
// a service directory per service, and service/, with a link for each that
// should run; runsvdir watches the latter. Both are made anew at every start of
// the container, so services that don't belong to the node are simply not there.
type Runit struct {
	Dir  string
	Exec func(ctx context.Context, as User, argv []string) ([]byte, error)
}

var _ Supervisor = (*Runit)(nil)

// ServiceDir is the directory that runsvdir watches.
func (r *Runit) ServiceDir() string { return filepath.Join(r.Dir, "service") }

func (r *Runit) sv(name string) string { return filepath.Join(r.Dir, "sv", name) }

func (r *Runit) script(name string) string { return filepath.Join(r.sv(name), "run") }

// Reload writes the run scripts.
func (r *Runit) Reload(_ context.Context, services []RenderedService) error {
	if err := mkdirs(r.ServiceDir()); err != nil {
		return err
	}
	for _, s := range services {
		if strings.TrimSpace(s.Script) == "" {
			return fmt.Errorf("service %s has no runit script in its manifest, so it can't run in a container", s.Name)
		}
		run := owned{path: r.script(s.Name), content: []byte(s.Script), mode: 0o755, uid: os.Getuid(), gid: os.Getgid()}
		if _, err := write(run); err != nil {
			return err
		}
	}
	return nil
}

// States reads each supervise/status: 20 bytes, of which 12 to 15 are the
// process id (little endian), 17 the state that is wanted and 19 the one that
// is (runit's runsv.c, update_status).
func (r *Runit) States(_ context.Context, names []string) (map[string]Process, error) {
	states := map[string]Process{}
	for _, n := range names {
		p, err := r.state(n)
		if err != nil {
			return nil, fmt.Errorf("state of %s: %w", n, err)
		}
		states[n] = p
	}
	return states, nil
}

func (r *Runit) state(name string) (Process, error) {
	p := Process{Activity: Missing, Restarts: -1}
	if _, err := os.Lstat(filepath.Join(r.ServiceDir(), name)); errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	p.Activity, p.Enabled = Starting, true
	if !r.watched(name) { // runsvdir hasn't seen it yet
		return p, nil
	}
	status, err := readBounded(filepath.Join(r.sv(name), "supervise", "status"), 64)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if len(status) != 20 {
		return p, fmt.Errorf("supervise/status has %d bytes, not 20", len(status))
	}
	p.PID = int(binary.LittleEndian.Uint32(status[12:16]))
	switch {
	case status[19] == 1 && p.PID > 0:
		p.Activity = Running
	case status[17] == 'd':
		p.Activity = Stopped
	}
	return p, nil
}

// watched tells whether a runsv looks after the service: it reads supervise/ok.
func (r *Runit) watched(name string) bool {
	fd, err := unix.Open(filepath.Join(r.sv(name), "supervise", "ok"), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

// Start links services for runsvdir, which starts them; one that was stopped by
// hand is started again.
func (r *Runit) Start(ctx context.Context, names []string) error {
	for _, n := range names {
		link := filepath.Join(r.ServiceDir(), n)
		if err := os.Symlink(filepath.Join("..", "sv", n), link); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		p, err := r.state(n)
		if err != nil {
			return err
		}
		if p.Activity == Stopped {
			if _, err := r.Exec(ctx, User{}, []string{"sv", "up", r.sv(n)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Restart sends a service TERM; its runsv starts it again.
func (r *Runit) Restart(ctx context.Context, name string) error {
	if !r.watched(name) {
		return nil // it starts with what is there now
	}
	_, err := r.Exec(ctx, User{}, []string{"sv", "term", r.sv(name)})
	return err
}

// Stop takes services down and out of runsvdir's sight.
func (r *Runit) Stop(ctx context.Context, names []string) error {
	for _, n := range names {
		if err := os.Remove(filepath.Join(r.ServiceDir(), n)); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil && !errors.Is(err, syscall.EINVAL) {
			return err
		}
		if !r.watched(n) {
			continue
		}
		if _, err := r.Exec(ctx, User{}, []string{"sv", "force-stop", r.sv(n)}); err != nil {
			return err
		}
	}
	return nil
}

// Shutdown stops every service and waits for it: TERM first, KILL after that
// many seconds. It is force-stop, not force-shutdown: the latter ends each runsv
// too, and runsvdir would start those that end early, with their services, again.
func (r *Runit) Shutdown(ctx context.Context, seconds int) error {
	entries, err := os.ReadDir(r.ServiceDir())
	if err != nil || len(entries) == 0 {
		return err
	}
	argv := []string{"sv", "-w", fmt.Sprint(seconds), "force-stop"}
	for _, e := range entries {
		if r.watched(e.Name()) {
			argv = append(argv, filepath.Join(r.ServiceDir(), e.Name()))
		}
	}
	if len(argv) == 4 {
		return nil
	}
	_, err = r.Exec(ctx, User{}, argv)
	return err
}
