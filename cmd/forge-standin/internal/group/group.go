// Package group is ZooKeeper's part of an election: a directory whose ephemeral, sequential children are its
// members. It knows nothing of what is elected.
package group

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// Group is how a member reaches ZooKeeper.
type Group struct {
	Servers []string      // host:port
	Auth    string        // "user:password" of the digest scheme, or ""
	Timeout time.Duration // of the session
	Log     Log
}

// Log takes what a member says about ZooKeeper.
type Log interface {
	Info(format string, args ...any)
	Warning(format string, args ...any)
}

// ErrSessionLost says that ZooKeeper dropped the session, and with it all memberships.
var ErrSessionLost = errors.New("ZooKeeper session expired")

const retryEvery = time.Second

// Connect waits until a session is established. It tries as long as ctx lasts: at boot neither
// the servers nor their names need to exist yet.
func (g *Group) Connect(ctx context.Context) (*zk.Conn, error) {
	var last string
	for {
		conn, events, err := zk.Connect(g.Servers, g.Timeout, zk.WithLogger(silent{}))
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
			g.Log.Warning("Waiting for ZooKeeper at %s: %s", strings.Join(g.Servers, ","), last)
		}
		if err := Sleep(ctx, retryEvery); err != nil {
			return nil, err
		}
	}
}

func (g *Group) await(ctx context.Context, events <-chan zk.Event) error {
	timer := time.NewTimer(g.Timeout)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return errors.New("timed out waiting to connect to ZooKeeper")
		case ev := <-events:
			if ev.State == zk.StateHasSession {
				g.Log.Info("Connected to ZooKeeper at %s", ev.Server)
				go drain(events)
				return nil
			}
		}
	}
}

func (g *Group) authenticate(conn *zk.Conn) error {
	if g.Auth == "" {
		return nil
	}
	return conn.AddAuth("digest", []byte(g.Auth))
}

func (g *Group) acl() []zk.ACL {
	if g.Auth == "" {
		return zk.WorldACL(zk.PermAll)
	}
	return append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...)
}

// Join creates the directory and an ephemeral member in it; the member's path is returned.
func (g *Group) Join(conn *zk.Conn, dir, label string, data []byte) (string, error) {
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

func (g *Group) mkdir(conn *zk.Conn, dir string) error {
	_, err := conn.Create(dir, nil, 0, g.acl())
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("create znode %s: %w", dir, err)
	}
	return nil
}

// Watch calls changed with the children of dir, first as they are, then at each change, until
// ctx ends or changed returns an error. A directory that does not exist has no children.
func (g *Group) Watch(ctx context.Context, conn *zk.Conn, dir string, changed func([]string) error) error {
	for {
		children, _, events, err := conn.ChildrenW(dir)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			if err := changed(nil); err != nil {
				return err
			}
			if err := Sleep(ctx, retryEvery); err != nil {
				return err
			}
			continue
		case errors.Is(err, zk.ErrSessionExpired):
			return ErrSessionLost
		case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrClosing):
			return fmt.Errorf("list znode %s: %w", dir, err)
		case err != nil: // disconnected: the client reconnects
			if err := Sleep(ctx, retryEvery); err != nil {
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
				return ErrSessionLost
			}
		}
	}
}

// Sleep waits, or ends early with ctx.
func Sleep(ctx context.Context, d time.Duration) error {
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

// First returns the member with the lowest sequence number among those whose names begin with one of the
// labels, "" when there is none.
func First(children []string, labels ...string) string {
	first := ""
	for _, c := range children {
		for _, l := range labels {
			if strings.HasPrefix(c, l) && (first == "" || sequence(c) < sequence(first)) {
				first = c
			}
		}
	}
	return first
}

// sequence is the ten digits that ZooKeeper ends a name with.
func sequence(znode string) string { return znode[max(0, len(znode)-10):] }
