package mesos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"time"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/group"
	"github.com/mesos-forge/forge/cmd/forge-standin/internal/web"
)

// registration is what an agent sends to the leading master, on a stand-in endpoint: the real
// daemons speak protobuf messages of libprocess here.
type registration struct {
	PID        string         `json:"pid"`
	Hostname   string         `json:"hostname"`
	Port       int            `json:"port"`
	Version    string         `json:"version"`
	Resources  map[string]any `json:"resources"`
	Attributes map[string]any `json:"attributes"`
}

// registered is the master's answer.
type registered struct {
	ID        string `json:"id"`
	Heartbeat int64  `json:"heartbeat_ms"` // the agent registers again this often
}

type slave struct {
	*settings
	log   *logger
	end   *endpoint
	start time.Time

	mu     sync.Mutex
	id     string
	leader *masterInfo // nil: none
}

func (s *slave) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	mux := http.NewServeMux()
	s.common(mux, "slave(1)", s.state)
	errs := make(chan error, 2)
	go func() { errs <- s.end.serve(ctx, mux) }()
	go func() { errs <- s.follow(ctx) }()
	err := <-errs
	cancel()
	s.unregister()
	return errors.Join(err, <-errs)
}

// follow keeps the agent registered with whichever master leads.
func (s *slave) follow(ctx context.Context) error {
	leaders := make(chan *masterInfo, 1)
	errs := make(chan error, 1)
	if s.zk == nil {
		host, port, err := hostPort(s.direct)
		if err != nil {
			return err
		}
		leaders <- &masterInfo{PID: "master@" + s.direct, Hostname: host,
			Address: masterAddress{Hostname: host, IP: host, Port: port}}
	} else {
		s.log.Info("No leading master: waiting for one in ZooKeeper at %s", s.zk.Path)
		go func() { errs <- s.detect(ctx, leaders) }()
	}
	var leader *masterInfo
	for {
		wait := time.Hour
		if leader != nil {
			wait = s.register(ctx, leader)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case err := <-errs:
			timer.Stop()
			if ctx.Err() != nil {
				return nil
			}
			return err
		case leader = <-leaders:
			s.setLeader(leader)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// detect sends the leader each time that it changes; nil when there is none.
func (s *slave) detect(ctx context.Context, leaders chan<- *masterInfo) error {
	g := s.member(s.log)
	for {
		conn, err := g.Connect(ctx)
		if err != nil {
			return err
		}
		current := "-"
		err = g.Watch(ctx, conn, s.zk.Path, func(children []string) error {
			member := leaderOf(children)
			if member == current {
				return nil
			}
			var leader *masterInfo
			if member != "" {
				m, err := s.readLeader(conn, member)
				if err != nil {
					s.log.Error("Failed to detect the leader: %v", err)
					return nil
				}
				leader = m
			}
			current = member
			select {
			case leaders <- leader:
			case <-ctx.Done():
			}
			return nil
		})
		conn.Close()
		if !errors.Is(err, group.ErrSessionLost) {
			return err
		}
		s.log.Warning("ZooKeeper session expired; connecting again")
	}
}

// retryEvery is the pause after a registration that failed.
const retryEvery = time.Second

func (s *settings) zkTimeout() time.Duration {
	if d := s.flags.Duration("zk_session_timeout"); d > 0 {
		return d
	}
	return 10 * time.Second
}

func (s *slave) setLeader(m *masterInfo) {
	s.mu.Lock()
	s.leader = m
	s.mu.Unlock()
	if m == nil {
		s.log.Info("No leading master: lost leading master, waiting for another")
		return
	}
	s.log.Info("New master detected at %s", m.PID)
}

// register sends one registration and returns how long to wait for the next.
func (s *slave) register(ctx context.Context, m *masterInfo) time.Duration {
	s.mu.Lock()
	id := s.id
	s.mu.Unlock()
	var reply registered
	if err := s.post(ctx, m, "register", &reply); err != nil {
		s.log.Warning("Will retry registration with %s: %v", m.PID, err)
		return retryEvery
	}
	if reply.ID != id {
		s.mu.Lock()
		s.id = reply.ID
		s.mu.Unlock()
		s.log.Info("Registered with master %s; given agent ID %s", m.PID, reply.ID)
	}
	return max(time.Duration(reply.Heartbeat)*time.Millisecond, 100*time.Millisecond)
}

// unregister tells the master that the agent stops, as closing the link does for a real one.
func (s *slave) unregister() {
	s.mu.Lock()
	leader, id := s.leader, s.id
	s.mu.Unlock()
	if leader == nil || id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.post(ctx, leader, "unregister", nil); err != nil {
		s.log.Warning("Failed to unregister from %s: %v", leader.PID, err)
	}
}

func (s *slave) post(ctx context.Context, m *masterInfo, what string, reply any) error {
	body, err := json.Marshal(registration{PID: s.end.pid("slave(1)"), Hostname: s.end.hostname,
		Port: s.end.port, Version: s.version.String(), Resources: s.totals(), Attributes: s.attrs})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	to := url.URL{Scheme: "http", Host: m.hostPort(), Path: "/standin/" + what}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", to.Host, resp.Status)
	}
	if reply == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(reply)
}

// totals are the resources of the agent: those given, and the usual defaults.
func (s *slave) totals() map[string]any {
	out := map[string]any{"cpus": float64(runtime.NumCPU()), "mem": memoryMB(), "ports": "[31000-32000]"}
	for k, v := range s.resources {
		out[k] = v
	}
	return out
}

func (s *slave) state(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	id, leader := s.id, s.leader
	s.mu.Unlock()
	out := map[string]any{
		"standin": true, "version": s.version.String(), "id": id, "pid": s.end.pid("slave(1)"),
		"hostname": s.end.hostname, "start_time": seconds(s.start), "flags": s.flags.Map(),
		"resources": s.totals(), "attributes": s.attrs,
		"frameworks": []any{}, "completed_frameworks": []any{},
	}
	if leader != nil {
		out["master_hostname"] = leader.Hostname
	}
	if dir, ok := s.flags.Get("log_dir"); ok {
		out["log_dir"] = dir
	}
	web.Answer(w, out)
}
