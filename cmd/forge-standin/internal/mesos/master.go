package mesos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/group"
)

//lint:file-ignore ST1005 the texts are those of the real daemon

type master struct {
	*settings
	log   *logger
	end   *endpoint
	start time.Time
	info  masterInfo

	mu        sync.Mutex
	elected   time.Time // zero: not leading
	recovered bool      // the registry's quorum was there; agents may register
	leader    *masterInfo
	agents    map[string]*agent // by pid
}

type agent struct {
	registration
	ID         string
	Registered time.Time
	Last       time.Time
	Active     bool
}

func (m *master) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.agents = map[string]*agent{}
	mux := http.NewServeMux()
	m.common(mux, "master", m.state)
	mux.HandleFunc("GET /master/slaves", m.slaves)
	mux.HandleFunc("GET /slaves", m.slaves)
	mux.HandleFunc("GET /master/redirect", m.redirect)
	mux.HandleFunc("POST /standin/register", m.register)
	mux.HandleFunc("POST /standin/unregister", m.unregister)
	errs := make(chan error, 2)
	go func() { errs <- m.end.serve(ctx, mux) }()
	go func() { errs <- m.contend(ctx) }()
	err := <-errs
	cancel()
	return errors.Join(err, <-errs)
}

// contend takes part in the election until ctx ends. A master that loses its candidacy exits, as
// the real one does, and is started again.
func (m *master) contend(ctx context.Context) error {
	if m.zk == nil {
		m.mu.Lock()
		m.leader, m.elected, m.recovered = &m.info, time.Now(), true
		m.mu.Unlock()
		m.log.Info("The newly elected leader is %s with id %s", m.info.PID, m.info.ID)
		<-ctx.Done()
		return nil
	}
	g := m.member(m.log)
	conn, err := g.Connect(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	defer conn.Close()
	own, err := m.join(g, conn)
	if err != nil {
		return stopped(ctx, err)
	}
	err = g.Watch(ctx, conn, m.zk.Path, func(children []string) error {
		return m.changed(ctx, g, conn, path.Base(own), children)
	})
	if errors.Is(err, group.ErrSessionLost) {
		return fmt.Errorf("Lost candidacy as a leader... committing suicide!")
	}
	return stopped(ctx, err)
}

// stopped turns an error that comes from ctx's end into none.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// join enters the election and, with a replicated log, the group of its replicas.
func (m *master) join(g *group.Group, conn *zk.Conn) (string, error) {
	if m.quorum > 0 {
		if _, err := g.Join(conn, m.replicas(), "", []byte(m.end.pid("log-replica(1)"))); err != nil {
			return "", fmt.Errorf("Failed to join the replica group: %w", err)
		}
	}
	data, err := m.info.encode(m.version)
	if err != nil {
		return "", err
	}
	label := "json.info_"
	if m.version.old() {
		label = "info_"
	}
	own, err := g.Join(conn, m.zk.Path, label, data)
	if err != nil {
		return "", fmt.Errorf("Failed to contend: %w", err)
	}
	m.log.Info("Candidate in the election as %s", own)
	return own, nil
}

func (m *master) replicas() string { return m.zk.Path + "/log_replicas" }

// changed is called with the members each time they change.
func (m *master) changed(ctx context.Context, g *group.Group, conn *zk.Conn, own string, children []string) error {
	member := leaderOf(children)
	m.mu.Lock()
	wasLeading := !m.elected.IsZero()
	m.mu.Unlock()
	if wasLeading && member != own {
		return fmt.Errorf("Lost leadership... committing suicide!")
	}
	if wasLeading {
		return nil
	}
	var leader *masterInfo
	if member == own {
		leader = &m.info
	} else if member != "" {
		l, err := m.readLeader(conn, member)
		if err != nil {
			m.log.Error("Failed to detect the leader: %v", err)
		}
		leader = l
	}
	m.mu.Lock()
	m.leader = leader
	if member == own {
		m.elected = time.Now()
	}
	m.mu.Unlock()
	switch {
	case leader == nil:
		m.log.Info("No leading master")
	case member == own:
		m.log.Info("Elected as the leading master!")
		return m.recover(ctx, g, conn)
	default:
		m.log.Info("The newly elected leader is %s", leader.PID)
	}
	return nil
}

// recover waits for a quorum of replicas, as reading the registry does; without one the real
// master exits after --registry_fetch_timeout.
func (m *master) recover(ctx context.Context, g *group.Group, conn *zk.Conn) error {
	if m.quorum == 0 {
		m.setRecovered(0)
		return nil
	}
	timeout := m.flags.Duration("registry_fetch_timeout")
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	enough := errors.New("enough replicas")
	seen := 0
	err := g.Watch(ctx, conn, m.replicas(), func(children []string) error {
		seen = len(children)
		if seen >= m.quorum {
			return enough
		}
		m.log.Info("Waiting for %d/%d replicas of the registry", seen, m.quorum)
		return nil
	})
	switch {
	case errors.Is(err, enough):
		m.setRecovered(seen)
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		text, _ := m.flags.Get("registry_fetch_timeout")
		return fmt.Errorf("Recovery failed: Failed to recover registrar: Failed to perform fetch within %s "+
			"(%d of %d replicas)", text, seen, m.quorum)
	}
	return err
}

func (m *master) setRecovered(replicas int) {
	m.mu.Lock()
	m.recovered = true
	m.mu.Unlock()
	m.log.Info("Recovered the registrar (%d replicas, quorum %d)", replicas, m.quorum)
}
