package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Upstart is the Supervisor of a machine that boots with upstart (Ubuntu 14.04).
// A service is a job (/etc/init/NAME.conf) or, as CDH's are, a script of System V
// (/etc/init.d/NAME). Nothing starts at boot by itself: a job's override says
// manual, a script's links are disabled.
type Upstart struct {
	Root string
	Exec func(ctx context.Context, as User, argv []string) ([]byte, error)
}

var _ Supervisor = (*Upstart)(nil)

// bootsWithUpstart tells whether init is upstart: its control program is there,
// and process 1 is no agent of ours in a container.
func bootsWithUpstart(root string) bool {
	init, err := os.Readlink(filepath.Join(root, "/proc/1/exe"))
	if err != nil || filepath.Base(init) != "init" && filepath.Base(init) != "upstart" {
		return false
	}
	_, err = os.Stat(filepath.Join(root, "/sbin/initctl"))
	return err == nil
}

func (u *Upstart) path(p ...string) string { return filepath.Join(append([]string{u.Root}, p...)...) }

func (u *Upstart) exists(p ...string) bool {
	_, err := os.Stat(u.path(p...))
	return err == nil
}

func (u *Upstart) isJob(name string) bool    { return u.exists("/etc/init", name+".conf") }
func (u *Upstart) isScript(name string) bool { return u.exists("/etc/init.d", name) }

func (u *Upstart) run(ctx context.Context, argv ...string) ([]byte, error) {
	return u.Exec(ctx, User{}, argv)
}

// Reload makes upstart read its jobs and their overrides again: on some file
// systems it does not notice changes.
func (u *Upstart) Reload(ctx context.Context, services []RenderedService) error {
	if len(services) == 0 {
		return nil
	}
	_, err := u.run(ctx, "initctl", "reload-configuration")
	return err
}

// States asks initctl for jobs and the scripts themselves for the others.
func (u *Upstart) States(ctx context.Context, names []string) (map[string]Process, error) {
	states := map[string]Process{}
	for _, name := range names {
		p, err := u.state(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("state of %s: %w", name, err)
		}
		states[name] = p
	}
	return states, nil
}

func (u *Upstart) state(ctx context.Context, name string) (Process, error) {
	switch {
	case u.isJob(name):
		return u.jobState(ctx, name)
	case u.isScript(name):
		return u.scriptState(ctx, name)
	}
	return Process{Activity: Missing, Restarts: -1}, nil
}

// statusLine is what initctl status prints of a job (initctl(8)): its goal, its
// state, and the number of its main process.
var statusLine = regexp.MustCompile(`^(\S+) (start|stop)/([a-z-]+)(?:, process ([0-9]+))?`)

func (u *Upstart) jobState(ctx context.Context, name string) (Process, error) {
	p := Process{Activity: Stopped, Restarts: -1, Enabled: !u.manual(name)}
	out, err := u.run(ctx, "initctl", "status", name)
	if err != nil {
		if strings.Contains(string(out), "Unknown job") { // a job that upstart could not read
			p.Activity = Missing
			return p, nil
		}
		return p, err
	}
	m := statusLine.FindStringSubmatch(string(out))
	if m == nil || m[1] != name {
		return p, fmt.Errorf("initctl status prints %q", strings.TrimSpace(string(out)))
	}
	p.PID, _ = strconv.Atoi(m[4])
	switch {
	case m[2] == "start" && m[3] == "running":
		p.Activity = Running
	case m[2] == "start":
		p.Activity = Starting
	}
	return p, nil
}

// manual tells whether a job's override keeps it from starting at boot (init(5)).
func (u *Upstart) manual(name string) bool {
	text, err := readBounded(u.path("/etc/init", name+".override"), 1<<16)
	if err != nil {
		return false
	}
	manual := false
	for line := range strings.Lines(string(text)) {
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "manual":
			manual = true
		case "start":
			manual = false // of two the last counts
		}
	}
	return manual
}

// Exit statuses of a script's status action (Linux Standard Base 5.0, init scripts).
const (
	lsbDeadWithPID  = 1
	lsbDeadWithLock = 2
	lsbStopped      = 3
)

func (u *Upstart) scriptState(ctx context.Context, name string) (Process, error) {
	p := Process{Activity: Stopped, Restarts: -1}
	links, err := filepath.Glob(u.path("/etc/rc[2-5].d", "S[0-9][0-9]"+name))
	if err != nil {
		return p, err
	}
	p.Enabled = len(links) > 0
	_, err = u.run(ctx, "service", name, "status")
	var exit *exec.ExitError
	switch {
	case err == nil:
		p.Activity, p.PID = Running, u.scriptPID(name)
	case !errors.As(err, &exit):
		return p, err
	case exit.ExitCode() == lsbDeadWithPID || exit.ExitCode() == lsbDeadWithLock:
		p.Activity = Failed
	case exit.ExitCode() != lsbStopped:
		return p, err
	}
	return p, nil
}

// pidFile is how the scripts of Hadoop's and ZooKeeper's packages name the file with the number of
// their process.
var pidFile = regexp.MustCompile(`(?m)^\s*(?:export\s+)?[A-Z]*PIDFILE=["']?(?:\$\{[A-Z]*PIDFILE:-)?(/[A-Za-z0-9/._-]+)`)

// scriptPID is the number of a script's process, or 0 where the script does not say it.
func (u *Upstart) scriptPID(name string) int {
	text, err := readBounded(u.path("/etc/init.d", name), 1<<20)
	if err != nil {
		return 0
	}
	m := pidFile.FindSubmatch(text)
	if m == nil {
		return 0
	}
	number, err := readBounded(u.path(string(m[1])), 64)
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(number)))
	return pid
}

// Start starts services that don't run. Jobs are not waited for.
func (u *Upstart) Start(ctx context.Context, names []string) error {
	states, err := u.States(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names { // in this order
		if a := states[name].Activity; a == Running || a == Starting {
			continue
		}
		argv := []string{"service", name, "start"}
		if u.isJob(name) {
			argv = []string{"initctl", "start", "--no-wait", name}
		}
		if _, err := u.run(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

// Restart stops and starts one service. `initctl restart` would go on with the
// job as it was read when the service started.
func (u *Upstart) Restart(ctx context.Context, name string) error {
	if !u.isJob(name) {
		_, err := u.run(ctx, "service", name, "restart")
		return err
	}
	p, err := u.jobState(ctx, name)
	if err != nil {
		return err
	}
	if p.Activity == Running || p.Activity == Starting {
		if _, err := u.run(ctx, "initctl", "stop", name); err != nil {
			return err
		}
	}
	_, err = u.run(ctx, "initctl", "start", "--no-wait", name)
	return err
}

// Stop stops services and keeps them from starting at the next boot.
func (u *Upstart) Stop(ctx context.Context, names []string) error {
	states, err := u.States(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		p, job := states[name], u.isJob(name)
		if p.Enabled {
			if err := u.disable(ctx, name, job); err != nil {
				return err
			}
		}
		if p.Activity != Running && p.Activity != Starting {
			continue
		}
		argv := []string{"service", name, "stop"}
		if job {
			argv = []string{"initctl", "stop", name}
		}
		if _, err := u.run(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

func (u *Upstart) disable(ctx context.Context, name string, job bool) error {
	if !job {
		_, err := u.run(ctx, "update-rc.d", name, "disable")
		return err
	}
	override := u.path("/etc/init", name+".override")
	old, err := readBounded(override, 1<<16)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = write(owned{path: override, content: append(old, "manual\n"...), mode: 0o644, uid: os.Getuid(), gid: os.Getgid()})
	return err
}
