package vm

import (
	"context"
	"fmt"
	"time"

	"github.com/mesos-forge/forge/builder/node"
)

func ask[T any](ctx context.Context, m *Machine, request string) (*T, error) {
	ctx, cancel := m.whileRunning(ctx)
	defer cancel(nil)
	v := new(T)
	err := m.channel.ask(ctx, request, v)
	if err == nil {
		return v, nil
	}
	if ctx.Err() == nil { // QEMU's sockets go a moment before it does
		select {
		case <-m.done:
			return nil, m.ended()
		case <-time.After(lastMoment):
		}
	}
	return nil, fmt.Errorf("vm: machine %s: %w", m.spec.Name, err)
}

// Status asks the agent how the node is. It waits for the agent as long as ctx allows.
func (m *Machine) Status(ctx context.Context) (*node.Status, error) {
	return ask[node.Status](ctx, m, "status")
}

// Facts asks the agent what tells this machine from others: machine-id, host keys, sizes, ports.
func (m *Machine) Facts(ctx context.Context) (*node.Facts, error) {
	return ask[node.Facts](ctx, m, "facts")
}

// Log asks the agent for the last lines of the journal, oldest first.
func (m *Machine) Log(ctx context.Context, lines int) ([]string, error) {
	type answer struct {
		Lines []string `json:"lines"`
	}
	got, err := ask[answer](ctx, m, fmt.Sprintf("log %d", lines))
	if err != nil {
		return nil, err
	}
	return got.Lines, nil
}
