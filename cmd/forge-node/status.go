package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

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
	} else if _, err := fmt.Fprint(p.stdout, s.Describe()); err != nil {
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
