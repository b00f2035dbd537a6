package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/store"
)

// Step is a unit of work. Its fields are not changed once it is in a Graph.
type Step struct {
	Name     string                  // unique in the graph: "rootfs/slave"
	Kind     string                  // what it does: "rootfs"
	Version  int                     // raised when the code makes something else of the same inputs
	Settings any                     // marshals to JSON; enters the key
	Inputs   map[string]store.Digest // by name: files of the checkout, lines of the lock
	Needs    []Ref                   // outputs of other steps

	// MaxAge makes a result older than that a miss; 0: a result never ages.
	MaxAge time.Duration
	// Memory is roughly what a run takes, in MiB; 0: little.
	Memory int64

	Run func(ctx context.Context, r *Run) error
}

// Ref names one output of a step.
type Ref struct {
	Step   *Step
	Output string
}

// Out names the output of s called name.
func (s *Step) Out(name string) Ref { return Ref{Step: s, Output: name} }

func (r Ref) String() string { return r.Step.Name + ":" + r.Output }

// Output is what a step made: a blob, a tree, or nothing that has bytes but its digest.
type Output struct {
	Type   string       `json:"type"` // "blob" or "tree"
	Digest store.Digest `json:"digest"`
	Size   int64        `json:"size,omitempty"` // bytes, of a blob
}

// The types of outputs.
const (
	Blob = "blob"
	Tree = "tree"
)

// Record is the stored result of a step: what went in and what came out.
type Record struct {
	Key      store.Digest            `json:"key"`
	Step     string                  `json:"step"`
	Kind     string                  `json:"kind"`
	Version  int                     `json:"version"`
	Settings json.RawMessage         `json:"settings"`
	Inputs   map[string]store.Digest `json:"inputs"`
	Outputs  map[string]Output       `json:"outputs"`
	Started  time.Time               `json:"started"`
	Duration time.Duration           `json:"duration_ns"`
}

// OutputsOf returns the digests of the outputs that a stored result names.
func OutputsOf(result []byte) ([]store.Digest, error) {
	var rec Record
	if err := json.Unmarshal(result, &rec); err != nil {
		return nil, fmt.Errorf("stored result: %w", err)
	}
	var out []store.Digest
	for _, o := range rec.Outputs {
		out = append(out, o.Digest)
	}
	return out, nil
}

// ingredients is what the key is the hash of.
type ingredients struct {
	Kind     string                  `json:"kind"`
	Version  int                     `json:"version"`
	Settings json.RawMessage         `json:"settings"`
	Inputs   map[string]store.Digest `json:"inputs"`
}

// key computes the step's key. needed holds the digests of the outputs it needs, by Ref.String.
func (s *Step) key(needed map[string]store.Digest) (store.Digest, ingredients, error) {
	settings, err := json.Marshal(s.Settings)
	if err != nil {
		return "", ingredients{}, fmt.Errorf("step %s: settings: %w", s.Name, err)
	}
	in := ingredients{Kind: s.Kind, Version: s.Version, Settings: settings, Inputs: map[string]store.Digest{}}
	for name, d := range s.Inputs {
		in.Inputs[name] = d
	}
	for name, d := range needed {
		in.Inputs[name] = d
	}
	b, err := json.Marshal(in) // maps are written in the order of their keys
	if err != nil {
		return "", ingredients{}, fmt.Errorf("step %s: %w", s.Name, err)
	}
	return store.DigestOf(b), in, nil
}

// Run is what a running step is given: its inputs, a temporary folder, and where its outputs go.
type Run struct {
	Dir   string     // temporary folder in the store, removed after the run
	Sink  event.Sink // events are marked with the step's name
	Log   io.Writer  // the step's log, shown when it fails
	Store *store.Store

	mu      sync.Mutex
	needs   map[string]Output
	outputs map[string]Output
}

// Blob returns the path of the needed output, which is a blob.
func (r *Run) Blob(ref Ref) (string, error) {
	o, err := r.need(ref, Blob)
	if err != nil {
		return "", err
	}
	return r.Store.BlobPath(o.Digest)
}

// Tree returns the directory of the needed output, which is a tree; it must not be changed.
func (r *Run) Tree(ctx context.Context, ref Ref) (string, error) {
	o, err := r.need(ref, Tree)
	if err != nil {
		return "", err
	}
	return r.Store.TreePath(ctx, o.Digest)
}

// JSON decodes the needed output, a blob written by PutJSON, into v.
func (r *Run) JSON(ref Ref, v any) error {
	path, err := r.Blob(ref)
	if err != nil {
		return err
	}
	return readJSON(path, ref.String(), v)
}

// Digest returns the digest of the needed output.
func (r *Run) Digest(ref Ref) (Output, error) { return r.need(ref, "") }

func (r *Run) need(ref Ref, typ string) (Output, error) {
	o, ok := r.needs[ref.String()]
	if !ok {
		return Output{}, fmt.Errorf("step uses %s, which it does not list in its needs", ref)
	}
	if typ != "" && o.Type != typ {
		return Output{}, fmt.Errorf("%s is a %s, not a %s", ref, o.Type, typ)
	}
	return o, nil
}

// PutFile makes the file at path, in r.Dir, the output called name.
func (r *Run) PutFile(name, path string) error {
	r.Phase("store rename")
	d, n, err := r.Store.AdoptFile(path, "")
	if err != nil {
		return err
	}
	r.put(name, Output{Type: Blob, Digest: d, Size: n})
	return nil
}

// Write makes what write writes the output called name.
func (r *Run) Write(name string, write func(w io.Writer) error) error {
	path := filepath.Join(r.Dir, "output-"+name)
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("output %s: %w", name, store.Explain(err))
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return store.Explain(err)
	}
	return r.PutFile(name, path)
}

// PutTree makes the directory dir, in r.Dir, the output called name.
func (r *Run) PutTree(ctx context.Context, name, dir string) error {
	r.Phase("store rename")
	d, err := r.Store.AdoptTree(ctx, dir)
	if err != nil {
		return err
	}
	r.put(name, Output{Type: Tree, Digest: d})
	return nil
}

// PutBlob makes a blob that is in the store already the output called name.
func (r *Run) PutBlob(name string, d store.Digest, size int64) {
	r.put(name, Output{Type: Blob, Digest: d, Size: size})
}

// PutJSON makes v, as JSON, the output called name.
func (r *Run) PutJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("output %s: %w", name, err)
	}
	return r.PutBytes(name, append(b, '\n'))
}

// PutBytes makes b the output called name.
func (r *Run) PutBytes(name string, b []byte) error {
	return r.Write(name, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

func (r *Run) put(name string, o Output) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outputs[name] = o
}

// Phase says that the step enters a phase that people and tests know by name.
func (r *Run) Phase(name string) {
	r.Sink.Emit(event.Event{Kind: event.Phase, Message: name})
}

func readJSON(path, what string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
