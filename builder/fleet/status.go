package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"github.com/mesos-forge/forge/builder/node"
)

// waitingStatus is forge-node's exit status for a node that is configured, and waits.
const waitingStatus = 3

// LevelStopped is the level of a node whose container does not run.
const LevelStopped node.Level = "stopped"

// askTime is what one node gets to say how it is.
const askTime = 30 * time.Second

// NodeStatus is how one node of the cluster is.
type NodeStatus struct {
	Node    string     `json:"node"`
	Role    string     `json:"role"`
	Address string     `json:"address"`
	Level   node.Level `json:"level"` // node's levels, or LevelStopped
	// Problem is why it isn't in its role, in a line; "" if it is.
	Problem string       `json:"problem,omitempty"`
	Status  *node.Status `json:"status,omitempty"` // what forge-node says; nil: nothing
}

// Status asks all nodes at once how they are. A node that does not answer is no error.
func (f *Fleet) Status(ctx context.Context) ([]NodeStatus, error) {
	boxes, err := f.Boxes(ctx)
	if err != nil {
		return nil, err
	}
	if len(boxes) == 0 {
		return nil, f.notUp()
	}
	all := make([]NodeStatus, len(boxes))
	var asks errgroup.Group
	for i, b := range boxes {
		asks.Go(func() error {
			all[i] = f.ask(ctx, b)
			return nil
		})
	}
	_ = asks.Wait()
	return all, ctx.Err()
}

func (f *Fleet) ask(ctx context.Context, b Box) NodeStatus {
	s := NodeStatus{Node: b.Node, Role: b.Role, Address: b.Address, Level: LevelStopped}
	if b.State != container.StateRunning {
		s.Problem = "its container is not running: " + b.Status
		return s
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer after %v", askTime))
	defer cancel()
	s.Level = node.LevelStarting
	out, err := f.Run(ctx, b.ID, "forge-node", "status", "--json")
	if err != nil {
		s.Problem = fmt.Sprintf("forge-node does not say how it is: %v", err)
		return s
	}
	var said node.Status
	if err := json.Unmarshal(out.Out, &said); err != nil {
		s.Problem = fmt.Sprintf("forge-node does not say how it is: exit status %d, %s", out.Code, firstLine(out.Err))
		return s
	}
	return StatusOf(s, &said)
}

// StatusOf is s with what its node says.
func StatusOf(s NodeStatus, said *node.Status) NodeStatus {
	s.Status, s.Level, s.Problem = said, said.Level, why(said)
	return s
}

// Starting is s as a node that says nothing yet.
func Starting(s NodeStatus, problem string) NodeStatus {
	s.Level, s.Problem = node.LevelStarting, problem
	return s
}

// why says in one line what keeps a node from being in its role.
func why(s *node.Status) string {
	switch {
	case s.Level == node.LevelInRole:
		return ""
	case len(s.Errors) > 0:
		return s.Errors[0]
	case len(s.Waits) > 0:
		return "waits for " + strings.Join(s.Waits, ", ")
	case len(s.Pending) > 0:
		return s.Pending[0]
	}
	return ""
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return line
}
