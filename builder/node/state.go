package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/event"
)

const (
	statePath   = "/var/lib/forge/state.json"
	outcomePath = "/run/forge/outcome.json"
	lockPath    = "/run/forge/lock"
)

// state is what a node remembers for life. It holds no times, so that a run
// that changes nothing leaves the file alone.
type state struct {
	Version int    `json:"version"` // 1
	Node    string `json:"node,omitempty"`
	Role    string `json:"role,omitempty"`
	// Flags are the files of flag directories that forge wrote; those no longer
	// wanted are removed.
	Flags []string `json:"flags,omitempty"`
	// Started is, by service, the digest of the configuration that it was last
	// started with.
	Started map[string]string `json:"started,omitempty"`
	// Fixed is, by path, the content of files that must not change while there
	// is data that was written under it.
	Fixed map[string]string `json:"fixed,omitempty"`
	// Disks is, by label, what forge began to format and has not labelled yet.
	Disks map[string]diskRecord `json:"disks,omitempty"`
	// Init is, by SERVICE/STEP, how far a step came.
	Init map[string]initState `json:"init,omitempty"`
}

// initState says how far a step of initialisation came. A step without a record
// has never begun.
type initState string

const (
	initBegun   initState = "begun"   // killed before its end, if it is still so
	initStaging initState = "staging" // running beside its place, which it doesn't touch
	initPlacing initState = "placing" // made, and being moved into place
	initDone    initState = "done"
	initFound   initState = "found" // not run: there was data already
)

func (n *Node) loadState() (*state, error) {
	s := &state{Version: 1, Started: map[string]string{}, Fixed: map[string]string{}, Disks: map[string]diskRecord{}, Init: map[string]initState{}}
	data, err := n.readIfThere(statePath, 4<<20)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return s, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil || s.Version != 1 {
		return nil, fmt.Errorf("%s was not written by this version of forge-node (%v): it says what was initialised, so it is not thrown away by itself", statePath, err)
	}
	return s, nil
}

func (n *Node) saveState(s *state) error {
	return n.saveJSON(statePath, s, 0o600)
}

func (n *Node) saveJSON(path string, v any, mode fs.FileMode) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = write(n.ours(path, append(data, '\n'), mode))
	if err != nil {
		return fmt.Errorf("record in %s: %w", path, err)
	}
	return nil
}

// outcome is how the last run in this boot ended; no outcome: none has.
type outcome struct {
	Errors   []string `json:"errors,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	NotUp    []NotUp  `json:"not_up,omitempty"`
	// Waiting are services whose one-time steps wait for peers.
	Waiting []Waiting `json:"waiting,omitempty"`
}

// take sorts what went wrong: services that came up too late may be up by now.
func (o *outcome) take(err error) {
	var late *NotUpError
	var waiting *WaitingError
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range all.Unwrap() {
			o.take(one)
		}
	} else if errors.As(err, &late) {
		o.NotUp = append(o.NotUp, late.Services...)
	} else if errors.As(err, &waiting) {
		o.Waiting = append(o.Waiting, waiting.Services...)
	} else if err != nil {
		o.Errors = append(o.Errors, err.Error())
	}
}

// OnlyNotUp tells whether an error of [Node.Apply] says nothing but that services
// were not up in time, or wait for peers.
func OnlyNotUp(err error) bool {
	var o outcome
	o.take(err)
	return len(o.NotUp)+len(o.Waiting) > 0 && len(o.Errors) == 0
}

// WaitsForPeers tells whether an error of [Node.Apply] says nothing worse than
// [OnlyNotUp], and that services wait for peers: another Apply may start them.
func WaitsForPeers(err error) bool {
	var o outcome
	o.take(err)
	return len(o.Waiting) > 0 && len(o.Errors) == 0
}

func (n *Node) loadOutcome() (*outcome, error) {
	var o *outcome
	return o, n.loadJSON(outcomePath, &o)
}

// loadJSON reads what saveJSON recorded of this boot; without it v stays as it is.
func (n *Node) loadJSON(path string, v any) error {
	data, err := n.readIfThere(path, 1<<20)
	if err != nil || data == nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// lock keeps two runs apart; the kernel drops it when the process ends. Another
// run may wait for services for minutes, so this one says what it waits for.
func (n *Node) lock(ctx context.Context, sink event.Sink) (unlock func(), err error) {
	if err := mkdirs(n.path("/run/forge")); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(n.path(lockPath), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			if !told {
				sink.Emit(event.Event{Kind: event.Log, Message: "another forge-node apply is at work; this one begins when that ends"})
			}
			err = n.Sleep(ctx, time.Second)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", lockPath, err), f.Close())
		}
	}
}
