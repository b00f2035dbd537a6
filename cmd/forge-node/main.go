// Command forge-node is the agent of a node: it makes a machine, or a
// container, the node of the inventory that it is, and says how that node is.
//
//	forge-node apply                        configure, initialise, start; run at every boot
//	forge-node resume                       apply again while services wait for peers before their first start
//	forge-node status [--json] [--level L]  how the node is
//	forge-node render [--node N] [--to DIR] show the configuration, change nothing
//	forge-node facts                        what this machine is, as JSON
//	forge-node log [N]                      the last lines of the journal
//	forge-node serve [--port FILE]          answer over a virtio-serial port
//	forge-node container-init               PID 1 of a container
//	forge-node version
//
// Exit status of status: 0 the node is in its role (or has reached the level
// asked for), 3 it is configured and waits, 1 it failed or is not there yet.
// Of the others: 0, or 1 with a message. 2: wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/mesos-forge/forge/builder/node"
)

// version is set at link time.
var version = "dev"

// Exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitWaiting = 3
)

// program is one run of the command: its machine and its outputs.
type program struct {
	node   *node.Node
	stdout io.Writer
	stderr io.Writer
}

// usageError is a mistake on the command line.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{node: node.New(), stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(ctx, os.Args[1:]))
}

func (p *program) commands() map[string]func(context.Context, []string) (int, error) {
	return map[string]func(context.Context, []string) (int, error){
		"apply": p.apply, "resume": p.resume, "status": p.status, "render": p.render, "facts": p.facts, "log": p.log,
		"serve": p.serve, "container-init": p.containerInit, "container-run": p.containerRun, "version": p.version,
	}
}

func (p *program) run(ctx context.Context, args []string) int {
	status, err := p.dispatch(ctx, args)
	var usage usageError
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		p.complain(err)
		return exitUsage
	case err != nil:
		p.complain(err)
		return exitFailed
	}
	return status
}

// complain prints an error whose output, as the last thing done, can't fail usefully.
func (p *program) complain(err error) {
	_, _ = fmt.Fprintf(p.stderr, "forge-node: %v\n", err)
}

func (p *program) dispatch(ctx context.Context, args []string) (int, error) {
	commands := p.commands()
	public := []string{"apply", "resume", "status", "render", "facts", "log", "serve", "container-init", "version"}
	if len(args) == 0 {
		return 0, usageError{"which command? " + strings.Join(public, ", ")}
	}
	if slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		_, err := fmt.Fprintf(p.stdout, "forge-node COMMAND: %s\nEach takes --help.\n", strings.Join(public, ", "))
		return exitOK, err
	}
	command, ok := commands[args[0]]
	if !ok {
		return 0, usageError{fmt.Sprintf("unknown command %q; there are: %s", args[0], strings.Join(public, ", "))}
	}
	return command(ctx, args[1:])
}

// parse reads a command's flags and refuses more than max other arguments.
func (p *program) parse(flags *flag.FlagSet, args []string, max int) error {
	flags.SetOutput(p.stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err.Error()}
	}
	if flags.NArg() > max {
		return usageError{fmt.Sprintf("%s: too many arguments: %s", flags.Name(), strings.Join(flags.Args(), " "))}
	}
	return nil
}

func (p *program) version(_ context.Context, args []string) (int, error) {
	if err := p.parse(flag.NewFlagSet("version", flag.ContinueOnError), args, 0); err != nil {
		return 0, err
	}
	_, err := fmt.Fprintln(p.stdout, "forge-node", version)
	return exitOK, err
}
