package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-forge/forge/builder/node"
)

// containerInit is PID 1 of a container: it runs container-run as its child,
// hands signals on to it, reaps whatever is orphaned, and ends as its child does.
// The work is done in the child because a process that reaps everything can't
// wait for programs of its own.
func (p *program) containerInit(_ context.Context, args []string) (int, error) {
	if err := p.parse(flag.NewFlagSet("container-init", flag.ContinueOnError), args, 0); err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGPWR)
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	child, err := syscall.ForkExec(self, []string{self, "container-run"}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start container-run: %w", err)
	}
	go func() {
		for range signals {
			_ = unix.Kill(child, unix.SIGTERM)
		}
	}()
	return reapUntil(child)
}

func reapUntil(child int) (int, error) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for processes: %w", err)
		case pid == child && status.Signaled():
			return 128 + int(status.Signal()), nil
		case pid == child && status.Exited():
			return status.ExitStatus(), nil
		}
	}
}

// containerRun starts runsvdir, applies, and keeps the services running until ctx ends, by
// SIGTERM; then it stops them and waits for them.
func (p *program) containerRun(ctx context.Context, args []string) (int, error) {
	if err := p.parse(flag.NewFlagSet("container-run", flag.ContinueOnError), args, 0); err != nil {
		return 0, err
	}
	runit, ok := p.node.Supervisor.(*node.Runit)
	if !ok {
		return 0, errors.New("runit is not installed: a container of forge needs the package runit")
	}
	// What an earlier start of this container left behind says nothing about this one.
	for _, old := range []string{runit.Dir, "/run/forge/outcome.json"} {
		if err := os.RemoveAll(old); err != nil {
			return 0, err
		}
	}
	if err := runit.Reload(ctx, nil); err != nil { // makes the directory that runsvdir watches
		return 0, err
	}
	runsvdir := exec.Command("runsvdir", "-P", runit.ServiceDir())
	runsvdir.Stdin, runsvdir.Stdout, runsvdir.Stderr = nil, os.Stdout, os.Stderr
	runsvdir.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"}
	runsvdir.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := runsvdir.Start(); err != nil {
		return 0, fmt.Errorf("start runsvdir: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- runsvdir.Wait() }()
	services, err := p.applyInContainer(ctx)
	if err != nil {
		return 0, errors.Join(err, p.shutdown(runit, services, runsvdir.Process, ended))
	}
	select {
	case err := <-ended:
		return 0, fmt.Errorf("runsvdir ended by itself: %w", errors.Join(err, errors.New("the container stops")))
	case <-ctx.Done():
	}
	return exitOK, p.shutdown(runit, services, runsvdir.Process, ended)
}

// applyInContainer returns the services that it started. A container goes on
// while some of them are not up yet, as a machine does.
func (p *program) applyInContainer(ctx context.Context) ([]node.RenderedService, error) {
	_, err := p.apply(ctx, nil)
	if e := new(applyError); errors.As(err, &e) && node.OnlyNotUp(e.err) {
		p.complain(err)
		if node.WaitsForPeers(e.err) {
			go p.resumeInContainer(ctx)
		}
		err = nil
	}
	resolved, problem := p.node.Resolve()
	if err != nil || problem != nil {
		return nil, errors.Join(err, problem)
	}
	return resolved.Rendering.Services, nil
}

// resumeInContainer goes on until nothing waits or the container stops.
func (p *program) resumeInContainer(ctx context.Context) {
	if _, err := p.resume(ctx, nil); err != nil && ctx.Err() == nil {
		p.complain(err)
	}
}

// shutdown gives services as long as the most patient of them wants. The
// engine's own patience (docker stop --time) must be longer.
func (p *program) shutdown(runit *node.Runit, services []node.RenderedService, runsvdir *os.Process, ended <-chan error) error {
	seconds := 20
	for _, s := range services {
		seconds = max(seconds, s.StopSeconds)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds+10)*time.Second)
	defer cancel()
	_, _ = fmt.Fprintln(p.stdout, "forge-node: stopping services")
	err := runit.Shutdown(ctx, seconds)
	if err2 := runsvdir.Signal(unix.SIGHUP); err2 != nil { // it then ends every runsv, and itself
		return errors.Join(err, err2)
	}
	select {
	case <-ended: // by the signal
		_, _ = fmt.Fprintln(p.stdout, "forge-node: all services stopped")
		return err
	case <-ctx.Done():
		return errors.Join(err, errors.New("runsvdir does not end"))
	}
}
