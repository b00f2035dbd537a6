package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/mesos-forge/forge/builder/store"
)

// State is what a plan says of a step.
type State string

// The states of steps in a plan.
const (
	Hit     State = "hit"     // the stored result will be used
	Miss    State = "miss"    // it will run; Reasons say why
	New     State = "new"     // it will run for the first time
	Pending State = "pending" // it needs a step that will run; if that makes the same bytes, it is a hit
)

// Planned is a step with what would happen to it.
type Planned struct {
	Step    string   `json:"step"`
	Kind    string   `json:"kind"`
	State   State    `json:"state"`
	Reasons []string `json:"reasons,omitempty"`
}

// Plan tells what Execute would do, without running anything. It reads the store only.
func (x *Executor) Plan(g *Graph) ([]Planned, error) {
	records := map[*Step]*Record{}
	var plan []Planned
	for _, s := range g.steps {
		p := Planned{Step: s.Name, Kind: s.Kind}
		needed, after := plannedNeeds(s, records)
		switch rec, reasons, err := x.lookup(s, needed, after); {
		case err != nil:
			return nil, err
		case rec != nil:
			p.State, records[s] = Hit, rec
		case len(reasons) > 0:
			p.State, p.Reasons = Miss, reasons
		case len(after) > 0:
			p.State = Pending
			for _, name := range after {
				p.Reasons = append(p.Reasons, "after "+name)
			}
		default:
			p.State = New
		}
		plan = append(plan, p)
	}
	return plan, nil
}

// plannedNeeds returns the digests of needed outputs that are known, and the steps that must
// run before the others are.
func plannedNeeds(s *Step, records map[*Step]*Record) (map[string]store.Digest, []string) {
	needed := map[string]store.Digest{}
	var after []string
	for _, ref := range s.Needs {
		rec := records[ref.Step]
		if rec == nil {
			if len(after) == 0 || after[len(after)-1] != ref.Step.Name {
				after = append(after, ref.Step.Name)
			}
			continue
		}
		needed[ref.String()] = rec.Outputs[ref.Output].Digest
	}
	return needed, after
}

// lookup finds the stored result of s. If there is none, the reasons say what differs from the last
// run of a step of this name; no reasons and no error: there was none, or nothing but the
// outputs of the steps in after, which are not known yet, can differ.
func (x *Executor) lookup(s *Step, needed map[string]store.Digest, after []string) (*Record, []string, error) {
	key, in, err := s.key(needed)
	if err != nil {
		return nil, nil, err
	}
	if len(after) == 0 {
		if rec := x.stored(key); rec != nil {
			if why := x.expired(s, rec); why != "" {
				return nil, []string{why}, nil
			}
			return rec, nil, nil
		}
	}
	lastKey, ok := x.Store.Last(s.Name)
	if !ok {
		return nil, nil, nil
	}
	last := x.stored(lastKey)
	if last == nil {
		return nil, nil, nil
	}
	return nil, differences(last, in, after), nil
}

// stored returns the result of a key whose outputs are all there, or nil. An unreadable result is
// none: the step runs again.
func (x *Executor) stored(key store.Digest) *Record {
	b, err := x.Store.Result(key)
	if err != nil {
		return nil
	}
	var rec Record
	if json.Unmarshal(b, &rec) != nil || rec.Key != key {
		return nil
	}
	for _, o := range rec.Outputs {
		if o.Type == Blob && !x.Store.HasBlob(o.Digest) || o.Type == Tree && !x.Store.HasTree(o.Digest) {
			return nil
		}
	}
	return &rec
}

func (x *Executor) expired(s *Step, rec *Record) string {
	age := x.now().Sub(rec.Started)
	switch {
	case s.MaxAge == 0:
		return ""
	case x.Refresh:
		return "a refresh was asked for"
	case age > s.MaxAge && !x.Offline:
		return fmt.Sprintf("the stored result is %s old, more than %s", age.Round(time.Minute), s.MaxAge)
	}
	return ""
}

// differences lists in words what is not as it was in the last run.
func differences(last *Record, in ingredients, after []string) []string {
	if last.Kind != in.Kind { // all else differs with it
		return []string{fmt.Sprintf("the step itself: %s, was %s", in.Kind, last.Kind)}
	}
	var out []string
	if last.Version != in.Version {
		out = append(out, fmt.Sprintf("the step itself: %s version %d, was version %d", in.Kind, in.Version, last.Version))
	}
	out = append(out, settingsDifferences(last.Settings, in.Settings)...)
	pending := map[string]bool{}
	for _, name := range after {
		pending[name] = true
	}
	for _, name := range unionOfKeys(last.Inputs, in.Inputs) {
		was, is := last.Inputs[name], in.Inputs[name]
		switch {
		case was == is || pending[stepOf(name)]:
		case was == "":
			out = append(out, "input "+name+" is new")
		case is == "":
			out = append(out, "input "+name+" is gone")
		default:
			out = append(out, fmt.Sprintf("input %s changed: %s, was %s", name, is.Short(), was.Short()))
		}
	}
	return out
}

// stepOf returns the step of an input that is an output of a step: "rootfs/base" of
// "rootfs/base:tree".
func stepOf(input string) string {
	for i := len(input) - 1; i >= 0; i-- {
		if input[i] == ':' {
			return input[:i]
		}
	}
	return ""
}

// settingsDifferences names the top-level settings that differ.
func settingsDifferences(was, is json.RawMessage) []string {
	if bytes.Equal(was, is) {
		return nil
	}
	var a, b map[string]json.RawMessage
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(is, &b) != nil {
		return []string{"its settings changed"}
	}
	var out []string
	for _, name := range unionOfKeys(a, b) {
		if !bytes.Equal(a[name], b[name]) {
			out = append(out, fmt.Sprintf("setting %s changed: %s, was %s", name, brief(b[name]), brief(a[name])))
		}
	}
	return out
}

func brief(v json.RawMessage) string {
	const most = 60
	switch {
	case len(v) == 0:
		return "unset"
	case len(v) > most:
		return string(v[:most]) + "..."
	}
	return string(v)
}

func unionOfKeys[V any](a, b map[string]V) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}
