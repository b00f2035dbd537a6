package node

import (
	"context"
	"strconv"
	"strings"
)

// Systemd is the Supervisor of a machine.
//
// Services are enabled for this boot alone (--runtime): at the next one nothing
// starts before forge-node has rendered its configuration.
type Systemd struct {
	Exec func(ctx context.Context, as User, argv []string) ([]byte, error)
}

var _ Supervisor = (*Systemd)(nil)

func (s *Systemd) systemctl(ctx context.Context, args ...string) ([]byte, error) {
	return s.Exec(ctx, User{}, append([]string{"systemctl", "--no-ask-password"}, args...))
}

// Reload makes systemd read its units again if one changed on disk.
func (s *Systemd) Reload(ctx context.Context, services []RenderedService) error {
	if len(services) == 0 {
		return nil
	}
	args := []string{"show", "--property=NeedDaemonReload"}
	for _, svc := range services {
		args = append(args, svc.Name+".service")
	}
	out, err := s.systemctl(ctx, args...)
	if err != nil {
		return err
	}
	if strings.Contains(string(out), "NeedDaemonReload=yes") {
		_, err = s.systemctl(ctx, "daemon-reload")
	}
	return err
}

// States asks systemctl show, once for all services.
func (s *Systemd) States(ctx context.Context, names []string) (map[string]Process, error) {
	states := map[string]Process{}
	if len(names) == 0 {
		return states, nil
	}
	args := []string{"show", "--property=Id,LoadState,ActiveState,SubState,MainPID,NRestarts,UnitFileState,Job"}
	for _, n := range names {
		args = append(args, n+".service")
	}
	out, err := s.systemctl(ctx, args...)
	if err != nil {
		return nil, err
	}
	blocks := strings.Split(strings.TrimSpace(string(out)), "\n\n")
	for i, block := range blocks {
		p := map[string]string{}
		for line := range strings.Lines(block) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			p[k] = v
		}
		name := strings.TrimSuffix(p["Id"], ".service")
		if len(blocks) == len(names) { // an alias would have another Id
			name = names[i]
		}
		states[name] = systemdProcess(p)
	}
	return states, nil
}

func systemdProcess(p map[string]string) Process {
	out := Process{Activity: Stopped}
	out.PID, _ = strconv.Atoi(p["MainPID"])
	out.Restarts, _ = strconv.Atoi(p["NRestarts"])
	out.Enabled = p["UnitFileState"] == "enabled"
	switch {
	case p["LoadState"] == "not-found" || p["LoadState"] == "":
		out.Activity = Missing
	case p["ActiveState"] == "active" && p["SubState"] == "running":
		out.Activity = Running
	case p["Job"] != "" && p["Job"] != "0" && p["ActiveState"] == "inactive": // about to
		out.Activity = Starting
	case p["ActiveState"] == "active" || p["ActiveState"] == "activating" || p["ActiveState"] == "reloading":
		out.Activity = Starting
	case p["ActiveState"] == "failed":
		out.Activity = Failed
	}
	return out
}

// Start enables services for this boot and starts them, without waiting: a
// job that waits for a target this boot has not reached must not hold up the
// others. systemd needs not be reloaded for links that this boot doesn't look at
// any more: each reload would take seconds on a slow machine.
func (s *Systemd) Start(ctx context.Context, names []string) error {
	states, err := s.States(ctx, names)
	if err != nil {
		return err
	}
	var units []string
	for _, n := range names {
		if a := states[n].Activity; a != Running && a != Starting {
			units = append(units, n+".service")
		}
	}
	if len(units) == 0 {
		return nil
	}
	if _, err := s.systemctl(ctx, append([]string{"enable", "--runtime", "--no-reload", "--quiet"}, units...)...); err != nil {
		return err
	}
	for _, u := range units { // in this order
		if _, err := s.systemctl(ctx, "start", "--no-block", u); err != nil {
			return err
		}
	}
	return nil
}

// Restart restarts one service without waiting for it.
func (s *Systemd) Restart(ctx context.Context, name string) error {
	_, err := s.systemctl(ctx, "restart", "--no-block", name+".service")
	return err
}

// Stop disables and stops the services that are enabled or active.
func (s *Systemd) Stop(ctx context.Context, names []string) error {
	states, err := s.States(ctx, names)
	if err != nil {
		return err
	}
	for _, n := range names {
		p := states[n]
		if p.Activity == Missing || (p.Activity == Stopped && !p.Enabled) {
			continue
		}
		if _, err := s.systemctl(ctx, "disable", "--quiet", "--now", n+".service"); err != nil {
			return err
		}
	}
	return nil
}
