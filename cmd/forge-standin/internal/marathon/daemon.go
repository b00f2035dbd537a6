package marathon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/group"
	"github.com/mesos-forge/forge/cmd/forge-standin/internal/mesos"
	"github.com/mesos-forge/forge/cmd/forge-standin/internal/web"
)

// daemon is a running Marathon.
type daemon struct {
	version Version
	flags   *Flags
	log     *logger
	zk      mesos.ZKURL
	id      string // HOSTNAME:PORT, by which the others know it
	started time.Time

	mu     sync.Mutex
	leader string // its id; "": there is none
}

func (d *daemon) leading() (leader string, own bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leader, d.leader == d.id
}

// contend takes part in the election until ctx ends. One that loses its place exits, as the real one does, and
// is started again.
func (d *daemon) contend(ctx context.Context) error {
	if d.flags.Get("ha") == "false" {
		d.elect(d.id)
		<-ctx.Done()
		return nil
	}
	millis, _ := strconv.Atoi(d.flags.Get("zk_session_timeout")) // checked while loading; 0.6 has none
	g := &group.Group{Servers: d.zk.Servers, Auth: d.zk.Auth, Timeout: time.Duration(max(millis, 1000)) * time.Millisecond, Log: d.log}
	conn, err := g.Connect(ctx)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer conn.Close()
	dir := d.zk.Path + "/leader-curator"
	own, err := g.Join(conn, dir, "_c_"+strings.ToLower(rand.Text())+"-latch-", []byte(d.id))
	if err != nil {
		return unlessEnded(ctx, fmt.Errorf("take part in the election at %s: %w", dir, err))
	}
	d.log.Info("Candidate in the election as %s", own)
	err = g.Watch(ctx, conn, dir, func(members []string) error { return d.changed(conn, dir, path.Base(own), members) })
	return unlessEnded(ctx, err)
}

func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// changed is called with the members each time they change.
func (d *daemon) changed(conn *zk.Conn, dir, own string, members []string) error {
	first := group.First(members, "_c_")
	_, led := d.leading()
	if led && first != own {
		return errors.New("lost leadership: exiting")
	}
	id := ""
	if first != "" {
		data, _, err := conn.Get(path.Join(dir, first))
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			d.log.Warning("Can't read the leader's znode %s: %v", first, err)
		}
		id = string(data)
	}
	d.elect(id)
	return nil
}

func (d *daemon) elect(id string) {
	d.mu.Lock()
	before := d.leader
	d.leader = id
	d.mu.Unlock()
	switch {
	case id == before:
	case id == "":
		d.log.Info("There is no leader")
	case id == d.id:
		d.log.Info("Elected as leader (%s)", id)
	default:
		d.log.Info("The leader is %s", id)
	}
}

// routes are the paths that the real one answers and that say how a cluster is.
func (d *daemon) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprint(w, "pong\n")
	})
	mux.HandleFunc("GET /v2/info", d.info)
	mux.HandleFunc("GET /v2/leader", d.whoLeads)
	mux.HandleFunc("GET /v2/apps", func(w http.ResponseWriter, _ *http.Request) {
		web.Answer(w, map[string]any{"standin": true, "apps": []any{}})
	})
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		web.AnswerWith(w, http.StatusNotImplemented, map[string]any{"standin": true, "message": refusal})
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		mux.HandleFunc(method+" /v2/", refuse)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		web.Page(w, "Marathon STAND-IN", refusal)
	})
	return mux
}

const refusal = "This is forge's stand-in for Marathon: it checks settings and wiring, and runs no apps. Put the operator's package marathon in its place."

func (d *daemon) info(w http.ResponseWriter, _ *http.Request) {
	leader, own := d.leading()
	web.Answer(w, map[string]any{
		"standin": true, "name": "marathon", "version": d.version.String(), "leader": leader, "elected": own,
		"frameworkId":      nil,
		"marathon_config":  map[string]any{"master": d.flags.Get("master"), "hostname": d.flags.Get("hostname"), "ha": d.flags.Get("ha") == "true"},
		"zookeeper_config": map[string]any{"zk": d.flags.Get("zk"), "zk_hosts": strings.Join(d.zk.Servers, ","), "zk_path": d.zk.Path},
		"http_config":      map[string]any{"http_port": d.flags.Get("http_port")},
	})
}

func (d *daemon) whoLeads(w http.ResponseWriter, _ *http.Request) {
	leader, _ := d.leading()
	if leader == "" {
		web.AnswerWith(w, http.StatusNotFound, map[string]any{"standin": true, "message": "There is no leader"})
		return
	}
	web.Answer(w, map[string]any{"standin": true, "leader": leader})
}
