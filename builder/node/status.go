package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Level says how far a node has come.
type Level string

// The levels of a node.
const (
	LevelFailed     Level = "failed"     // something is wrong that waiting does not mend
	LevelStarting   Level = "starting"   // not yet: applying, or a service has not run for long enough
	LevelConfigured Level = "configured" // rendered, initialised, every service running and stable
	LevelInRole     Level = "in-role"    // and every check passes
)

// Reaches tells whether l is at least want.
func (l Level) Reaches(want Level) bool {
	order := []Level{LevelFailed, LevelStarting, LevelConfigured, LevelInRole}
	return slices.Index(order, l) >= slices.Index(order, want)
}

// Status is how a node is. Lists are never nil, so that JSON holds [].
type Status struct {
	Level      Level           `json:"level"`
	Cluster    string          `json:"cluster"`
	Node       string          `json:"node"`
	Address    string          `json:"address"`
	Role       string          `json:"role"`
	Source     string          `json:"source"` // who said which node this is
	InstanceID string          `json:"instance_id,omitempty"`
	Services   []ServiceStatus `json:"services"`
	// Others are services of the image that don't belong to the role.
	Others []OtherStatus `json:"others"`
	// Waits are peers that don't answer: "namenode 10.162.2.91:9000".
	Waits []string `json:"waits"`
	// Pending is what else keeps the node from being in its role.
	Pending []string `json:"pending"`
	// Standins are components that a stand-in takes the place of.
	Standins []string `json:"standins"`
	Warnings []string `json:"warnings"`
	Errors   []string `json:"errors"`

	notUp   []NotUp // by the last Apply of this boot
	waiting []Waiting
}

// ServiceStatus is how one service of the role is.
type ServiceStatus struct {
	Name     string        `json:"name"`
	State    Activity      `json:"state"`
	PID      int           `json:"pid,omitempty"`
	User     string        `json:"user,omitempty"` // that it runs as
	WantUser string        `json:"want_user,omitempty"`
	Since    string        `json:"since,omitempty"` // RFC 3339
	Stable   bool          `json:"stable"`
	Restarts int           `json:"restarts"` // -1: not known
	HeapMiB  int           `json:"heap_mib,omitempty"`
	Waits    []string      `json:"waits"`
	Ports    []PortStatus  `json:"ports"`
	Health   []CheckStatus `json:"health"`

	firstStart bool // Waits are the peers that its one-time steps need
}

// PortStatus is one port of a service.
type PortStatus struct {
	Name      string `json:"name"`
	Number    int    `json:"number"`
	Listening bool   `json:"listening"`
}

// CheckStatus is the result of one health check.
type CheckStatus struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Message string `json:"message,omitempty"` // why not
	Fatal   bool   `json:"fatal,omitempty"`   // waiting does not mend it
}

// OtherStatus is a service that must not run here.
type OtherStatus struct {
	Name  string   `json:"name"`
	State Activity `json:"state"`
}

// Status looks at the machine and changes nothing. It always gives an answer:
// what it could not find out stands in Errors.
func (n *Node) Status(ctx context.Context) *Status {
	s := &Status{
		Level: LevelFailed, Services: []ServiceStatus{}, Others: []OtherStatus{}, Waits: []string{},
		Pending: []string{}, Standins: []string{}, Warnings: []string{}, Errors: []string{},
	}
	starting := n.readOutcome(s)
	r, err := n.Resolve()
	if err != nil {
		if !slices.Contains(s.Errors, err.Error()) {
			s.Errors = append(s.Errors, err.Error())
		}
		return s
	}
	d := r.Data()
	s.Cluster, s.Node, s.Address, s.Role, s.Source = d.Cluster.Name, d.Node.Name, d.Node.Address, r.Identity.Role, r.Identity.NodeSource
	s.Standins = r.Image.Standins()
	for _, w := range slices.Concat(r.Identity.Warnings, r.Rendering.Warnings) {
		if !slices.Contains(s.Warnings, w) {
			s.Warnings = append(s.Warnings, w)
		}
	}
	if data, err := n.instanceData(); err == nil {
		s.InstanceID = data.V1.InstanceID
	}
	if err := n.look(ctx, r, s); err != nil {
		s.Errors = append(s.Errors, err.Error())
		return s
	}
	s.Level = s.judge(starting)
	return s
}

// readOutcome takes over what the last Apply of this boot said; it tells whether
// that is still to come.
func (n *Node) readOutcome(s *Status) (starting bool) {
	o, err := n.loadOutcome()
	switch {
	case err != nil:
		s.Errors = append(s.Errors, err.Error())
	case o == nil:
		s.Pending = append(s.Pending, "forge-node apply has not finished since this machine started")
		return true
	default:
		s.Warnings = append(s.Warnings, o.Warnings...)
		s.Errors = append(s.Errors, o.Errors...)
		s.notUp, s.waiting = o.NotUp, o.Waiting
	}
	return false
}

// look asks the supervisor, the kernel, the peers and the services.
func (n *Node) look(ctx context.Context, r *Resolved, s *Status) error {
	if n.Supervisor == nil {
		return errors.New("neither systemd, upstart nor runit is here")
	}
	states, err := n.Supervisor.States(ctx, slices.Concat(r.Data().Services, r.Rendering.Others))
	if err != nil {
		return err
	}
	listeners, err := n.Listeners()
	if err != nil {
		return err
	}
	acc, err := n.accounts()
	if err != nil {
		return err
	}
	d := r.Data()
	waits := n.silentPeers(ctx, &d.Derived, r.Rendering.Services, nil)
	for _, svc := range r.Rendering.Services {
		one := n.serviceStatus(ctx, r, svc, states[svc.Name], listeners, acc)
		one.Waits = append(one.Waits, waits[svc.Name]...)
		if w := waitingFor(s.waiting, svc.Name); w != nil && one.State == Stopped {
			one.Waits, one.firstStart = w.For, true
		}
		s.Services = append(s.Services, one)
		for _, w := range one.Waits {
			if !slices.Contains(s.Waits, w) {
				s.Waits = append(s.Waits, w)
			}
		}
	}
	for _, name := range r.Rendering.Others {
		s.Others = append(s.Others, OtherStatus{Name: name, State: states[name].Activity})
		if a := states[name].Activity; a == Running || a == Starting {
			s.Errors = append(s.Errors, fmt.Sprintf("%s runs, but does not belong to the role %s", name, s.Role))
		}
	}
	for _, l := range listeners {
		if slices.Contains(r.Rendering.Role.MustNotListen, l.Port) {
			s.Errors = append(s.Errors, fmt.Sprintf("something listens on %s port %d, which belongs to another role", l.Address, l.Port))
		}
	}
	s.Warnings = append(s.Warnings, n.drift(r)...)
	return n.lookAtMounts(r, s)
}

// lookAtMounts names file systems that are not there, unless Apply did.
func (n *Node) lookAtMounts(r *Resolved, s *Status) error {
	d := r.Data()
	for _, m := range d.Mounts {
		there, err := n.mountedAt(m.Path)
		if err != nil {
			return err
		}
		about := mountOf(m, d.Node.Name) + ": "
		told := slices.ContainsFunc(s.Errors, func(e string) bool { return strings.HasPrefix(e, about) })
		if there == nil && !told {
			s.Errors = append(s.Errors, about+"its file system is not there; run forge-node apply")
		}
	}
	return nil
}

// drift names files that were changed by hand since they were rendered.
func (n *Node) drift(r *Resolved) []string {
	var changed []string
	for _, f := range r.Rendering.Files {
		now, err := os.ReadFile(n.path(f.Path))
		if errors.Is(err, fs.ErrNotExist) || (err == nil && !f.Same(now)) {
			changed = append(changed, f.Path)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return []string{"not as the inventory says: " + strings.Join(changed, ", ") + "; run forge-node apply"}
}

func (n *Node) serviceStatus(ctx context.Context, r *Resolved, svc RenderedService, p Process, listeners []Listener, acc *accounts) ServiceStatus {
	one := ServiceStatus{
		Name: svc.Name, State: orActivity(p.Activity, Missing), PID: p.PID, Restarts: p.Restarts, HeapMiB: svc.HeapMiB, WantUser: svc.User,
		Waits: []string{}, Ports: svc.ports(listeners), Health: []CheckStatus{},
	}
	if p.PID > 0 {
		if info, err := n.process(p.PID); err == nil {
			one.User = or(acc.names[info.UID], fmt.Sprint(info.UID))
			one.Since = info.Since.Format(time.RFC3339)
			settle := n.Settle
			if p.Restarts > 0 {
				settle = n.SettleAgain
			}
			one.Stable = p.Activity == Running && info.Age >= settle
		}
	}
	host := n.localHost(r)
	for _, c := range svc.Health {
		result := CheckStatus{Name: c.Name, OK: true}
		if err := n.check(ctx, svc, c, host); err != nil {
			result.OK, result.Message, result.Fatal = false, err.Error(), c.Fatal
		}
		one.Health = append(one.Health, result)
	}
	return one
}

// ports are the TCP ports of a service and whether anything listens on them.
func (svc *RenderedService) ports(listeners []Listener) []PortStatus {
	ports := []PortStatus{}
	for _, port := range svc.Ports {
		if or(port.Proto, "tcp") == "tcp" {
			number := svc.PortOf[port.Name]
			listening := slices.ContainsFunc(listeners, func(l Listener) bool { return l.Port == number })
			ports = append(ports, PortStatus{Name: port.Name, Number: number, Listening: listening})
		}
	}
	return ports
}

// localHost is where the services of this node are asked.
func (n *Node) localHost(r *Resolved) string {
	if address := r.Data().Node.Address; n.hasAddress(address) {
		return address // some daemons bind that alone
	}
	return "127.0.0.1"
}

func orActivity(a, otherwise Activity) Activity {
	if a == "" {
		return otherwise
	}
	return a
}
