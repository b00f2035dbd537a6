package step_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func executor(t *testing.T, dir string) *step.Executor {
	return &step.Executor{Store: openStore(t, dir), Sink: event.Discard, Jobs: 4, Memory: 100}
}

// text makes a step whose output "out" is the file content, and which counts its runs.
func text(name, content string, runs *atomic.Int32, needs ...step.Ref) *step.Step {
	return &step.Step{Name: name, Kind: "text", Version: 1, Settings: map[string]string{"content": content}, Needs: needs,
		Run: func(_ context.Context, r *step.Run) error {
			runs.Add(1)
			path := filepath.Join(r.Dir, "f")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				return err
			}
			return r.PutFile("out", path)
		}}
}

func execute(t *testing.T, x *step.Executor, targets ...*step.Step) map[string]step.Done {
	t.Helper()
	g, err := step.NewGraph(targets...)
	if err != nil {
		t.Fatal(err)
	}
	done, err := x.Execute(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func plan(t *testing.T, x *step.Executor, targets ...*step.Step) []step.Planned {
	t.Helper()
	g, err := step.NewGraph(targets...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x.Plan(g)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHitAndMiss(t *testing.T) {
	x := executor(t, t.TempDir())
	var runs atomic.Int32
	a := text("a", "1", &runs)
	b := text("b", "2", &runs, a.Out("out"))
	execute(t, x, b)
	done := execute(t, x, b)
	if runs.Load() != 2 || !done["a"].Hit || !done["b"].Hit {
		t.Fatalf("runs = %d, a hit %v, b hit %v; want 2 runs and two hits", runs.Load(), done["a"].Hit, done["b"].Hit)
	}

	a2 := text("a", "other", &runs)
	b2 := text("b", "2", &runs, a2.Out("out"))
	done = execute(t, x, b2)
	if runs.Load() != 4 || done["b"].Hit {
		t.Errorf("runs = %d; want both steps to run when a's setting changes", runs.Load())
	}
}

// A step that runs again and makes the same bytes makes no other step run.
func TestSameBytesStopTheMiss(t *testing.T) {
	x := executor(t, t.TempDir())
	var runsA, runsB atomic.Int32
	a := text("a", "1", &runsA)
	execute(t, x, text("b", "2", &runsB, a.Out("out")))
	a2 := text("a", "1", &runsA)
	a2.Version = 2
	execute(t, x, text("b", "2", &runsB, a2.Out("out")))
	if runsA.Load() != 2 || runsB.Load() != 1 {
		t.Errorf("a ran %d times, b %d; want 2 and 1", runsA.Load(), runsB.Load())
	}
}

func TestPlanNamesWhatChanged(t *testing.T) {
	x := executor(t, t.TempDir())
	var runs atomic.Int32
	make := func(setting, overlay string) *step.Step {
		a := text("a", setting, &runs)
		a.Inputs = map[string]store.Digest{"overlays/slave/etc/motd": store.DigestOf([]byte(overlay))}
		return text("b", "2", &runs, a.Out("out"))
	}
	if diff := cmp.Diff([]step.Planned{
		{Step: "a", Kind: "text", State: step.New},
		{Step: "b", Kind: "text", State: step.Pending, Reasons: []string{"after a"}},
	}, plan(t, x, make("1", "x"))); diff != "" {
		t.Error("before the first run:", diff)
	}
	execute(t, x, make("1", "x"))

	old, now := store.DigestOf([]byte("x")).Short(), store.DigestOf([]byte("y")).Short()
	for _, c := range []struct {
		name             string
		setting, overlay string
		want             []step.Planned
	}{
		{"nothing", "1", "x", []step.Planned{{Step: "a", Kind: "text", State: step.Hit}, {Step: "b", Kind: "text", State: step.Hit}}},
		{"overlay", "1", "y", []step.Planned{
			{Step: "a", Kind: "text", State: step.Miss, Reasons: []string{"input overlays/slave/etc/motd changed: " + now + ", was " + old}},
			{Step: "b", Kind: "text", State: step.Pending, Reasons: []string{"after a"}}}},
		{"setting", "3", "x", []step.Planned{
			{Step: "a", Kind: "text", State: step.Miss, Reasons: []string{`setting content changed: "3", was "1"`}},
			{Step: "b", Kind: "text", State: step.Pending, Reasons: []string{"after a"}}}},
	} {
		if diff := cmp.Diff(c.want, plan(t, x, make(c.setting, c.overlay))); diff != "" {
			t.Errorf("%s changed: %s", c.name, diff)
		}
	}
}

func TestFirstFailureStopsTheRest(t *testing.T) {
	x := executor(t, t.TempDir())
	var runs, failed atomic.Int32
	rec := &event.Recorder{}
	x.Sink = rec
	started, stopped := make(chan struct{}), make(chan struct{})
	bad := &step.Step{Name: "bad", Kind: "bad", Run: func(_ context.Context, r *step.Run) error {
		<-started
		fmt.Fprintln(r.Log, "the reason is here")
		return errors.New("it broke")
	}}
	slow := &step.Step{Name: "slow", Kind: "slow", Run: func(ctx context.Context, _ *step.Run) error {
		close(started)
		<-ctx.Done()
		close(stopped)
		return ctx.Err()
	}}
	ok := text("ok", "1", &runs)
	last := text("last", "2", &runs, bad.Out("out"), ok.Out("out"))
	g, err := step.NewGraph(last, slow)
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.Execute(t.Context(), g)
	var se *step.Error
	if !errors.As(err, &se) || se.Step != "bad" || se.Err.Error() != "it broke" || !strings.Contains(err.Error(), "the reason is here") {
		t.Errorf("error = %v; want that of step bad with its log", err)
	}
	<-stopped
	for _, e := range rec.Events() {
		if e.Kind == event.StepFail {
			failed.Add(1)
		}
	}
	if failed.Load() != 1 {
		t.Errorf("%d steps were reported as failed; want one", failed.Load())
	}
	if left, _ := filepath.Glob(filepath.Join(x.Store.Dir(), "tmp", "step-*")); len(left) > 0 {
		t.Errorf("temporary folders are left: %v", left)
	}
}

func TestInterrupt(t *testing.T) {
	x := executor(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var runs atomic.Int32
	done := text("done", "1", &runs)
	slow := &step.Step{Name: "slow", Kind: "k", Needs: []step.Ref{done.Out("out")}, Run: func(ctx context.Context, _ *step.Run) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	g, _ := step.NewGraph(slow)
	if _, err := x.Execute(ctx, g); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v; want context.Canceled", err)
	}
	if got := execute(t, x, done); !got["done"].Hit {
		t.Error("the step that was finished before the interrupt ran again")
	}
}

func TestDamagedOutputIsMadeAgain(t *testing.T) {
	x := executor(t, t.TempDir())
	var runsA, runsB atomic.Int32
	a := text("a", "content", &runsA)
	done := execute(t, x, a)
	blob, err := x.Store.BlobPath(done["a"].Outputs["out"].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(blob, 0o644), os.WriteFile(blob, []byte("damaged"), 0o644)); err != nil {
		t.Fatal(err)
	}
	b := text("b", "2", &runsB, a.Out("out"))
	use := b.Run
	b.Run = func(ctx context.Context, r *step.Run) error {
		path, err := r.Blob(a.Out("out"))
		if err != nil {
			return err
		}
		if got, _ := os.ReadFile(path); string(got) != "content" {
			t.Errorf("b was given %q", got)
		}
		return use(ctx, r)
	}
	execute(t, x, b)
	if runsA.Load() != 2 || runsB.Load() != 1 {
		t.Errorf("a ran %d times, b %d; want 2 and 1", runsA.Load(), runsB.Load())
	}
}

func TestBoundedJobs(t *testing.T) {
	for _, c := range []struct {
		name         string
		jobs, memory int64
		each         int64
		want         int32
	}{
		{"jobs", 2, 1000, 0, 2},
		{"memory", 8, 100, 50, 2},
		{"one that wants more than there is", 8, 100, 500, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := executor(t, t.TempDir())
			x.Jobs, x.Memory = c.jobs, c.memory
			var now, most atomic.Int32
			var targets []*step.Step
			var full sync.WaitGroup // opens once as many run as may
			full.Add(int(c.want))
			var arrived atomic.Int32
			for i := range 6 {
				targets = append(targets, &step.Step{Name: fmt.Sprint(i), Kind: "k", Version: i, Memory: c.each, Run: func(context.Context, *step.Run) error {
					n := now.Add(1)
					defer now.Add(-1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					if arrived.Add(1) <= c.want {
						full.Done()
					}
					full.Wait()
					return nil
				}})
			}
			execute(t, x, targets...)
			if most.Load() != c.want {
				t.Errorf("%d steps ran at once; want %d", most.Load(), c.want)
			}
		})
	}
}

// Two executors with stores of their own on one folder are what two processes are.
func TestTwoForgesRunAStepOnce(t *testing.T) {
	dir := t.TempDir()
	var runs atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 2 {
		x := executor(t, dir)
		s := text("a", "1", &runs)
		run := s.Run
		s.Run = func(ctx context.Context, r *step.Run) error {
			time.Sleep(100 * time.Millisecond) // long enough for the other one to arrive at the lock
			return run(ctx, r)
		}
		g, _ := step.NewGraph(s)
		wg.Go(func() {
			<-start
			if _, err := x.Execute(context.Background(), g); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	if runs.Load() != 1 {
		t.Errorf("the step ran %d times; want once", runs.Load())
	}
}

func TestMaxAge(t *testing.T) {
	x := executor(t, t.TempDir())
	var runs atomic.Int32
	s := text("index", "1", &runs)
	s.MaxAge = 24 * time.Hour
	execute(t, x, s)
	x.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if p := plan(t, x, s)[0]; p.State != step.Miss || !strings.Contains(p.Reasons[0], "25h0m0s old") {
		t.Errorf("plan = %+v; want a miss by age", p)
	}
	x.Offline = true
	if p := plan(t, x, s)[0]; p.State != step.Hit {
		t.Errorf("offline plan = %+v; want a hit at any age", p)
	}
	x.Offline, x.Refresh, x.Now = false, true, nil
	execute(t, x, s)
	if runs.Load() != 2 {
		t.Errorf("the step ran %d times; want 2: at first and at the refresh", runs.Load())
	}
}

func TestGraphErrors(t *testing.T) {
	var runs atomic.Int32
	a, b := text("a", "1", &runs), text("b", "2", &runs)
	a.Needs, b.Needs = []step.Ref{b.Out("out")}, []step.Ref{a.Out("out")}
	for _, c := range []struct {
		name   string
		target []*step.Step
		want   string
	}{
		{"cycle", []*step.Step{a}, "steps need each other in a circle: a -> b -> a"},
		{"two of a name", []*step.Step{text("x", "1", &runs), text("x", "2", &runs)}, "two steps are called x"},
		{"nothing to run", []*step.Step{{Name: "empty"}}, "step empty has nothing to run"},
	} {
		if _, err := step.NewGraph(c.target...); err == nil || err.Error() != c.want {
			t.Errorf("%s: error = %v; want %q", c.name, err, c.want)
		}
	}
}
