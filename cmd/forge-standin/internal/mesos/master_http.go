package mesos

import (
	"encoding/json"
	"net/http"
	"sort"
	"strconv"
	"time"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/web"
)

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
		m.log.Info("Registered agent %s at %s (%s)", a.ID, reg.PID, reg.Hostname)
	}
	a.registration, a.Last, a.Active = reg, now, true
	web.Answer(w, registered{ID: a.ID, Heartbeat: m.pingTimeout().Milliseconds() / 3})
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
		m.log.Info("Agent %s at %s disconnected", a.ID, reg.PID)
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
	web.Answer(w, out)
}

func (m *master) slaves(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.elected.IsZero() {
		m.toLeader(w, r.URL.Path)
		return
	}
	agents, _ := m.list()
	web.Answer(w, map[string]any{"slaves": agents, "standin": true})
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
