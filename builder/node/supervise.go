package node

import "context"

// Supervisor is what keeps services running: systemd or upstart on a machine,
// runit in a container.
type Supervisor interface {
	// Reload makes it read changed units or run scripts, given all services
	// that should run. It must come before Start.
	Reload(ctx context.Context, services []RenderedService) error
	// States tells how services are, by name.
	States(ctx context.Context, names []string) (map[string]Process, error)
	// Start starts services in this order; those that run are left alone.
	Start(ctx context.Context, names []string) error
	// Restart stops and starts one service.
	Restart(ctx context.Context, name string) error
	// Stop stops services and keeps them from being started.
	Stop(ctx context.Context, names []string) error
}

// Activity is what a supervisor says about a service.
type Activity string

// The activities of a service.
const (
	Running  Activity = "running"
	Starting Activity = "starting" // also between a crash and the restart after it
	Stopped  Activity = "stopped"
	Failed   Activity = "failed"
	Missing  Activity = "missing" // the supervisor doesn't know it
)

// Process is a service as its supervisor sees it.
type Process struct {
	Activity Activity
	PID      int
	Restarts int  // by the supervisor, because it ended; -1: not known
	Enabled  bool // it would be started without forge-node
}
