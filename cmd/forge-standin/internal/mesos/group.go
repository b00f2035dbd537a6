package mesos

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// group is a directory in ZooKeeper whose ephemeral, sequential children are its members, like
// Mesos' zookeeper::Group.
type group struct {
	url     ZKURL
	timeout time.Duration
	log     *logger
}

// errSessionLost says that ZooKeeper dropped the session, and with it all memberships.
var errSessionLost = errors.New("ZooKeeper session expired")

const retryEvery = time.Second

// connect waits until a session is established. It tries as long as ctx lasts: at boot neither
// the servers nor their names need to exist yet.
func (g *group) connect(ctx context.Context) (*zk.Conn, error) {
	var last string
	for {
		conn, events, err := zk.Connect(g.url.Servers, g.timeout, zk.WithLogger(silent{}))
		if err == nil {
			err = g.await(ctx, events)
			if err == nil {
				err = g.authenticate(conn)
			}
			if err == nil {
				return conn, nil
			}
			conn.Close()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err.Error() != last {
			last = err.Error()
			g.log.warning("Waiting for ZooKeeper at %s: %s", strings.Join(g.url.Servers, ","), last)
		}
		if err := sleep(ctx, retryEvery); err != nil {
			return nil, err
		}
	}
}

func (g *group) await(ctx context.Context, events <-chan zk.Event) error {
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return errors.New("timed out waiting to connect to ZooKeeper")
		case ev := <-events:
			if ev.State == zk.StateHasSession {
				g.log.info("Connected to ZooKeeper at %s", ev.Server)
				go drain(events)
				return nil
			}
		}
	}
}

func (g *group) authenticate(conn *zk.Conn) error {
	if g.url.Auth == "" {
		return nil
	}
	return conn.AddAuth("digest", []byte(g.url.Auth))
}

func (g *group) acl() []zk.ACL {
	if g.url.Auth == "" {
		return zk.WorldACL(zk.PermAll)
	}
	return append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
}

// join creates the directory and an ephemeral member in it; the member's path is returned.
func (g *group) join(conn *zk.Conn, dir, label string, data []byte) (string, error) {
	for i := 1; i < len(dir); i++ {
		if dir[i] == '/' {
			if err := g.mkdir(conn, dir[:i]); err != nil {
				return "", err
			}
		}
	}
	if err := g.mkdir(conn, dir); err != nil {
		return "", err
	}
	return conn.Create(dir+"/"+label, data, zk.FlagEphemeral|zk.FlagSequence, g.acl())
}

func (g *group) mkdir(conn *zk.Conn, dir string) error {
	_, err := conn.Create(dir, nil, 0, g.acl())
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("create znode %s: %w", dir, err)
	}
	return nil
}

// watch calls changed with the children of dir, first as they are, then at each change, until
// ctx ends or changed returns an error. A directory that does not exist has no children.
func (g *group) watch(ctx context.Context, conn *zk.Conn, dir string, changed func([]string) error) error {
	for {
		children, _, events, err := conn.ChildrenW(dir)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			if err := changed(nil); err != nil {
				return err
			}
			if err := sleep(ctx, retryEvery); err != nil {
				return err
			}
			continue
		case errors.Is(err, zk.ErrSessionExpired):
			return errSessionLost
		case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrClosing):
			return fmt.Errorf("list znode %s: %w", dir, err)
		case err != nil: // disconnected: the client reconnects
			if err := sleep(ctx, retryEvery); err != nil {
				return err
			}
			continue
		}
		if err := changed(children); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev := <-events:
			if errors.Is(ev.Err, zk.ErrSessionExpired) {
				return errSessionLost
			}
		}
	}
}

// leaderOf returns the member with the lowest sequence number, "" when there is none.
func leaderOf(children []string) string {
	var members []string
	for _, c := range children {
		if strings.HasPrefix(c, "json.info_") || strings.HasPrefix(c, "info_") {
			members = append(members, c)
		}
	}
	sort.Slice(members, func(i, j int) bool { return sequence(members[i]) < sequence(members[j]) })
	if len(members) == 0 {
		return ""
	}
	return members[0]
}

func sequence(znode string) string { return znode[strings.LastIndexByte(znode, '_')+1:] }

// readLeader fetches the MasterInfo of a member; nil when it is gone by now.
func (g *group) readLeader(conn *zk.Conn, member string) (*masterInfo, error) {
	data, _, err := conn.Get(path.Join(g.url.Path, member))
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read znode %s: %w", member, err)
	}
	m, err := decodeMasterInfo(data)
	if err != nil {
		return nil, fmt.Errorf("znode %s: %w", member, err)
	}
	return &m, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func drain(events <-chan zk.Event) {
	for range events {
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}
