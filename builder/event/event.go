package event

import (
	"sync"
	"time"
)

// Kind says what an Event reports.
type Kind string

// The kinds of events, in the order in which a step goes through them.
const (
	StepStart Kind = "start"    // a step began to run
	StepHit   Kind = "hit"      // a stored result was used
	StepDone  Kind = "done"     // a step ran and its result is stored
	StepFail  Kind = "fail"     // a step failed; Err says why
	Phase     Kind = "phase"    // a step entered a named phase, such as "unpack"
	Progress  Kind = "progress" // Done of Total Units are finished; without a Step, steps of the whole run
	Log       Kind = "log"      // a line of output of a program that a step runs
	Warning   Kind = "warning"  // something a person should read; the build goes on
)

// Event is one thing that happened. Fields that do not fit its Kind are zero.
type Event struct {
	Time     time.Time     `json:"time"`
	Kind     Kind          `json:"kind"`
	Step     string        `json:"step,omitempty"`
	Message  string        `json:"message,omitempty"`
	Done     int64         `json:"done,omitempty"`
	Total    int64         `json:"total,omitempty"` // 0: not known
	Unit     string        `json:"unit,omitempty"`  // "bytes", "packages", "files"
	Duration time.Duration `json:"duration_ns,omitempty"`
	Err      string        `json:"error,omitempty"`
}

// Sink takes events. It is safe for use by several goroutines at once.
type Sink interface {
	Emit(Event)
}

// Func makes a Sink of a function. The function is called by several goroutines at once.
type Func func(Event)

// Emit calls f.
func (f Func) Emit(e Event) { f(e) }

// Discard is a Sink that drops everything.
var Discard Sink = Func(func(Event) {})

// ForStep returns a Sink that fills in Step and Time and hands each event on to s.
func ForStep(s Sink, step string) Sink {
	return Func(func(e Event) {
		e.Step = step
		if e.Time.IsZero() {
			e.Time = time.Now()
		}
		s.Emit(e)
	})
}

// Recorder keeps every event, for tests and for the report.
type Recorder struct {
	mu     sync.Mutex
	events []Event
}

// Emit keeps e.
func (r *Recorder) Emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Events returns a copy of what was kept, in order of arrival.
func (r *Recorder) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}

// Tee returns a Sink that hands each event to every one of sinks.
func Tee(sinks ...Sink) Sink {
	return Func(func(e Event) {
		for _, s := range sinks {
			s.Emit(e)
		}
	})
}

// Serial returns a Sink that hands events on to s one at a time.
func Serial(s Sink) Sink {
	var mu sync.Mutex
	return Func(func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		s.Emit(e)
	})
}
