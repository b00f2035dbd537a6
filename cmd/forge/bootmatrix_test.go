//go:build soak

package main_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/vm"
	"github.com/mesos-forge/forge/builder/node"
)

// TestBootMatrix boots the golden image and the roles' own images as each role, by each way to say which
// node a machine is, and by each firmware, two at a time.
func TestBootMatrix(t *testing.T) {
	needMachine(t)
	f := builtGolden(t)
	if out, errs, code := f.run("build", "--role", "slave"); code != 0 {
		t.Fatalf("forge build: exit status %d\n%s%s", code, out, errs)
	}
	b := f.builder(t)
	inventory := filepath.Join(f.checkout, "cluster.example.yaml")
	two := make(chan struct{}, 2)
	for _, role := range []string{"master", "slave"} {
		name := role + "1"
		for _, way := range []struct{ said, identity, append, source string }{
			{"in user-data", "user-data", "", "/etc/forge/node.yaml"},
			{"in meta-data", "meta-data", "", "cloud-init's meta-data"},
			{"on the command line", "none", fmt.Sprintf("forge.role=%s forge.node=%s", role, name), "the kernel command line"},
			{"by role and address", "none", "forge.role=" + role, "the machine's address"},
		} {
			for _, image := range []string{"all", role} {
				for _, firmware := range []vm.Firmware{vm.BIOS, vm.UEFI} {
					t.Run(fmt.Sprintf("%s of image %s by %s, said %s", name, image, firmware, way.said), func(t *testing.T) {
						t.Parallel()
						two <- struct{}{}
						defer func() { <-two }()
						ctx, cancel := context.WithTimeout(t.Context(), bootTime)
						defer cancel()
						m, err := b.Boot(ctx, builder.BootOptions{Role: image, Firmware: firmware, Append: way.append,
							SerialLog: filepath.Join(t.TempDir(), "serial.log"),
							Seed:      builder.SeedOptions{Node: name, Inventory: inventory, Identity: way.identity}})
						if err != nil {
							t.Fatal(err)
						}
						defer m.Close()
						r, err := m.Reach(ctx, node.LevelConfigured)
						if err != nil {
							t.Fatal(err)
						}
						if s := r.Status; s.Node != name || s.Role != role || s.Source != way.source || len(s.Errors)+len(s.Warnings) > 0 {
							t.Errorf("status = %+v", s)
						}
						if err := m.PowerOff(ctx); err != nil {
							t.Error(err)
						}
					})
				}
			}
		}
	}
}
