package mesos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
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
		m.log.info("The newly elected leader is %s with id %s", m.info.PID, m.info.ID)
		<-ctx.Done()
		return nil
	}
	g := &group{url: *m.zk, timeout: m.zkTimeout(), log: m.log}
	conn, err := g.connect(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	defer conn.Close()
	own, err := m.join(g, conn)
	if err != nil {
		return stopped(ctx, err)
	}
	err = g.watch(ctx, conn, m.zk.Path, func(children []string) error {
		return m.changed(ctx, g, conn, path.Base(own), children)
	})
	if errors.Is(err, errSessionLost) {
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
func (m *master) join(g *group, conn *zk.Conn) (string, error) {
	if m.quorum > 0 {
		if _, err := g.join(conn, m.replicas(), "", []byte(m.end.pid("log-replica(1)"))); err != nil {
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
	own, err := g.join(conn, m.zk.Path, label, data)
	if err != nil {
		return "", fmt.Errorf("Failed to contend: %w", err)
	}
	m.log.info("Candidate in the election as %s", own)
	return own, nil
}

func (m *master) replicas() string { return m.zk.Path + "/log_replicas" }

// changed is called with the members each time they change.
func (m *master) changed(ctx context.Context, g *group, conn *zk.Conn, own string, children []string) error {
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
		l, err := g.readLeader(conn, member)
		if err != nil {
			m.log.error("Failed to detect the leader: %v", err)
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
		m.log.info("No leading master")
	case member == own:
		m.log.info("Elected as the leading master!")
		return m.recover(ctx, g, conn)
	default:
		m.log.info("The newly elected leader is %s", leader.PID)
	}
	return nil
}

// recover waits for a quorum of replicas, as reading the registry does; without one the real
// master exits after --registry_fetch_timeout.
func (m *master) recover(ctx context.Context, g *group, conn *zk.Conn) error {
	if m.quorum == 0 {
		m.setRecovered(0)
		return nil
	}
	timeout := m.flags.Duration("registry_fetch_timeout")
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	enough := errors.New("enough replicas")
	seen := 0
	err := g.watch(ctx, conn, m.replicas(), func(children []string) error {
		seen = len(children)
		if seen >= m.quorum {
			return enough
		}
		m.log.info("Waiting for %d/%d replicas of the registry", seen, m.quorum)
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
	m.log.info("Recovered the registrar (%d replicas, quorum %d)", replicas, m.quorum)
}

func (m *master) register(w http.ResponseWriter, r *http.Request) {
	var reg registration
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&reg); err != nil || reg.PID == "" {
		http.Error(w, "not a registration", http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.elected.IsZero() || !m.recovered {
		http.Error(w, "not the leading master, or not recovered yet", http.StatusConflict)
		return
	}
	now := time.Now()
	a := m.agents[reg.PID]
	if a == nil {
		a = &agent{ID: m.info.ID + "-S" + strconv.Itoa(len(m.agents)), Registered: now}
		m.agents[reg.PID] = a
		m.log.info("Registered agent %s at %s (%s)", a.ID, reg.PID, reg.Hostname)
	}
	a.registration, a.Last, a.Active = reg, now, true
	answer(w, registered{ID: a.ID, Heartbeat: m.pingTimeout().Milliseconds() / 3})
}

func (m *master) unregister(w http.ResponseWriter, r *http.Request) {
	var reg registration
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&reg); err != nil {
		http.Error(w, "not a registration", http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.agents[reg.PID]; a != nil {
		a.Active = false
		m.log.info("Agent %s at %s disconnected", a.ID, reg.PID)
	}
}

// pingTimeout and the number of tries: fixed in 0.19, flags since.
func (m *master) pingTimeout() time.Duration {
	if d := m.flags.Duration("agent_ping_timeout"); d > 0 {
		return d
	}
	return 15 * time.Second
}

func (m *master) silence() time.Duration {
	tries := 5
	if text, ok := m.flags.Get("max_agent_ping_timeouts"); ok {
		tries, _ = strconv.Atoi(text) // checked while loading
	}
	return m.pingTimeout() * time.Duration(max(tries, 1))
}

// list returns the agents in the order of their registration and counts the active ones.
func (m *master) list() (all []map[string]any, active int) {
	agents := make([]*agent, 0, len(m.agents))
	for _, a := range m.agents {
		if time.Since(a.Last) > m.silence() {
			a.Active = false
		}
		agents = append(agents, a)
	}
	sort.Slice(agents, func(i, j int) bool { return agents[i].Registered.Before(agents[j].Registered) })
	all = []map[string]any{}
	for _, a := range agents {
		if a.Active {
			active++
		}
		all = append(all, map[string]any{"id": a.ID, "pid": a.PID, "hostname": a.Hostname, "port": a.Port,
			"version": a.Version, "resources": a.Resources, "attributes": a.Attributes, "active": a.Active,
			"registered_time": seconds(a.Registered)})
	}
	return all, active
}

// state answers /master/state. A 1.x master that does not lead sends the client to the leader.
func (m *master) state(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.elected.IsZero() && !m.version.old() {
		m.toLeader(w, r.URL.Path)
		return
	}
	agents, active := m.list()
	out := map[string]any{
		"standin": true, "version": m.version.String(), "id": m.info.ID, "pid": m.info.PID,
		"hostname": m.end.hostname, "start_time": seconds(m.start), "flags": m.flags.Map(),
		"activated_slaves": active, "deactivated_slaves": len(agents) - active, "slaves": agents,
		"frameworks": []any{}, "completed_frameworks": []any{}, "orphan_tasks": []any{},
	}
	if !m.elected.IsZero() {
		out["elected_time"] = seconds(m.elected)
	}
	if m.leader != nil {
		out["leader"] = m.leader.PID
		out["leader_info"] = m.leader
	}
	for _, name := range []string{"cluster", "log_dir"} {
		if v, ok := m.flags.Get(name); ok {
			out[name] = v
		}
	}
	answer(w, out)
}

func (m *master) slaves(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.elected.IsZero() {
		m.toLeader(w, r.URL.Path)
		return
	}
	agents, _ := m.list()
	answer(w, map[string]any{"slaves": agents, "standin": true})
}

func (m *master) redirect(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.toLeader(w, "")
}

func (m *master) toLeader(w http.ResponseWriter, path string) {
	if m.leader == nil {
		http.Error(w, "No leader elected", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Location", "//"+m.leader.hostPort()+path)
	w.WriteHeader(http.StatusTemporaryRedirect)
}
