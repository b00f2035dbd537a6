package node

import (
	"fmt"
	"strings"
)

// Describe is the status for people, in lines.
func (s *Status) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "node %s (%s), role %s, cluster %s: %s\n", unknown(s.Node), unknown(s.Address), unknown(s.Role), unknown(s.Cluster), s.Level)
	for _, svc := range s.Services {
		fmt.Fprintf(&b, "  %-36s %s", svc.Name, svc.State)
		if svc.PID > 0 {
			fmt.Fprintf(&b, " as %s, pid %d, since %s", unknown(svc.User), svc.PID, svc.Since)
		}
		for _, list := range []struct {
			title string
			items []string
		}{{"listens on", svc.ports(true)}, {"not yet on", svc.ports(false)}, {"waits for", svc.Waits}} {
			if len(list.items) > 0 {
				fmt.Fprintf(&b, "\n    %s %s", list.title, strings.Join(list.items, ", "))
			}
		}
		b.WriteString("\n")
	}
	for _, list := range []struct {
		title string
		items []string
	}{{"error", s.Errors}, {"pending", s.Pending}, {"warning", s.Warnings}, {"stand-in, not the real software", s.Standins}} {
		for _, item := range list.items {
			fmt.Fprintf(&b, "%s: %s\n", list.title, item)
		}
	}
	return b.String()
}

// ports are those that listen, or those that don't: "data 50010".
func (svc *ServiceStatus) ports(listening bool) []string {
	var out []string
	for _, p := range svc.Ports {
		if p.Listening == listening {
			out = append(out, fmt.Sprintf("%s %d", p.Name, p.Number))
		}
	}
	return out
}

func unknown(s string) string { return or(s, "?") }
