package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/sandbox"
)

// exitStatus carries the status of the inner forge, which has said everything already.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// enter goes on in private namespaces: the error is an exitStatus in the outer process.
func enter() error {
	code, done, err := sandbox.Enter(sandbox.Entry{})
	if err != nil {
		return err
	}
	if done && code != 0 {
		return exitStatus(code)
	}
	if done {
		os.Exit(0)
	}
	return nil
}

func options(v *viper.Viper) (builder.Options, error) {
	o := builder.Options{Stack: v.GetString("stack"), Roles: v.GetStringSlice("role"), Jobs: v.GetInt("jobs"),
		Refresh: v.GetBool("refresh"), Offline: v.GetBool("offline"), Epoch: epoch}
	if o.Jobs < 0 {
		return o, usageError{fmt.Errorf("--jobs %d: want a number from 1 on", o.Jobs)}
	}
	if out := v.GetString("output"); out != "text" && out != "json" {
		return o, usageError{fmt.Errorf("--output %s: want text or json", out)}
	}
	var err error
	for _, p := range []struct {
		name string
		to   *string
	}{{"checkout", &o.Checkout}, {"store", &o.Store}, {"out", &o.Out}, {"vendor", &o.Vendor}} {
		if *p.to, err = filepath.Abs(v.GetString(p.name)); err != nil {
			return o, fmt.Errorf("--%s: %w", p.name, err)
		}
	}
	switch v.GetString("progress") {
	case "plain":
		o.Sink = event.Func(plain)
	case "json":
		enc := json.NewEncoder(os.Stderr)
		o.Sink = event.Serial(event.Func(func(e event.Event) { _ = enc.Encode(e) }))
	default:
		return o, usageError{fmt.Errorf("--progress %s: want plain or json", v.GetString("progress"))}
	}
	if v.GetBool("quiet") {
		o.Sink = event.Discard
	}
	return o, nil
}

// epoch is the time of everything in the results until a stack's lock carries a date of its own.
var epoch = time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC)

func plain(e event.Event) {
	switch e.Kind {
	case event.StepDone:
		fmt.Fprintf(os.Stderr, "done  %-28s %s\n", e.Step, e.Duration.Round(100*time.Millisecond))
	case event.StepStart:
		fmt.Fprintf(os.Stderr, "start %s\n", e.Step)
	case event.Warning:
		fmt.Fprintf(os.Stderr, "warning: %s: %s\n", e.Step, e.Message)
	}
}

func buildCommand(v *viper.Viper) *cobra.Command {
	return &cobra.Command{Use: "build", Short: "Build packages, container images and disks of roles", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			started := time.Now()
			opt, err := options(v)
			if err != nil {
				return err
			}
			if err := enter(); err != nil {
				return err
			}
			b, err := builder.New(opt)
			if err != nil {
				return err
			}
			defer b.Close()
			res, err := b.Build(cmd.Context())
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(res)
			}
			w := cmd.OutOrStdout()
			for _, r := range res.Roles {
				fmt.Fprintf(w, "role %s\n", r.Role)
				for _, d := range r.Debs {
					fmt.Fprintf(w, "  package  %s\n", filepath.Join(opt.Out, d))
				}
				fmt.Fprintf(w, "  image    %s  %s\n", filepath.Join(opt.Out, r.Image), r.Digest)
				fmt.Fprintf(w, "  disk     %s\n", filepath.Join(opt.Out, r.Disk))
				if len(r.StandIns) > 0 {
					fmt.Fprintf(w, "  stand-in %s (put the real package into %s)\n", strings.Join(r.StandIns, ", "), opt.Vendor)
				}
			}
			if res.Ran == 0 {
				fmt.Fprintf(w, "nothing had to be done: %d steps were up to date, %s\n", res.Hits, time.Since(started).Round(time.Millisecond))
			} else {
				fmt.Fprintf(w, "%d steps ran, %d were up to date, %s\n", res.Ran, res.Hits, time.Since(started).Round(100*time.Millisecond))
			}
			fmt.Fprintln(w, "next: forge load --role ROLE puts an image into the local engine")
			return nil
		}}
}

func planCommand(v *viper.Viper) *cobra.Command {
	return &cobra.Command{Use: "plan", Short: "Show which steps a build would run, and why", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := options(v)
			if err != nil {
				return err
			}
			b, err := builder.New(opt)
			if err != nil {
				return err
			}
			defer b.Close()
			plan, err := b.Plan()
			if err != nil {
				return err
			}
			if v.GetString("output") == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(plan)
			}
			for _, p := range plan {
				fmt.Fprintf(cmd.OutOrStdout(), "%-8s%-28s%s\n", p.State, p.Step, strings.Join(p.Reasons, "; "))
			}
			return nil
		}}
}
