package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/node"
)

const (
	channelPort = "/dev/virtio-ports/org.forge.node.0"
	channelJob  = "forge-node-channel"
	resumeJob   = "forge-node-resume"
	resumePause = 15 * time.Second
)

func (p *program) apply(ctx context.Context, args []string) (int, error) {
	if err := p.parse(flag.NewFlagSet("apply", flag.ContinueOnError), args, 0); err != nil {
		return 0, err
	}
	p.openChannel(ctx)
	r, err := p.node.Apply(ctx, p.sink())
	if node.WaitsForPeers(err) && p.resumeLater(ctx) {
		p.complain(err)
		return exitOK, nil
	}
	if err != nil {
		return 0, &applyError{err}
	}
	_, err = fmt.Fprintf(p.stdout, "forge-node: node %s of cluster %s, role %s: configured; services: %s\n",
		r.Identity.Node, r.Data().Cluster.Name, r.Identity.Role, strings.Join(r.Data().Services, ", "))
	return exitOK, err
}

// applyError is what the console shows: a line for each problem, and what to do.
type applyError struct{ err error }

func (e *applyError) Unwrap() error { return e.err }

func (e *applyError) Error() string {
	var lines []string
	for line := range strings.Lines(e.err.Error()) { // joined errors have a line each
		lines = append(lines, "FAILED: "+strings.TrimSpace(line))
	}
	lines = append(lines, "mend what this names, then run forge-node apply or reboot; forge-node status says how the node is")
	return strings.Join(lines, "\nforge-node: ")
}

// resume applies again and again while services wait for peers before their
// first start, and returns how the last one ended.
func (p *program) resume(ctx context.Context, args []string) (int, error) {
	if err := p.parse(flag.NewFlagSet("resume", flag.ContinueOnError), args, 0); err != nil {
		return 0, err
	}
	for {
		_, err := p.node.Apply(ctx, p.sink())
		if err == nil {
			return exitOK, nil
		}
		if !node.WaitsForPeers(err) {
			return 0, &applyError{err}
		}
		if err := p.node.Sleep(ctx, resumePause); err != nil {
			return 0, err
		}
	}
}

// resumeLater has init run resume in the background, so that the machine's
// boot comes to its end.
func (p *program) resumeLater(ctx context.Context) bool {
	started, err := p.startJob(ctx, resumeJob)
	if err != nil {
		p.complain(err)
	}
	return started && err == nil
}

// openChannel lets the host ask questions, even if the rest fails.
func (p *program) openChannel(ctx context.Context) {
	if _, err := os.Stat(filepath.Join(p.node.Root, channelPort)); err != nil {
		return
	}
	if _, err := p.startJob(ctx, channelJob); err != nil {
		p.complain(err)
	}
}

// startJob has init start a job of the agent's own, where init does such things.
func (p *program) startJob(ctx context.Context, name string) (started bool, err error) {
	switch s := p.node.Supervisor.(type) {
	case *node.Systemd:
		_, err = s.Exec(ctx, node.User{}, []string{"systemctl", "start", "--no-block", name + ".service"})
	case *node.Upstart:
		_, err = s.Exec(ctx, node.User{}, []string{"initctl", "start", "--no-wait", name})
	default:
		return false, nil
	}
	return true, err
}

// sink prints what apply does: one line each, for the journal and the console.
func (p *program) sink() event.Sink {
	return event.Func(func(e event.Event) {
		prefix := ""
		if e.Kind == event.Warning {
			prefix = "warning: "
		}
		_, _ = fmt.Fprintf(p.stdout, "forge-node: %s%s\n", prefix, e.Message)
	})
}

func (p *program) render(_ context.Context, args []string) (int, error) {
	flags := flag.NewFlagSet("render", flag.ContinueOnError)
	name := flags.String("node", "", "render this node of the inventory instead of this machine's")
	to := flags.String("to", "", "write the files below this new directory instead of printing them")
	if err := p.parse(flags, args, 0); err != nil {
		return 0, err
	}
	rendering, err := p.rendering(*name)
	if err != nil {
		return 0, err
	}
	if *to != "" {
		return exitOK, rendering.Preview(*to)
	}
	_, err = fmt.Fprint(p.stdout, rendering.View())
	return exitOK, err
}

func (p *program) rendering(name string) (*node.Rendering, error) {
	if name == "" {
		r, err := p.node.Resolve()
		if err != nil {
			return nil, err
		}
		return r.Rendering, nil
	}
	img, err := node.LoadImage(p.node.Root)
	if err != nil {
		return nil, err
	}
	inv, err := p.node.Inventory()
	if err != nil {
		return nil, err
	}
	n, ok := inv.Node(name)
	if !ok {
		return nil, fmt.Errorf("node %q is not in the inventory; its nodes: %s", name, strings.Join(inv.NodeNames(), ", "))
	}
	return node.Render(img, inv, node.Target{Node: name, Role: n.Role, Machine: p.node.Machine(), Container: p.node.Container})
}
