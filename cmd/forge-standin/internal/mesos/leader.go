package mesos

import (
	"errors"
	"fmt"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/group"
)

// member is the settings' way to ZooKeeper.
func (s *settings) member(log *logger) *group.Group {
	return &group.Group{Servers: s.zk.Servers, Auth: s.zk.Auth, Timeout: s.zkTimeout(), Log: log}
}

// leaderOf returns the member with the lowest sequence number, "" when there is none.
func leaderOf(children []string) string { return group.First(children, "json.info_", "info_") }

// readLeader fetches the MasterInfo of a member; nil when it is gone by now.
func (s *settings) readLeader(conn *zk.Conn, member string) (*masterInfo, error) {
	data, _, err := conn.Get(path.Join(s.zk.Path, member))
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
