package marathon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/mesos"
	"github.com/mesos-forge/forge/cmd/forge-standin/internal/web"
)

//lint:file-ignore ST1005 the texts are in the form of the real daemon

// serverName is the Server header of every answer.
const serverName = "forge-standin (STAND-IN, not Marathon)"

// Process is one start of the daemon.
type Process struct {
	Version        Version
	Args, Env      []string
	Stdout, Stderr io.Writer
}

// Run checks the settings and runs the daemon until ctx ends. It returns the exit status: 0 after SIGTERM,
// --help and --version, 1 for whatever makes the real one exit.
func (p Process) Run(ctx context.Context) int {
	f := newFlags(p.Version)
	err := f.load(p.Version, p.Env, p.Args)
	switch {
	case f.Get("help") == "true":
		fmt.Fprint(p.Stdout, f.usage())
		return 0
	case f.Get("version") == "true":
		fmt.Fprintf(p.Stdout, "marathon %s (forge STAND-IN, not Marathon)\n", p.Version)
		return 0
	case err != nil:
		fmt.Fprintf(p.Stderr, "[scallop] Error: %v\n", err)
		return 1
	}
	if err := p.serve(ctx, f); err != nil {
		fmt.Fprintln(p.Stderr, err)
		return 1
	}
	return 0
}

func (p Process) serve(ctx context.Context, f *Flags) error {
	d, err := p.check(f)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(f.Get("http_address"), f.Get("http_port")))
	if err != nil {
		return fmt.Errorf("Failed to bind to %s:%s: %w", f.Get("http_address"), f.Get("http_port"), err)
	}
	d.log.Warning("STAND-IN: forge's test double of Marathon %s. It checks settings and wiring and runs no apps.", p.Version)
	d.log.Info("Listening on %s, advertised as %s", ln.Addr(), d.id)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, 2)
	go func() { errs <- web.Serve(ctx, ln, serverName, d.routes()) }()
	go func() { errs <- d.contend(ctx) }()
	err = <-errs
	cancel()
	return errors.Join(err, <-errs)
}

// check holds the rules that the real one has beyond its flags' forms.
func (p Process) check(f *Flags) (*daemon, error) {
	d := &daemon{version: p.Version, flags: f, log: &logger{out: p.Stderr}, started: time.Now()}
	master := f.Get("master")
	switch {
	case strings.HasPrefix(master, "zk://"):
		if _, err := mesos.ParseZKURL(master); err != nil {
			return nil, fmt.Errorf("Failed to parse --master '%s': %w", master, err)
		}
	case strings.Contains(master, "://") && !strings.HasPrefix(master, "http://") && !strings.HasPrefix(master, "https://"),
		!strings.Contains(master, "://") && !hasPort(master):
		return nil, fmt.Errorf("Failed to parse --master '%s': neither zk://HOST:PORT,.../PATH nor HOST:PORT", master)
	}
	zk, err := mesos.ParseZKURL(f.Get("zk"))
	if err != nil {
		return nil, fmt.Errorf("Failed to parse --zk '%s': %w", f.Get("zk"), err)
	}
	d.zk = zk
	host := f.Get("hostname")
	if host == "" {
		if host, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	d.id = net.JoinHostPort(host, f.Get("http_port"))
	return d, nil
}

func hasPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	return err == nil && host != "" && port != ""
}

// logger writes lines as the real one does.
type logger struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *logger) write(level, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.out, "[%s] %s standin: %s\n", time.Now().UTC().Format("2006-01-02 15:04:05,000"), level, fmt.Sprintf(format, args...))
}

// Info and Warning are lines of the log.
func (l *logger) Info(format string, args ...any)    { l.write("INFO ", format, args...) }
func (l *logger) Warning(format string, args ...any) { l.write("WARN ", format, args...) }
