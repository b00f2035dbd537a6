package source

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/event"
)

// Batch is a Source that is better asked for many artifacts at once.
type Batch interface {
	Source
	// Group is equal (==) for sources that may be asked together.
	Group() any
	// FetchBatch is Fetch for all of items, whose sources have one Group; the answers stand in the
	// order of items.
	FetchBatch(ctx context.Context, items []Item, blobs Blobs) []Answer
}

// Item is one artifact and the source that it is asked of.
type Item struct {
	Artifact Artifact
	Source   Source
}

// Answer is what Fetch returns.
type Answer struct {
	Result Result
	Err    error
}

// Want is one artifact and the places that may have it, in their order.
type Want struct {
	Artifact Artifact
	Places   []Source
}

// FetchAll fetches many artifacts, at most jobs at once, as Chain does each; those whose next
// place is one Batch group are asked for together. The results stand in the order of wants. If
// places lack some, the error names all of these; any other error ends the work at once.
func FetchAll(ctx context.Context, wants []Want, blobs Blobs, jobs int, sink event.Sink) ([]Result, error) {
	w := &work{wants: wants, blobs: blobs, sink: sink, results: make([]Result, len(wants)), next: make([]int, len(wants)), asked: make([][]string, len(wants))}
	var open []int
	for i, want := range wants {
		if r, ok := Stored(want.Artifact, blobs); ok {
			w.results[i] = r
			w.done++
		} else {
			open = append(open, i)
		}
	}
	var missing []error
	for len(open) > 0 {
		if err := w.round(ctx, open, max(1, jobs)); err != nil {
			return nil, err
		}
		var again []int
		for _, i := range open {
			switch {
			case w.results[i].Digest != "":
			case w.next[i] < len(wants[i].Places):
				again = append(again, i)
			default:
				missing = append(missing, &MissingError{Artifact: wants[i].Artifact, Asked: w.asked[i]})
			}
		}
		open = again
	}
	return w.results, errors.Join(missing...)
}

// work is the state of one FetchAll.
type work struct {
	wants []Want
	blobs Blobs
	sink  event.Sink

	mu      sync.Mutex
	results []Result   // without a Digest: not yet
	next    []int      // by artifact: the place to ask next
	asked   [][]string // by artifact: those that have not got it
	done    int
}

// round asks the next place of each artifact that is open.
func (w *work) round(ctx context.Context, open []int, jobs int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	groups := map[any][]int{}
	var order []any
	var single []int
	for _, i := range open {
		if w.next[i] >= len(w.wants[i].Places) {
			continue
		}
		b, ok := w.wants[i].Places[w.next[i]].(Batch)
		if !ok {
			single = append(single, i)
			continue
		}
		if _, seen := groups[b.Group()]; !seen {
			order = append(order, b.Group())
		}
		groups[b.Group()] = append(groups[b.Group()], i)
	}
	for _, key := range order {
		g.Go(func() error { return w.askBatch(ctx, groups[key]) })
	}
	for _, i := range single {
		g.Go(func() error {
			r, err := w.place(i).Fetch(ctx, w.wants[i].Artifact, w.blobs)
			return w.take(i, Answer{r, err})
		})
	}
	return g.Wait()
}

func (w *work) place(i int) Source { return w.wants[i].Places[w.next[i]] }

func (w *work) askBatch(ctx context.Context, indexes []int) error {
	items := make([]Item, len(indexes))
	for k, i := range indexes {
		items[k] = Item{w.wants[i].Artifact, w.place(i)}
	}
	answers := items[0].Source.(Batch).FetchBatch(ctx, items, w.blobs)
	if len(answers) != len(items) {
		return fmt.Errorf("%s gave %d answers for %d files", items[0].Source, len(answers), len(items))
	}
	for k, i := range indexes {
		if err := w.take(i, answers[k]); err != nil {
			return err
		}
	}
	return nil
}

// take records an answer, and returns an error that ends the work.
func (w *work) take(i int, a Answer) error {
	if a.Err == nil {
		a.Err = Check(w.wants[i].Artifact, a.Result)
	}
	if a.Err != nil && !errors.Is(a.Err, ErrNotFound) {
		return a.Err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.Err != nil {
		w.asked[i] = append(w.asked[i], asked(w.place(i), a.Err))
		w.next[i]++
		return nil
	}
	w.results[i] = a.Result
	w.done++
	if w.sink != nil {
		w.sink.Emit(event.Event{Kind: event.Progress, Message: "fetch files", Done: int64(w.done), Total: int64(len(w.wants)), Unit: "files"})
	}
	return nil
}
