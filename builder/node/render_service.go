package node

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PortTakenError says that two services of one node would listen on one port.
type PortTakenError struct {
	Port    string // "tcp/8080"
	Name    string // of the port in the second service
	Service string // the first one
}

func (e *PortTakenError) Error() string {
	return fmt.Sprintf("port %s (%s) is %s's already", e.Port, e.Name, e.Service)
}

// finish fills in the services, and refuses what contradicts itself.
func (r *renderer) finish(out *Rendering) error {
	out.Files = append(out.Files, r.initFiles(out)...)
	slices.SortStableFunc(out.Files, func(a, b RenderedFile) int { return strings.Compare(a.Path, b.Path) })
	for i := 1; i < len(out.Files); i++ {
		if out.Files[i].Path == out.Files[i-1].Path {
			return fmt.Errorf("two manifests write %s", out.Files[i].Path)
		}
	}
	takenBy := map[string]string{}
	total := 0
	for i := range out.Services {
		s := &out.Services[i]
		if err := r.service(s, takenBy); err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
		s.Config = configDigest(s, out.Files)
		total += s.HeapMiB
	}
	if ram := r.data.Machine.RAM; ram > 0 && total > ram {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the heaps of this node's services add up to %d MiB, more than its %d MiB of memory", total, ram))
	}
	return nil
}

func (r *renderer) service(s *RenderedService, takenBy map[string]string) error {
	s.PortOf = map[string]int{}
	for _, p := range s.Ports {
		number := p.Number
		if p.From != "" {
			text, err := r.evaluate(s.Name+": port "+p.Name, p.From)
			if err != nil {
				return err
			}
			if number, err = strconv.Atoi(strings.TrimSpace(text)); err != nil || number < 1 || number > 65535 {
				return fmt.Errorf("port %s: %q is not a port", p.Name, text)
			}
		}
		key := or(p.Proto, "tcp") + "/" + strconv.Itoa(number)
		if other, ok := takenBy[key]; ok {
			return &PortTakenError{Port: key, Name: p.Name, Service: other}
		}
		takenBy[key] = s.Name
		s.PortOf[p.Name] = number
	}
	var err error
	s.Health = slices.Clone(s.Health) // the manifest's own stays as it is
	for i, c := range s.Health {
		if s.Health[i].Path, err = r.evaluate(s.Name+": health "+c.Name, c.Path); err != nil {
			return err
		}
		if s.Health[i].Run, err = r.argv(s.Name+": health "+c.Name, c.Run); err != nil {
			return err
		}
	}
	if s.Heap != nil {
		if s.HeapMiB, err = r.heap(s.Name); err != nil {
			return err
		}
	}
	if r.data.Container {
		if s.Script, err = r.evaluate(s.Name+": runit", s.Runit); err != nil {
			return err
		}
	}
	for _, in := range s.Init {
		if err := r.init(s, in); err != nil {
			return fmt.Errorf("init %s: %w", in.Name, err)
		}
	}
	return nil
}

// argv renders the arguments of a command.
func (r *renderer) argv(name string, args []string) ([]string, error) {
	var argv []string
	for _, a := range args {
		arg, err := r.evaluate(name, a)
		if err != nil {
			return nil, err
		}
		argv = append(argv, arg)
	}
	return argv, nil
}

func (r *renderer) init(s *RenderedService, in Init) error {
	wanted, err := r.truth("if", in.If)
	if err != nil || !wanted {
		return err
	}
	step := RenderedInit{Init: in}
	if step.Argv, err = r.argv("run", in.Run); err != nil {
		return err
	}
	for _, u := range in.Untouched {
		paths, err := r.paths(u)
		if err != nil {
			return err
		}
		step.Paths = append(step.Paths, paths...)
	}
	s.Steps = append(s.Steps, step)
	return nil
}

// heap is a service's heap in MiB: the node's setting, else the cluster's,
// else the manifest's rule, rounded down to 16 MiB.
func (r *renderer) heap(service string) (int, error) {
	for _, name := range r.role.Components {
		for _, s := range r.img.Components[name].Services {
			if s.Name != service {
				continue
			}
			if mib, ok := r.data.Node.Heap[service]; ok {
				return mib, nil
			}
			if mib, ok := r.inv.Heap[service]; ok {
				return mib, nil
			}
			if s.Heap == nil {
				return 0, fmt.Errorf("service %q has no heap rule and the inventory gives no heap for it", service)
			}
			mib := max(r.data.Machine.RAM*s.Heap.Percent/100/16*16, s.Heap.Min)
			if s.Heap.Max > 0 {
				mib = min(mib, s.Heap.Max)
			}
			return mib, nil
		}
	}
	return 0, fmt.Errorf("heap of %q: no component of the role %q has that service", service, r.role.Name)
}

// configDigest covers everything that a running service would have to be
// restarted for.
func configDigest(s *RenderedService, files []RenderedFile) string {
	h := sha256.New()
	fmt.Fprintf(h, "run %q\n", s.Script)
	for _, f := range files {
		if slices.Contains(f.Restart, s.Name) {
			fmt.Fprintf(h, "%q %o %q %q %x\n", f.Path, f.Mode, f.Owner, f.Group, sha256.Sum256(f.Content))
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
