package mesos

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Process is one start of a daemon.
type Process struct {
	Program        Program
	Name           string // as it was called, for messages and log files
	Version        Version
	Args, Env      []string
	Stdout, Stderr io.Writer
}

// Run checks the settings and runs the daemon until ctx ends. It returns the exit status: 0 after
// SIGTERM, --help and --version, 1 for whatever makes the real daemon exit.
func (p Process) Run(ctx context.Context) int {
	f := newFlags(p.Name, flagsOf(p.Program, p.Version))
	err := f.load(p.Env, p.Args)
	switch { // --help and --version win over a required flag that is not there
	case f.Bool("help"):
		fmt.Fprintln(p.Stdout, f.usage(""))
		return 0
	case f.Bool("version"):
		fmt.Fprintf(p.Stdout, "mesos %s (forge STAND-IN, not Apache Mesos)\n", p.Version)
		return 0
	case err != nil:
		fmt.Fprintln(p.Stderr, f.usage(err.Error()))
		return 1
	}
	err = p.serve(ctx, f)
	var wrong usageError
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintln(p.Stderr, f.usage(wrong.message))
		return 1
	case err != nil:
		fmt.Fprintln(p.Stderr, err)
		return 1
	}
	return 0
}

func (p Process) serve(ctx context.Context, f *Flags) error {
	s, err := check(p.Program, p.Version, f)
	if err != nil {
		return err
	}
	log, err := newLogger(f, p.Name, p.Stderr)
	if err != nil {
		return err
	}
	defer log.close()
	end, err := s.listen()
	if err != nil {
		return err
	}
	log.Warning("STAND-IN: forge's test double of %s %s. It checks settings and wiring and runs no tasks.",
		p.Name, p.Version)
	log.Info("Flags at startup: %s", flagLine(f))
	log.Info("Listening on %s, advertised as %s:%d (%s)", end.listener.Addr(), end.ip, end.port, end.hostname)
	start := time.Now()
	if p.Program == Slave {
		err = (&slave{settings: s, log: log, end: end, start: start}).run(ctx)
	} else {
		info := newMasterInfo(strings.ToLower(rand.Text()), end.hostname, end.ip, end.port, p.Version)
		err = (&master{settings: s, log: log, end: end, start: start, info: info}).run(ctx)
	}
	if err != nil {
		log.Error("%v", err)
		return err
	}
	log.Info("Stopped")
	return nil
}

func flagLine(f *Flags) string {
	var parts []string
	for _, name := range f.names() {
		if v, ok := f.Get(name); ok {
			parts = append(parts, fmt.Sprintf("--%s=%q", name, v))
		}
	}
	return strings.Join(parts, " ")
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// memoryMB is what the real agent offers by default: all memory but one GB, or half of it.
func memoryMB() float64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer file.Close()
	var kb float64
	for s := bufio.NewScanner(file); s.Scan(); {
		if n, _ := fmt.Sscanf(s.Text(), "MemTotal: %f kB", &kb); n == 1 {
			break
		}
	}
	mb := float64(int64(kb / 1024))
	if mb > 2048 {
		return mb - 1024
	}
	return mb / 2
}
