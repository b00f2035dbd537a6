package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/store"
)

// Executor runs graphs against a store.
type Executor struct {
	Store   *store.Store
	Sink    event.Sink
	Jobs    int64 // steps that run at the same time; at least 1
	Memory  int64 // MiB that steps which run at the same time may take; at least 1
	Refresh bool  // results with a MaxAge are made again
	Offline bool  // results with a MaxAge are used at any age

	Now func() time.Time // the clock that results age by; nil: the real one
}

// Done is what became of a step.
type Done struct {
	Record
	Hit bool // nothing ran: the stored result was used
}

// Error says which step failed. It is reported once, however many steps it stopped.
type Error struct {
	Step string
	Log  string // path of the step's log; may be empty
	Tail string // the log's last lines
	Err  error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("step %s: %v", e.Step, e.Err)
	if e.Tail != "" && !strings.Contains(s, e.Tail) {
		s += "\nlast lines of its log (" + e.Log + "):\n" + e.Tail
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Execute brings every step of the graph to a result and returns what became of each, by name.
// At the first failure the other steps are cancelled; the error is then an *Error, or ctx's own
// error if that ended the run.
func (x *Executor) Execute(ctx context.Context, g *Graph) (map[string]Done, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := &execution{Executor: x, jobs: semaphore.NewWeighted(max(x.Jobs, 1)), memory: semaphore.NewWeighted(max(x.Memory, 1)), nodes: map[*Step]*node{}}
	for _, s := range g.steps {
		e.nodes[s] = &node{step: s, ready: make(chan struct{})}
	}
	x.Sink.Emit(event.Event{Time: time.Now(), Kind: event.Progress, Total: int64(len(g.steps)), Unit: "steps"})
	var wg sync.WaitGroup
	for _, s := range g.steps {
		wg.Go(func() {
			n := e.nodes[s]
			defer close(n.ready)
			if err := e.bring(ctx, n); err != nil {
				n.err = err
				cancel(err)
			}
		})
	}
	wg.Wait()
	out := map[string]Done{}
	for s, n := range e.nodes {
		if n.err == nil {
			out[s.Name] = n.done
		}
	}
	if err := context.Cause(ctx); err != nil {
		return out, err
	}
	return out, nil
}

type execution struct {
	*Executor
	jobs, memory *semaphore.Weighted
	nodes        map[*Step]*node
}

// node is a step on its way. done and err may be read once ready is closed; mu guards
// done afterwards, when a damaged output makes the step run again.
type node struct {
	step  *Step
	ready chan struct{}
	mu    sync.Mutex
	done  Done
	err   error
}

// bring waits for the needed steps, then uses the stored result of n or makes it.
func (e *execution) bring(ctx context.Context, n *node) error {
	for _, ref := range n.step.Needs {
		select {
		case <-e.nodes[ref.Step].ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if e.nodes[ref.Step].err != nil {
			return e.nodes[ref.Step].err
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	rec, _, err := e.lookup(n.step, e.digests(n.step), nil)
	if err != nil {
		return err
	}
	if rec != nil {
		n.done = Done{Record: *rec, Hit: true}
		if last, ok := e.Store.Last(n.step.Name); !ok || last != rec.Key {
			// Only for the words of a later plan: a full disk must not stop a build that has nothing to do.
			_ = e.Store.SetLast(n.step.Name, rec.Key)
		}
		e.Store.Use(rec.Key)
		e.Sink.Emit(event.Event{Time: time.Now(), Kind: event.StepHit, Step: n.step.Name})
		return nil
	}
	return e.make(ctx, n)
}

// digests returns the digests of the outputs that s needs.
func (e *execution) digests(s *Step) map[string]store.Digest {
	out := map[string]store.Digest{}
	for name, o := range e.outputs(s) {
		out[name] = o.Digest
	}
	return out
}

func (e *execution) outputs(s *Step) map[string]Output {
	out := map[string]Output{}
	for _, ref := range s.Needs {
		n := e.nodes[ref.Step]
		n.mu.Lock()
		out[ref.String()] = n.done.Outputs[ref.Output]
		n.mu.Unlock()
	}
	return out
}

// make runs n's step; n.mu is held. Needed outputs are checked first, and made again where
// the store's copy is missing or damaged.
func (e *execution) make(ctx context.Context, n *node) error {
	for _, ref := range n.step.Needs {
		if err := e.ensure(ctx, ref); err != nil {
			return err
		}
	}
	if err := e.memory.Acquire(ctx, e.share(n.step)); err != nil {
		return context.Cause(ctx)
	}
	defer e.memory.Release(e.share(n.step))
	if err := e.jobs.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer e.jobs.Release(1)

	key, in, err := n.step.key(e.digests(n.step))
	if err != nil {
		return err
	}
	unlock, err := e.Store.Lock(ctx, string(key), func() {
		e.Sink.Emit(event.Event{Time: time.Now(), Kind: event.Log, Step: n.step.Name, Message: "another forge is running this step; waiting for it"})
	})
	if err != nil {
		return err
	}
	defer unlock()
	if rec := e.stored(key); rec != nil && e.expired(n.step, rec) == "" {
		n.done = Done{Record: *rec, Hit: true}
		e.Store.Use(rec.Key)
		return nil
	}
	return e.run(ctx, n, key, in)
}

// share is the part of the memory that a run of s takes; a step that wants more than there is
// runs alone.
func (e *execution) share(s *Step) int64 { return min(s.Memory, max(e.Memory, 1)) }

// ensure checks the bytes of a needed output and runs its step again if they are not there.
func (e *execution) ensure(ctx context.Context, ref Ref) error {
	n := e.nodes[ref.Step]
	n.mu.Lock()
	defer n.mu.Unlock()
	o, ok := n.done.Outputs[ref.Output]
	if !ok {
		return fmt.Errorf("step %s has no output called %s", ref.Step.Name, ref.Output)
	}
	var err error
	if o.Type == Tree {
		_, err = e.Store.TreePath(ctx, o.Digest)
	} else {
		_, err = e.Store.BlobPath(o.Digest)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	e.Sink.Emit(event.Event{Time: time.Now(), Kind: event.Warning, Step: ref.Step.Name, Message: fmt.Sprintf("%v: it is made again", err)})
	if err := e.Store.DropResult(n.done.Key); err != nil {
		return err
	}
	return e.make(ctx, n)
}

// run calls the step's function and stores what it made.
func (e *execution) run(ctx context.Context, n *node, key store.Digest, in ingredients) (err error) {
	s := n.step
	tmp, err := e.Store.TempDir("step")
	if err != nil {
		return &Error{Step: s.Name, Err: err}
	}
	defer tmp.Remove()
	log, err := e.Store.Log(s.Name)
	if err != nil {
		return &Error{Step: s.Name, Err: err}
	}
	defer log.Close()
	sink := event.ForStep(e.Sink, s.Name)
	r := &Run{Dir: tmp.Dir, Sink: sink, Store: e.Store, Log: io.MultiWriter(log, lines{sink}), needs: e.outputs(s), outputs: map[string]Output{}}
	started := time.Now()
	sink.Emit(event.Event{Kind: event.StepStart})
	if err := s.Run(ctx, r); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err = e.Store.ExplainFull(err)
		sink.Emit(event.Event{Kind: event.StepFail, Err: err.Error(), Duration: time.Since(started)})
		return &Error{Step: s.Name, Log: log.Name(), Tail: tail(log.Name()), Err: err}
	}
	rec := Record{Key: key, Step: s.Name, Kind: s.Kind, Version: s.Version, Settings: in.Settings, Inputs: in.Inputs,
		Outputs: r.outputs, Started: started.UTC(), Duration: time.Since(started)}
	b, err := json.Marshal(rec)
	if err != nil {
		return &Error{Step: s.Name, Err: err}
	}
	if err := e.Store.PutResult(s.Name, key, b); err != nil {
		return &Error{Step: s.Name, Err: err}
	}
	n.done = Done{Record: rec}
	sink.Emit(event.Event{Kind: event.StepDone, Duration: rec.Duration})
	return nil
}

func (x *Executor) now() time.Time {
	if x.Now != nil {
		return x.Now()
	}
	return time.Now()
}

// lines hands what is written to it on as Log events.
type lines struct{ sink event.Sink }

func (l lines) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			l.sink.Emit(event.Event{Kind: event.Log, Message: string(line)})
		}
	}
	return len(p), nil
}

// tail returns the last lines of a log, 2 KiB at most.
func tail(path string) string {
	const most = 2 << 10
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if len(b) > most {
		b = b[len(b)-most:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return string(bytes.TrimSpace(b))
}
