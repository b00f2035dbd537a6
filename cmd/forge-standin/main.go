// Command forge-standin holds the labelled stand-ins for software that has no public download
// any more (design section 4). It is one static binary; the name it is called by, or else its
// first argument, chooses the daemon: mesos-master, mesos-slave or mesos-agent.
//
// The version that it imitates stands in a file "version" beside the binary; without one it is
// 1.11.0. A stand-in checks the wiring of a cluster. It never runs a task, and it says so in its
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

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/mesos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args, os.Environ(), os.Stdout, os.Stderr))
}

// run chooses the daemon and returns its exit status; 2 means that no daemon was named.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	version, err := imitatedVersion()
	if err != nil {
		fmt.Fprintln(stderr, "forge-standin:", err)
		return 2
	}
	for len(args) > 0 {
		name := filepath.Base(args[0])
		if program, ok := mesos.ProgramNamed(name); ok {
			p := mesos.Process{Program: program, Name: name, Version: version,
				Args: args[1:], Env: env, Stdout: stdout, Stderr: stderr}
			return p.Run(ctx)
		}
		if name != "forge-standin" {
			break
		}
		args = args[1:]
	}
	fmt.Fprintln(stderr, "usage: forge-standin mesos-master|mesos-slave|mesos-agent [--flag=value ...]")
	return 2
}

// imitatedVersion reads the file "version" beside the binary (links followed).
func imitatedVersion() (mesos.Version, error) {
	exe, err := os.Executable()
	if err != nil {
		return mesos.Version{}, fmt.Errorf("find own path: %w", err)
	}
	path := filepath.Join(filepath.Dir(exe), "version")
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return mesos.ParseVersion(mesos.DefaultVersion)
	}
	if err != nil {
		return mesos.Version{}, fmt.Errorf("read the version to imitate: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return mesos.Version{}, fmt.Errorf("read %s: %w", path, err)
	}
	v, err := mesos.ParseVersion(strings.TrimSpace(string(text)))
	if err != nil {
		return mesos.Version{}, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
