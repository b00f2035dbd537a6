package mesos

import (
	"fmt"
	"strings"
)

//lint:file-ignore ST1005 the texts are those of the real daemon

// ZKURL is a ZooKeeper URL: zk://[user:password@]host:port,host:port/path.
type ZKURL struct {
	Auth    string   // "user:password" of the digest scheme, or ""
	Servers []string // host:port
	Path    string   // starts with "/", is never "/"
}

// ParseZKURL reads a ZooKeeper URL. What the real daemon refuses at any point of its start (the
// scheme, the path "/", a server without a port, a path that ZooKeeper does not allow) is refused
// here.
func ParseZKURL(s string) (ZKURL, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), "zk://")
	if !ok {
		return ZKURL{}, fmt.Errorf("Expecting 'zk://' at the beginning of the URL")
	}
	u := ZKURL{Path: "/"}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, u.Path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		u.Auth, rest = rest[:i], rest[i+1:]
		if user, pass, ok := strings.Cut(u.Auth, ":"); !ok || user == "" || pass == "" {
			return ZKURL{}, fmt.Errorf("Expecting 'username:password' before the '@' of the URL")
		}
	}
	if u.Path == "/" {
		return ZKURL{}, fmt.Errorf("Expecting a (chroot) path for ZooKeeper ('/' is not supported)")
	}
	for _, part := range strings.Split(u.Path[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return ZKURL{}, fmt.Errorf("Failed to create znode '%s': bad arguments", u.Path)
		}
	}
	for _, server := range strings.Split(rest, ",") {
		if _, _, err := hostPort(server); err != nil {
			return ZKURL{}, fmt.Errorf("Failed to create ZooKeeper, zookeeper_init: Invalid argument [22]: %w", err)
		}
		u.Servers = append(u.Servers, server)
	}
	return u, nil
}
