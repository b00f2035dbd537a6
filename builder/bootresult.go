package builder

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
)

// BootResult says how a machine is that has reached a level.
type BootResult struct {
	Firmware  vm.Firmware  `json:"firmware"`
	Accel     vm.Accel     `json:"accelerator"`
	Seconds   float64      `json:"seconds"` // from power on to the level
	Inventory string       `json:"inventory"`
	SerialLog string       `json:"serial_log"`
	SSH       string       `json:"ssh,omitempty"` // 127.0.0.1:PORT
	Status    *node.Status `json:"status"`
	Facts     *node.Facts  `json:"facts"`
}

// Reach waits until the node has reached a level, and asks how it is. An error of the waiting is a
// *vm.WaitError.
func (m *Booted) Reach(ctx context.Context, level node.Level) (*BootResult, error) {
	status, err := m.WaitFor(ctx, level)
	if err != nil {
		return nil, err
	}
	r := &BootResult{Firmware: m.Firmware, Accel: m.Accel, Seconds: time.Since(m.started).Seconds(), Inventory: m.Seed.Inventory,
		SerialLog: m.SerialLog, SSH: m.SSH, Status: status}
	r.Facts, err = m.Facts(ctx)
	return r, err
}

// Describe is the result for people, in lines.
func (r *BootResult) Describe() string {
	var b strings.Builder
	b.WriteString(r.Status.Describe())
	fmt.Fprintf(&b, "booted by %s under %s, %s after %.0f s; root file system %.1f GiB, memory %d MiB; console: %s\n",
		r.Firmware, r.Accel, r.Status.Level, r.Seconds, float64(r.Facts.RootBytes)/(1<<30), r.Facts.Machine.RAM, r.SerialLog)
	if r.Status.Level == node.LevelConfigured && len(r.Status.Waits) > 0 {
		fmt.Fprintf(&b, "configured is as far as this node comes alone: to be in its role it needs %s\n", strings.Join(r.Status.Waits, ", "))
	}
	return b.String()
}
