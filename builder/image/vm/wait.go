package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/node"
)

const (
	pollEvery = 2 * time.Second
	// patientFailures is how many answers in a row must say "failed": a service may be seen between
	// two starts.
	patientFailures = 3
	consoleLines    = 25
	briefItems      = 3 // of each list, in progress
)

// WaitError says that a machine did not reach a level, and all that is known of why.
type WaitError struct {
	Name    string
	Want    node.Level
	After   time.Duration // since the start of the machine
	Last    *node.Status  // the agent's last answer; nil: it never answered
	Err     error         // what ended the waiting
	Console []string      // the console's last lines
	Log     string        // the file with the whole console
}

func (e *WaitError) Unwrap() error { return e.Err }

func (e *WaitError) Error() string {
	var b strings.Builder
	why := e.Err.Error()
	if errors.Is(e.Err, context.DeadlineExceeded) {
		why = "the time is over; give it more (emulated machines are slow), or look below for what it waits for"
	}
	fmt.Fprintf(&b, "machine %s is not %s after %v: %s\n", e.Name, e.Want, e.After.Round(time.Second), why)
	if e.Last == nil {
		b.WriteString("the node's agent never answered\n")
	} else {
		fmt.Fprintf(&b, "the node's last answer: %s\n", summary(e.Last, len(e.Last.Waits)+len(e.Last.Pending)+len(e.Last.Errors)))
	}
	fmt.Fprintf(&b, "the console's last lines (all of it: %s):", e.Log)
	for _, line := range e.Console {
		b.WriteString("\n  | " + line)
	}
	if len(e.Console) == 0 {
		b.WriteString("\n  | (nothing)")
	}
	return b.String()
}

// WaitFor returns the node's status once its level reaches want. It gives up, with a *WaitError, when
// ctx ends, when the machine does, when its boot has come to a dead end, and when the node says that
// it failed.
func (m *Machine) WaitFor(ctx context.Context, want node.Level) (*node.Status, error) {
	ctx, cancel := m.whileRunning(ctx)
	defer cancel(nil)
	go m.watchConsole(ctx, cancel)
	var last *node.Status
	said := ""
	for failures := 0; ; {
		got, err := m.Status(ctx)
		switch {
		case err == nil && got.Level.Reaches(want):
			m.say(&said, got)
			return got, nil
		case err == nil:
			last = got
			m.say(&said, got)
			failures++
			if got.Level != node.LevelFailed {
				failures = 0
			}
			if failures == patientFailures {
				return last, m.waitError(want, last, errors.New("the node says that it failed"))
			}
		case ctx.Err() != nil:
			return last, m.waitError(want, last, context.Cause(ctx))
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
		}
	}
}

// say reports a status that differs from the one before.
func (m *Machine) say(said *string, s *node.Status) {
	if now := summary(s, briefItems); now != *said {
		*said = now
		m.spec.Events.Emit(event.Event{Kind: event.Log, Message: m.spec.Name + ": " + now})
	}
}

func (m *Machine) waitError(want node.Level, last *node.Status, err error) error {
	return &WaitError{
		Name: m.spec.Name, Want: want, After: time.Since(m.started), Last: last, Err: err,
		Console: consoleTail(m.spec.SerialLog, consoleLines), Log: m.spec.SerialLog,
	}
}

// watchConsole ends the waiting when the console shows that the boot can't go on.
func (m *Machine) watchConsole(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if what := deadEnd(m.spec.SerialLog); what != "" {
				cancel(errors.New(what))
				return
			}
		}
	}
}

// summary is a status in one line, with at most so many items of each list.
func summary(s *node.Status, most int) string {
	parts := []string{string(s.Level)}
	if s.Node != "" {
		parts[0] += fmt.Sprintf(", node %s, role %s", s.Node, s.Role)
	}
	for _, list := range []struct {
		title string
		items []string
	}{{"errors", s.Errors}, {"pending", s.Pending}, {"waits for", s.Waits}} {
		shown := list.items[:min(most, len(list.items))]
		if more := len(list.items) - len(shown); more > 0 {
			shown = append(slices.Clone(shown), fmt.Sprintf("and %d more", more))
		}
		if len(shown) > 0 {
			parts = append(parts, list.title+": "+strings.Join(shown, ", "))
		}
	}
	return strings.Join(parts, "; ")
}
