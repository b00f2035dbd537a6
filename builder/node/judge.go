package node

import (
	"fmt"
	"slices"
)

// flapping is the number of restarts from which a service that is not stable
// counts as failed, unless it waits for a peer.
const flapping = 3

// judge says which level a status is, and adds to Errors and Pending why it is
// not a higher one.
func (s *Status) judge(starting bool) Level {
	s.tellNotUp()
	for _, svc := range s.Services {
		s.Errors = append(s.Errors, svc.unmended(starting)...)
		problem, fatal := svc.problem()
		switch {
		case svc.firstStart:
			s.Pending = append(s.Pending, svc.Name+" waits for its first start")
		case problem == "":
		case fatal && !starting:
			s.Errors = append(s.Errors, svc.Name+" "+problem)
		default:
			s.Pending = append(s.Pending, svc.Name+" "+problem)
			starting = true
		}
	}
	if len(s.Errors) > 0 {
		return LevelFailed
	}
	if starting {
		return LevelStarting
	}
	for _, svc := range s.Services {
		for _, p := range svc.Ports {
			if !p.Listening {
				s.Pending = append(s.Pending, fmt.Sprintf("%s does not listen on its %s port %d", svc.Name, p.Name, p.Number))
			}
		}
		for _, h := range svc.Health {
			if !h.OK {
				s.Pending = append(s.Pending, fmt.Sprintf("%s: %s: %s", svc.Name, h.Name, h.Message))
			}
		}
	}
	if len(s.Pending) > 0 || len(s.Waits) > 0 {
		return LevelConfigured
	}
	return LevelInRole
}

// unmended are the failed checks that no waiting mends. What a service can't do while forge-node
// still works, or while a peer is silent, may come.
func (svc *ServiceStatus) unmended(starting bool) []string {
	var all []string
	for _, h := range svc.Health {
		if h.Fatal && !starting && len(svc.Waits) == 0 {
			all = append(all, fmt.Sprintf("%s: %s: %s", svc.Name, h.Name, h.Message))
		}
	}
	return all
}

// tellNotUp names services that were not up in time, unless they are by now.
func (s *Status) tellNotUp() {
	for _, late := range s.notUp {
		i := slices.IndexFunc(s.Services, func(svc ServiceStatus) bool { return svc.Name == late.Name })
		if i >= 0 && !s.Services[i].healthy() {
			s.Pending = append(s.Pending, late.String())
		}
	}
}

// healthy tells whether a service listens on all its ports and passes all its checks.
func (svc *ServiceStatus) healthy() bool {
	return svc.State == Running &&
		!slices.ContainsFunc(svc.Ports, func(p PortStatus) bool { return !p.Listening }) &&
		!slices.ContainsFunc(svc.Health, func(c CheckStatus) bool { return !c.OK })
}

// problem is what keeps one service from being configured, and whether waiting
// does not mend it.
func (svc *ServiceStatus) problem() (what string, fatal bool) {
	switch {
	case svc.State == Missing:
		return "has no unit", true
	case svc.State == Failed || svc.State == Stopped:
		return "is " + string(svc.State), true
	case svc.WantUser != "" && svc.User != "" && svc.User != svc.WantUser:
		return fmt.Sprintf("runs as %s, not as %s", svc.User, svc.WantUser), true
	case !svc.Stable && svc.Restarts >= flapping && len(svc.Waits) == 0:
		return fmt.Sprintf("ends again and again (%d restarts): see forge-node log, or journalctl -u %s", svc.Restarts, svc.Name), true
	case !svc.Stable && svc.Restarts >= flapping:
		return fmt.Sprintf("ends again and again (%d restarts) while its peers don't answer", svc.Restarts), false
	case !svc.Stable:
		return "has only just started", false
	}
	return "", false
}
