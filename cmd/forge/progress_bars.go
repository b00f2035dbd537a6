package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/mesos-forge/forge/builder/event"
)

// minBar is the narrowest bar that says anything, in columns. Where less is left there is none.
const minBar = 12

// margin is what a row leaves empty at the right: Ctrl-C is echoed at the cursor and shifts a row by two.
const margin = 3

// bars shows a line for each running step and one for all of them at the bottom of a terminal; what
// stays (finished steps, warnings) scrolls by above. Hits are counted, not listed.
//
// The library draws on its own goroutines, which take the mutex of a row. So a row's mutex is never
// held while the library is called.
type bars struct {
	w      io.Writer
	colour bool

	mu     sync.Mutex // orders events, and what they make the library do
	screen *mpb.Progress
	all    *row
	rows   map[string]*row // of running steps
}

// newBars draws on w, from the first event on.
func newBars(w io.Writer, colour bool) *bars {
	return &bars{w: w, colour: colour, rows: map[string]*row{}}
}

// Emit shows e.
func (b *bars) Emit(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.screen == nil {
		b.screen = mpb.New(mpb.WithOutput(b.w))
	}
	r := b.rows[e.Step]
	switch e.Kind {
	case event.StepStart:
		if r = b.add(e.Step, 0); r != nil {
			b.rows[e.Step] = r
		}
	case event.Phase:
		r.set(func() { r.phase, r.done, r.total = oneLine(e.Message), 0, 0 })
	case event.Progress:
		if e.Step == "" && e.Unit == "steps" {
			if b.all == nil {
				b.all = b.add("", math.MaxInt)
			}
			r = b.all
		}
		r.set(func() { r.done, r.total, r.unit = e.Done, e.Total, e.Unit })
	case event.Log:
		if r == nil {
			b.say(e)
		}
	case event.StepHit:
		b.finished()
	case event.StepDone, event.StepFail:
		b.say(e)
		b.finished()
		if r != nil {
			r.bar.Abort(true)
			delete(b.rows, e.Step)
		}
	case event.Warning:
		b.say(e)
	}
}

// finished counts a step.
func (b *bars) finished() {
	b.all.set(func() { b.all.done++ })
}

// say writes a line that stays.
func (b *bars) say(e event.Event) {
	line := said(e)
	if code := map[event.Kind]string{event.StepDone: "32", event.StepFail: "31", event.Warning: "33"}[e.Kind]; b.colour && code != "" {
		line = "\x1b[" + code + "m" + line + "\x1b[0m"
	}
	fmt.Fprintln(b.screen, line)
}

// end clears the rows of steps that did not end, such as those that a failure has cancelled, and gives
// the terminal back.
func (b *bars) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.screen == nil {
		return
	}
	for _, r := range b.rows {
		r.bar.Abort(true)
	}
	if b.all != nil {
		b.all.bar.Abort(true)
	}
	b.screen.Wait()
	b.screen, b.all = nil, nil
	clear(b.rows)
}

// row is what one line shows. A nil row shows nothing.
type row struct {
	name    string // "" for the line of all steps
	started time.Time
	bar     *mpb.Bar

	mu          sync.Mutex
	phase       string
	done, total int64
	unit        string
}

// add puts a row on the screen. It is nil if the screen is gone, as it is after an error of the terminal.
func (b *bars) add(name string, priority int) *row {
	r := &row{name: name, started: time.Now()}
	options := []mpb.BarOption{mpb.BarFillerTrim(), mpb.PrependDecorators(decor.Any(r.text))}
	if priority != 0 {
		options = append(options, mpb.BarPriority(priority))
	}
	style := mpb.BarStyle().Build()
	bar, err := b.screen.Add(0, mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error { return r.fill(w, s, style) }), options...)
	if err != nil {
		return nil
	}
	r.bar = bar
	return r
}

func (r *row) set(change func()) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// text is the row without its bar, no wider than the terminal.
func (r *row) text(s decor.Statistics) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	elapsed := time.Since(r.started).Round(time.Second).String()
	width := s.AvailableWidth - margin
	if r.name == "" {
		return cut(fmt.Sprintf("%d of %d steps, %s ", r.done, r.total, elapsed), width)
	}
	text := r.phase
	if done := amount(r.done, r.total, r.unit); done != "" {
		text = strings.TrimSpace(text + " " + done)
	}
	if width < 64+minBar {
		return cut(fmt.Sprintf("  %s %s %s", r.name, elapsed, text), width)
	}
	text = fmt.Sprintf("  %-24s %6s  %s", r.name, elapsed, text)
	if r.total > 0 {
		text = fmt.Sprintf("%-64s ", text) // bars begin below each other
	}
	return cut(text, width)
}

func cut(text string, width int) string {
	if r := []rune(text); len(r) > max(width, 0) {
		return string(r[:max(width, 0)])
	}
	return text
}

// fill draws the bar into what the text has left.
func (r *row) fill(w io.Writer, s decor.Statistics, style mpb.BarFiller) error {
	r.mu.Lock()
	s.Current, s.Total = min(r.done, r.total), r.total
	r.mu.Unlock()
	s.AvailableWidth = min(s.AvailableWidth-margin, 40)
	if s.Total <= 0 || s.AvailableWidth < minBar {
		return nil
	}
	return style.Fill(w, s)
}
