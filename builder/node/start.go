package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/event"
)

const (
	// defaultStart bounds the wait for a service whose manifest says nothing.
	defaultStart = 90 * time.Second
	// allStarts bounds the waits for all services of one run. The time limit of
	// forge-node.service must be longer, by what rendering, formatting and the
	// waits for addresses and disks may take.
	allStarts = 8 * time.Minute
)

// NotUpError says that everything was done, but that services were not healthy
// within their limits. They may have come up since: see [Node.Status].
type NotUpError struct {
	Services []NotUp
}

// NotUp is one service that was not healthy in time.
type NotUp struct {
	Name    string `json:"name"`
	Seconds int    `json:"seconds"` // that were waited
	Why     string `json:"why"`
}

func (n NotUp) String() string {
	return fmt.Sprintf("%s was not up %d s after its start: %s", n.Name, n.Seconds, n.Why)
}

func (e *NotUpError) Error() string {
	var all []string
	for _, s := range e.Services {
		all = append(all, s.String())
	}
	return strings.Join(all, "; ") + " (forge-node status says how it is now)"
}

// starter starts the services of a node, one after the other.
type starter struct {
	*Node
	r      *Resolved
	s      *state
	acc    *accounts
	sink   event.Sink
	absent []absentMount
	waits  map[string][]string // by service, silent peers when first asked
	down   map[int]bool        // ports of services that did not come up in this run
	until  time.Time           // the end of all waiting
	notUp  []NotUp
	later  []waitingService
}

// runServices stops what doesn't belong here, initialises, and starts what does.
// A service that can't be started doesn't keep the others from it.
//
// A service restarts if it runs with a configuration other than the one that
// its record says; the record is written after the restart, so that a killed
// run repeats it.
func (st *starter) runServices(ctx context.Context) error {
	n, rendering := st.Node, st.r.Rendering
	if n.Supervisor == nil {
		return fmt.Errorf("neither systemd, upstart nor runit is here, so no service can run: install runit, or use forge-node render")
	}
	if err := n.Supervisor.Reload(ctx, rendering.Services); err != nil {
		return err
	}
	if err := n.Supervisor.Stop(ctx, rendering.Others); err != nil {
		return fmt.Errorf("stop the services of other roles: %w", err)
	}
	states, err := n.Supervisor.States(ctx, st.r.Data().Services)
	if err != nil {
		return err
	}
	st.waits = n.silentPeers(ctx, &rendering.Data.Derived, rendering.Services, nil)
	st.until = n.Now().Add(allStarts)
	var problems []error
	for _, svc := range rendering.Services {
		if err := st.bringUp(ctx, svc, states[svc.Name]); err != nil && !st.postpone(svc, err) {
			problems = append(problems, err)
			st.log("%v", err)
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(problems, fmt.Errorf("ended before its work was done: %w", err))...)
		}
	}
	if err := st.bringUpLater(ctx); err != nil {
		problems = append(problems, err)
	}
	for name := range st.s.Started {
		if !slices.Contains(st.r.Data().Services, name) {
			delete(st.s.Started, name)
		}
	}
	if len(st.notUp) > 0 {
		problems = append(problems, &NotUpError{st.notUp})
	}
	return errors.Join(append(problems, n.saveState(st.s))...)
}

func (st *starter) log(format string, args ...any) {
	st.sink.Emit(event.Event{Kind: event.Log, Message: fmt.Sprintf(format, args...)})
}

// bringUp initialises one service, starts it, and waits until it is healthy.
func (st *starter) bringUp(ctx context.Context, svc RenderedService, now Process) error {
	if a := st.missingBelow(svc); a != nil {
		return fmt.Errorf("%s is not started: %s of it needs the file system on %s, which is not there", svc.Name, a.needs, a.path)
	}
	if err := st.initialise(ctx, st.s, svc, &st.r.Rendering.Data.Derived, st.acc); err != nil {
		return err
	}
	old, err := st.start(ctx, svc, now, st.s.Started[svc.Name])
	if err != nil {
		return fmt.Errorf("start %s: %w", svc.Name, err)
	}
	st.s.Started[svc.Name] = svc.Config
	if err := st.saveState(st.s); err != nil {
		return err
	}
	up, err := st.awaitHealth(ctx, svc, old)
	for _, port := range svc.PortOf {
		st.down[port] = !up
	}
	return err
}

// start starts or restarts a service, or leaves it alone. It returns the
// process that a restart replaces.
func (st *starter) start(ctx context.Context, svc RenderedService, now Process, started string) (old int, err error) {
	if now.Activity == Missing && st.Container {
		now.Activity = Stopped // runit knows what was started once
	}
	switch now.Activity {
	case Missing:
		return 0, fmt.Errorf("its unit does not exist: is the package of component %s installed whole?", svc.Component)
	case Running, Starting:
		if started == svc.Config {
			return 0, nil
		}
		st.log("restart %s: its configuration changed", svc.Name)
		st.changes("restart " + svc.Name)
		return now.PID, st.Supervisor.Restart(ctx, svc.Name)
	default:
		st.log("start %s", svc.Name)
		st.changes("start " + svc.Name)
		return 0, st.Supervisor.Start(ctx, []string{svc.Name})
	}
}

// awaitHealth waits until a service listens on its ports and passes its checks.
// While its peers are silent it can't, so nothing is waited for. The old process
// of a service that restarts says nothing.
func (st *starter) awaitHealth(ctx context.Context, svc RenderedService, old int) (up bool, err error) {
	begin := st.Now()
	limit := time.Duration(svc.StartSeconds) * time.Second
	if limit == 0 {
		limit = defaultStart
	}
	end := begin.Add(min(limit, max(0, st.until.Sub(begin))))
	for {
		if st.waitsForPeers(ctx, svc, false) { // asked first: the supervisor takes a second on a slow machine
			return false, nil
		}
		why, final, err := st.unhealthy(ctx, svc, old)
		if err != nil || why == "" {
			return err == nil, err
		}
		now := st.Now()
		if final || !now.Before(end) {
			if !st.waitsForPeers(ctx, svc, true) { // they may have gone since
				late := NotUp{Name: svc.Name, Seconds: int(now.Sub(begin).Seconds()), Why: why}
				st.notUp = append(st.notUp, late)
				st.log("%s", late)
			}
			return false, nil
		}
		if err := st.Sleep(ctx, time.Second); err != nil {
			return false, err
		}
	}
}

// waitsForPeers tells whether peers of a service are silent, and says which. As
// each silence takes seconds, they are only asked again if that is wanted, or if
// one that was silent has an end on this node: that may have been started since.
func (st *starter) waitsForPeers(ctx context.Context, svc RenderedService, again bool) bool {
	d := &st.r.Rendering.Data.Derived
	if again || len(st.waits[svc.Name]) > 0 && hasEndHere(d, svc) {
		st.waits[svc.Name] = st.silentPeers(ctx, d, []RenderedService{svc}, st.down)[svc.Name]
	}
	silent := st.waits[svc.Name]
	if len(silent) > 0 {
		st.log("%s waits for %s", svc.Name, strings.Join(silent, ", "))
	}
	return len(silent) > 0
}

// unhealthy says why a service is not up, or ""; final: waiting is no use.
func (st *starter) unhealthy(ctx context.Context, svc RenderedService, old int) (why string, final bool, err error) {
	states, err := st.Supervisor.States(ctx, []string{svc.Name})
	if err != nil {
		return "", false, err
	}
	p := states[svc.Name]
	if p.Activity != Running {
		return "it is " + string(p.Activity), p.Activity == Failed || p.Activity == Missing, nil
	}
	if p.PID == old && old != 0 {
		return "its old process has not ended", false, nil
	}
	listeners, err := st.Listeners()
	if err != nil {
		return "", false, err
	}
	for _, port := range svc.ports(listeners) {
		if !port.Listening {
			return fmt.Sprintf("it does not listen on its %s port %d", port.Name, port.Number), false, nil
		}
	}
	host := st.localHost(st.r)
	for _, c := range svc.Health {
		if err := st.check(ctx, svc, c, host); err != nil {
			return fmt.Sprintf("%s: %v", c.Name, err), c.Fatal, nil
		}
	}
	return "", false, nil
}
