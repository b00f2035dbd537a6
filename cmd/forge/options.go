package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

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
	if sig := syscall.Signal(code - 128); done && sig > 0 && sig != syscall.SIGINT { // which it ends with by itself
		fmt.Fprintf(os.Stderr, "forge: killed by signal %d (%v), by hand or for want of memory; what was finished is kept for the next run\n", int(sig), sig)
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
