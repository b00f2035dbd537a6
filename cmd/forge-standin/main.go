// Command forge-standin holds the labelled stand-ins for software that has no public download
// any more (design section 4). It is one static binary; the name it is called by, or else its
// first argument, chooses the daemon: mesos-master, mesos-slave, mesos-agent or marathon.
//
// The version that it imitates stands in a file "version" beside the binary; without one it is
// Mesos 1.11.0, or Marathon 1.5.11. A stand-in checks the wiring of a cluster. It never runs a task, and it says so in its
// log, its version, its HTTP answers and in the state that it reports.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/marathon"
	"github.com/mesos-forge/forge/cmd/forge-standin/internal/mesos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args, os.Environ(), os.Stdout, os.Stderr))
}

// run chooses the daemon and returns its exit status; 2 means that no daemon was named, or that what
// it imitates can't be read.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	for len(args) > 0 {
		name := filepath.Base(args[0])
		program, isMesos := mesos.ProgramNamed(name)
		var status int
		var err error
		switch {
		case isMesos:
			p := mesos.Process{Program: program, Name: name, Args: args[1:], Env: env, Stdout: stdout, Stderr: stderr}
			if p.Version, err = imitated(mesos.DefaultVersion, mesos.ParseVersion); err == nil {
				status = p.Run(ctx)
			}
		case name == "marathon":
			p := marathon.Process{Args: args[1:], Env: env, Stdout: stdout, Stderr: stderr}
			if p.Version, err = imitated(marathon.DefaultVersion, marathon.ParseVersion); err == nil {
				status = p.Run(ctx)
			}
		case name == "forge-standin":
			args = args[1:]
			continue
		default:
			args = nil
			continue
		}
		if err != nil {
			fmt.Fprintln(stderr, "forge-standin:", err)
			return 2
		}
		return status
	}
	fmt.Fprintln(stderr, "usage: forge-standin mesos-master|mesos-slave|mesos-agent [--flag=value ...]\n"+
		"       forge-standin marathon [--flag value ...]")
	return 2
}

// imitated parses the file "version" beside the binary (links followed), or the default where there is none.
func imitated[V any](otherwise string, parse func(string) (V, error)) (v V, err error) {
	exe, err := os.Executable()
	if err != nil {
		return v, fmt.Errorf("find own path: %w", err)
	}
	path := filepath.Join(filepath.Dir(exe), "version")
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return parse(otherwise)
	}
	if err != nil {
		return v, fmt.Errorf("read the version to imitate: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return v, fmt.Errorf("read %s: %w", path, err)
	}
	if v, err = parse(strings.TrimSpace(string(text))); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
