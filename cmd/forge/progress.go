package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/mesos-forge/forge/builder/event"
)

// newProgress returns where events are shown: as bars if w is a terminal and how is "auto", else as
// lines. endProgress must be called before anything else is written to the terminal.
func newProgress(how string, quiet bool, w *os.File) (event.Sink, error) {
	var sink event.Sink
	switch how {
	case "auto":
		if sink = (&lines{w: w}); term.IsTerminal(int(w.Fd())) && os.Getenv("TERM") != "dumb" {
			sink = newBars(w, os.Getenv("NO_COLOR") == "")
		}
	case "plain":
		sink = &lines{w: w}
	case "json":
		enc := json.NewEncoder(w)
		sink = event.Serial(event.Func(func(e event.Event) { _ = enc.Encode(e) }))
	default:
		return nil, usageError{fmt.Errorf("--progress %s: want auto, plain or json", how)}
	}
	if quiet {
		sink = event.Discard
	}
	return sink, nil
}

// endProgress takes the bars from the terminal.
func endProgress(s event.Sink) {
	if b, ok := s.(*bars); ok {
		b.end()
	}
}

// lines shows events as lines of text that never change: for logs.
type lines struct {
	w io.Writer

	mu      sync.Mutex
	running map[string]bool
}

// Emit writes the line of e, if it has one.
func (l *lines) Emit(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.running = map[string]bool{}
	}
	line := ""
	switch e.Kind {
	case event.StepStart:
		l.running[e.Step] = true
		line = "start " + e.Step
	case event.Log:
		if !l.running[e.Step] { // else it is what a program says, kept in the step's log
			line = said(e)
		}
	default:
		line = said(e)
	}
	if line != "" {
		fmt.Fprintln(l.w, line)
	}
	if e.Kind == event.StepDone || e.Kind == event.StepFail {
		delete(l.running, e.Step)
	}
}

// said is the line that stays of an event, in bars as in lines. Why a step failed is not in it: the
// command's error says that, once.
func said(e event.Event) string {
	switch e.Kind {
	case event.StepHit:
		return "hit   " + e.Step
	case event.StepDone:
		return fmt.Sprintf("done  %-28s %s", e.Step, e.Duration.Round(100*time.Millisecond))
	case event.StepFail:
		return fmt.Sprintf("fail  %-28s %s", e.Step, e.Duration.Round(100*time.Millisecond))
	case event.Warning:
		return "warning: " + of(e) + oneLine(e.Message)
	case event.Log:
		return "note: " + of(e) + oneLine(e.Message)
	}
	return ""
}

func of(e event.Event) string {
	if e.Step == "" {
		return ""
	}
	return e.Step + ": "
}

// oneLine takes out what would move the cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
}

// amount says how much of a step's work is done: "12/80 MiB", "3/7 files", "".
func amount(done, total int64, unit string) string {
	if unit == "bytes" {
		done, total, unit = done>>20, total>>20, "MiB"
	}
	switch {
	case total > 0:
		return fmt.Sprintf("%d/%d %s", done, total, unit)
	case done > 0:
		return fmt.Sprintf("%d %s", done, unit)
	}
	return ""
}
