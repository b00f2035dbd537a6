package source_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/store"
)

// place is a source with some files, which records what it was asked for.
type place struct {
	name  string
	files map[string]string
	fail  error

	mu    sync.Mutex
	asked []string
}

func (p *place) String() string { return p.name }

func (p *place) Fetch(ctx context.Context, a source.Artifact, blobs source.Blobs) (source.Result, error) {
	p.mu.Lock()
	p.asked = append(p.asked, a.File)
	p.mu.Unlock()
	if p.fail != nil {
		return source.Result{}, p.fail
	}
	text, ok := p.files[a.File]
	if !ok {
		return source.Result{}, fmt.Errorf("%s: %w", p.name, source.ErrNotFound)
	}
	return source.Put(ctx, a, a.File, strings.NewReader(text), p.name, blobs)
}

// batch is a place that is asked for many at once.
type batch struct{ place }

func (b *batch) Group() any { return b }

func (b *batch) FetchBatch(ctx context.Context, items []source.Item, blobs source.Blobs) []source.Answer {
	var names []string
	out := make([]source.Answer, len(items))
	for i, it := range items {
		names = append(names, it.Artifact.File)
		out[i].Result, out[i].Err = b.place.Fetch(ctx, it.Artifact, blobs)
	}
	b.asked = []string{strings.Join(names, "+")}
	return out
}

func digest(text string) store.Digest { return store.DigestOf([]byte(text)) }

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestChain(t *testing.T) {
	vendor := &place{name: "vendor", files: map[string]string{"a": "from vendor", "bad": "other"}}
	mirror := &place{name: "mirror", files: map[string]string{"b": "from mirror", "bad": "right"}}
	chain := source.Chain{vendor, mirror}
	blobs := open(t)
	ctx := context.Background()

	r, err := chain.Fetch(ctx, source.Artifact{Name: "x/a", File: "a"}, blobs)
	if err != nil || r.From != "vendor" || r.Digest != digest("from vendor") {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = chain.Fetch(ctx, source.Artifact{Name: "x/b", File: "b", Digest: digest("from mirror"), Size: 11}, blobs)
	if err != nil || r.From != "mirror" {
		t.Errorf("%+v, %v", r, err)
	}
	vendor.asked = nil
	r, err = chain.Fetch(ctx, source.Artifact{Name: "x/b", File: "b", Digest: digest("from mirror"), Size: 11}, blobs)
	if err != nil || r.From != "store" || r.Size != 11 || len(vendor.asked) != 0 {
		t.Errorf("%+v, %v, asked %v", r, err, vendor.asked)
	}

	// A place that lies ends it, though the next one is right.
	_, err = chain.Fetch(ctx, source.Artifact{Name: "x/bad", File: "bad", Digest: digest("right")}, blobs)
	var mismatch *store.DigestError
	if !errors.As(err, &mismatch) || mismatch.From != "vendor" || mismatch.Want != digest("right") || mismatch.Got != digest("other") {
		t.Errorf("%v", err)
	}
	if slices.Contains(mirror.asked, "bad") {
		t.Error("the mirror was asked after vendor lied")
	}

	_, err = chain.Fetch(ctx, source.Artifact{Name: "x/c", File: "c", Digest: digest("c")}, blobs)
	want := "x/c (c): not found; asked vendor, then mirror; wanted " + string(digest("c")) + "; put c into vendor/ or name a mirror that has it"
	if err == nil || err.Error() != want || !errors.Is(err, source.ErrNotFound) {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	vendor.fail = errors.New("disk on fire")
	if _, err = chain.Fetch(ctx, source.Artifact{Name: "x/b", File: "b2"}, blobs); !errors.Is(err, vendor.fail) {
		t.Errorf("%v", err)
	}
}

func TestFetchAll(t *testing.T) {
	vendor := &place{name: "vendor", files: map[string]string{"a": "A"}}
	maven := &batch{place{name: "maven", files: map[string]string{"b": "B", "c": "C"}}}
	web := &place{name: "web", files: map[string]string{"d": "D"}}
	blobs := open(t)
	if _, _, err := blobs.PutBlob(context.Background(), bytes.NewReader([]byte("S")), ""); err != nil {
		t.Fatal(err)
	}
	wants := func(names ...string) []source.Want {
		var out []source.Want
		for _, n := range names {
			w := source.Want{Artifact: source.Artifact{Name: n, File: n}, Places: []source.Source{vendor, maven, web}}
			if n == "s" {
				w.Artifact.Digest, w.Artifact.Size = digest("S"), 1
			}
			out = append(out, w)
		}
		return out
	}
	var rec event.Recorder
	got, err := source.FetchAll(context.Background(), wants("d", "s", "c", "b", "a"), blobs, 2, &rec)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"D web", "S store", "C maven", "B maven", "A vendor"} {
		text, from, _ := strings.Cut(want, " ")
		if got[i].Digest != digest(text) || got[i].From != from {
			t.Errorf("%d: %+v, want %s", i, got[i], want)
		}
	}
	if !slices.Equal(maven.asked, []string{"d+c+b"}) {
		t.Errorf("maven was asked for %v", maven.asked)
	}
	if slices.Contains(vendor.asked, "s") {
		t.Error("vendor was asked for what the store has")
	}
	if e := rec.Events(); len(e) != 4 || e[3].Done != 5 || e[3].Total != 5 {
		t.Errorf("events: %+v", e)
	}

	_, err = source.FetchAll(context.Background(), wants("a", "x", "y"), blobs, 2, nil)
	if err == nil || !strings.Contains(err.Error(), "x: not found; asked vendor, then maven, then web") || !strings.Contains(err.Error(), "y: not found") {
		t.Errorf("%v", err)
	}
	if !errors.Is(err, source.ErrNotFound) {
		t.Error("does not wrap ErrNotFound")
	}
	web.fail = errors.New("no route")
	if _, err = source.FetchAll(context.Background(), wants("x"), blobs, 2, nil); !errors.Is(err, web.fail) {
		t.Errorf("%v", err)
	}
}
