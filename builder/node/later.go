package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// retryPause is between two attempts to begin what waits for peers.
	retryPause = 2 * time.Second
	// laterWait is how long a run waits for silent peers. They may be booted hours later, and somebody
	// waits for this machine's boot; what is left is [Node.Apply]'s the next time.
	laterWait = time.Minute
)

// WaitingError says that everything was done but the first start of services
// whose one-time steps wait for peers. The next [Node.Apply] goes on with them.
type WaitingError struct {
	Services []Waiting
}

// Waiting is one service that waits for its first start.
type Waiting struct {
	Name string   `json:"name"`
	Step string   `json:"step"` // SERVICE/STEP that can't be done yet
	For  []string `json:"for"`  // the peers: "journalnode 10.162.2.92:8485"
}

func (w Waiting) String() string {
	return fmt.Sprintf("%s waits for its first start: %s needs %s", w.Name, w.Step, strings.Join(w.For, ", "))
}

func (e *WaitingError) Error() string {
	var all []string
	for _, w := range e.Services {
		all = append(all, w.String())
	}
	return strings.Join(all, "; ")
}

// waitingService is a service whose one-time step could not be done in this run so far.
type waitingService struct {
	RenderedService
	err *initError
}

// postpone takes a service that may come up once others have; any other error is
// final.
func (st *starter) postpone(svc RenderedService, err error) bool {
	var step *initError
	if !errors.As(err, &step) || !step.again {
		return false
	}
	st.log("%s is started later: %v", svc.Name, err)
	st.later = append(st.later, waitingService{svc, step})
	return true
}

// bringUpLater tries what was postponed until all of it is up, nothing but silence
// keeps it down for a while, or the time of the run is over. It returns what is
// wrong then, a *WaitingError for silent peers.
func (st *starter) bringUpLater(ctx context.Context) error {
	var problems []error
	quiet := st.Now().Add(laterWait)
	for len(st.later) > 0 && st.Now().Before(st.until) && (st.Now().Before(quiet) || st.failing()) {
		if err := st.Sleep(ctx, retryPause); err != nil {
			return errors.Join(append(problems, fmt.Errorf("ended before its work was done: %w", err))...)
		}
		again := st.later
		st.later = nil
		for _, w := range again {
			st.waits[w.Name] = st.silentPeers(ctx, &st.r.Rendering.Data.Derived, []RenderedService{w.RenderedService}, st.down)[w.Name]
			err := st.bringUp(ctx, w.RenderedService, Process{Activity: Stopped})
			if err == nil {
				continue
			}
			var step *initError
			if !errors.As(err, &step) || !step.again {
				problems = append(problems, err)
				st.log("%v", err)
				continue
			}
			if step.Error() != w.err.Error() {
				st.log("%s is started later: %v", w.Name, err)
			}
			st.later = append(st.later, waitingService{w.RenderedService, step})
		}
	}
	return errors.Join(append(problems, st.stillWaiting()...)...)
}

// failing tells whether a step that was postponed has peers that answer, and fails.
func (st *starter) failing() bool {
	return slices.ContainsFunc(st.later, func(w waitingService) bool { return !errors.As(w.err, new(*peersError)) })
}

func (st *starter) stillWaiting() []error {
	var problems []error
	waiting := &WaitingError{}
	for _, w := range st.later {
		var peers *peersError
		if errors.As(w.err, &peers) {
			waiting.Services = append(waiting.Services, Waiting{Name: w.Name, Step: w.err.key, For: peers.silent})
		} else {
			problems = append(problems, w.err)
		}
	}
	if len(waiting.Services) > 0 {
		problems = append(problems, waiting)
	}
	return problems
}

// waitingFor returns what a service waits for before its first start.
func waitingFor(all []Waiting, name string) *Waiting {
	if i := slices.IndexFunc(all, func(w Waiting) bool { return w.Name == name }); i >= 0 {
		return &all[i]
	}
	return nil
}
