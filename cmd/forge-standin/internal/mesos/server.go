package mesos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/web"
)

//lint:file-ignore ST1005 the texts are those of the real daemon

// serverName is the Server header of every answer.
const serverName = "forge-standin (STAND-IN, not Apache Mesos)"

// endpoint is where a daemon listens and what it calls itself.
type endpoint struct {
	listener net.Listener
	ip       string
	port     int
	hostname string
}

// listen binds like libprocess: to --ip or to all addresses, and advertises an address that the
// host's own name resolves to when no --ip is given.
func (s *settings) listen() (*endpoint, error) {
	bind := s.ip
	if bind == "" {
		bind = "0.0.0.0"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(bind, fmt.Sprint(s.port)))
	if err != nil {
		return nil, fmt.Errorf("Failed to initialize: Failed to bind on %s:%d: %w", bind, s.port, err)
	}
	e := &endpoint{listener: ln, ip: s.ip, port: ln.Addr().(*net.TCPAddr).Port}
	if v, ok := s.flags.Get("advertise_ip"); ok {
		e.ip = v
	}
	if e.ip == "" || net.ParseIP(e.ip).IsUnspecified() {
		if e.ip, err = ownAddress(); err != nil {
			ln.Close()
			return nil, err
		}
	}
	if v, ok := s.flags.Get("advertise_port"); ok {
		fmt.Sscan(v, &e.port) // checked while loading
	}
	e.hostname = s.hostname(e.ip)
	return e, nil
}

func (s *settings) hostname(ip string) string {
	if name, ok := s.flags.Get("hostname"); ok {
		return name
	}
	if lookup, ok := s.flags.Get("hostname_lookup"); ok && lookup == "false" {
		return ip
	}
	if names, err := net.LookupAddr(ip); err == nil && len(names) > 0 {
		return strings.TrimSuffix(names[0], ".")
	}
	return ip
}

func ownAddress() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("Failed to initialize: %w", err)
	}
	ips, err := net.LookupIP(name)
	if err != nil {
		return "", fmt.Errorf("Failed to obtain the IP address for '%s'; the DNS service may not be able to "+
			"resolve it: %w", name, err)
	}
	for _, ip := range ips {
		if v4 := ip.To4(); v4 != nil {
			return v4.String(), nil
		}
	}
	return "", fmt.Errorf("Failed to obtain the IP address for '%s': it has no IPv4 address", name)
}

// pid is libprocess' name of a process: id@ip:port.
func (e *endpoint) pid(id string) string {
	return id + "@" + net.JoinHostPort(e.ip, fmt.Sprint(e.port))
}

// serve answers until ctx ends.
func (e *endpoint) serve(ctx context.Context, h http.Handler) error {
	return web.Serve(ctx, e.listener, serverName, h)
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// common adds the endpoints that master and agent share. id is "master" or "slave(1)".
func (s *settings) common(mux *http.ServeMux, id string, state http.HandlerFunc) {
	for _, prefix := range []string{"", "/" + id} {
		mux.HandleFunc("GET "+prefix+"/health", ok)
		mux.HandleFunc("GET "+prefix+"/state", state)
		mux.HandleFunc("GET "+prefix+"/state.json", state)
		mux.HandleFunc("GET "+prefix+"/flags", func(w http.ResponseWriter, _ *http.Request) {
			web.Answer(w, map[string]any{"flags": s.flags.Map(), "standin": true})
		})
	}
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		web.Answer(w, map[string]any{"version": s.version.String(), "standin": true})
	})
}
