package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"

	"github.com/mesos-forge/forge/builder/node"
)

func (p *program) status(ctx context.Context, args []string) (int, error) {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print JSON")
	level := flags.String("level", string(node.LevelInRole), "exit with 0 from this level on: configured or in-role")
	if err := p.parse(flags, args, 0); err != nil {
		return 0, err
	}
	want := node.Level(*level)
	if want != node.LevelConfigured && want != node.LevelInRole {
		return 0, usageError{fmt.Sprintf("unknown level %q; there are: configured, in-role", *level)}
	}
	s := p.node.Status(ctx)
	if *asJSON {
		if err := json.NewEncoder(p.stdout).Encode(s); err != nil {
			return 0, err
		}
	} else if _, err := fmt.Fprint(p.stdout, describe(s)); err != nil {
		return 0, err
	}
	return exitStatus(s.Level, want), nil
}

func exitStatus(level, want node.Level) int {
	switch {
	case level.Reaches(want):
		return exitOK
	case level == node.LevelConfigured:
		return exitWaiting
	}
	return exitFailed
}

// describe is a status for people.
func describe(s *node.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "node %s (%s), role %s, cluster %s: %s\n", unknown(s.Node), unknown(s.Address), unknown(s.Role), unknown(s.Cluster), s.Level)
	for _, svc := range s.Services {
		fmt.Fprintf(&b, "  %-36s %s", svc.Name, svc.State)
		if svc.PID > 0 {
			fmt.Fprintf(&b, " as %s, pid %d, since %s", unknown(svc.User), svc.PID, svc.Since)
		}
		if len(svc.Waits) > 0 {
			fmt.Fprintf(&b, ", waits for %s", strings.Join(svc.Waits, ", "))
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

func unknown(s string) string {
	if s == "" {
		return "?"
	}
	return s
}
