package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mesos-forge/forge/builder/node"
)

const (
	maxRequest = 256 // bytes of one line
	maxLog     = 500 // lines of one answer
	idle       = 250 * time.Millisecond
)

// failure is the answer to a request that could not be served.
type failure struct {
	Error string `json:"error"`
}

// logLines is the answer to "log".
type logLines struct {
	Lines []string `json:"lines"`
}

// serve answers the host over a serial port. A request is one line, its answer
// one line of JSON: the status, the facts, {"lines": [...]}, or {"error": ...}.
//
//	status      node.Status
//	facts       node.Facts
//	log [N]     the journal's last N lines
//	version     {"version": ...}
func (p *program) serve(ctx context.Context, args []string) (int, error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	port := flags.String("port", channelPort, "the port's device")
	if err := p.parse(flags, args, 0); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(*port, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("open the channel to the host: %w", err)
	}
	defer func() { _ = f.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	defer stop()
	err = p.answerAll(ctx, f)
	if ctx.Err() != nil {
		return exitOK, nil
	}
	return exitOK, err
}

// answerAll answers until ctx ends. While nobody on the host has the other end
// open, reading such a port gives end of file at once: so it waits and tries again.
func (p *program) answerAll(ctx context.Context, port io.ReadWriter) error {
	in := bufio.NewReaderSize(port, maxRequest)
	var line []byte
	for ctx.Err() == nil {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) <= maxRequest {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue // the rest of a line that is too long is dropped
		case errors.Is(err, io.EOF):
			time.Sleep(idle)
			continue
		case err != nil:
			return fmt.Errorf("read from the host: %w", err)
		}
		request := strings.TrimSpace(string(line))
		line = line[:0]
		if request == "" {
			continue
		}
		if err := json.NewEncoder(port).Encode(p.answer(ctx, request)); err != nil {
			return fmt.Errorf("answer the host: %w", err)
		}
	}
	return nil
}

func (p *program) answer(ctx context.Context, request string) any {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	words := strings.Fields(request)
	switch {
	case request == "status":
		return p.node.Status(ctx)
	case request == "facts":
		return p.node.Facts()
	case request == "version":
		return map[string]string{"version": version}
	case words[0] == "log" && len(words) <= 2:
		lines, err := p.journal(ctx, words[1:])
		if err != nil {
			return failure{err.Error()}
		}
		return logLines{lines}
	}
	return failure{fmt.Sprintf("unknown request %.40q; there are: status, facts, log N, version", request)}
}

// journal returns the last lines of the journal, oldest first.
func (p *program) journal(ctx context.Context, args []string) ([]string, error) {
	n := 50
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil || n < 1 {
			return nil, usageError{fmt.Sprintf("log: %q is not a number of lines", args[0])}
		}
	}
	argv := []string{"journalctl", "--no-pager", "--quiet", "--output=short-iso", "--lines=" + strconv.Itoa(min(n, maxLog))}
	out, err := p.node.Exec(ctx, node.User{}, argv)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n"), nil
}

func (p *program) log(ctx context.Context, args []string) (int, error) {
	flags := flag.NewFlagSet("log", flag.ContinueOnError)
	if err := p.parse(flags, args, 1); err != nil {
		return 0, err
	}
	lines, err := p.journal(ctx, flags.Args())
	if err != nil {
		return 0, err
	}
	_, err = fmt.Fprintln(p.stdout, strings.Join(lines, "\n"))
	return exitOK, err
}

func (p *program) facts(_ context.Context, args []string) (int, error) {
	if err := p.parse(flag.NewFlagSet("facts", flag.ContinueOnError), args, 0); err != nil {
		return 0, err
	}
	enc := json.NewEncoder(p.stdout)
	enc.SetIndent("", "  ")
	return exitOK, enc.Encode(p.node.Facts())
}
