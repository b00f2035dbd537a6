package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// ZKURL is a ZooKeeper URL as Mesos reads it (include/mesos/zookeeper/url.hpp of Mesos):
// zk://[user:password@]host:port[,host:port...]/path.
type ZKURL struct {
	Auth    string   // "user:password"; "": none
	Servers []string // "10.162.2.91:2181", in their order
	Path    string   // "/mesos"
}

const (
	zkScheme    = "zk://"
	maxZKURL    = 4 << 10
	maxZKServer = 64
)

// zkPath is a znode that is not the root.
var zkPath = regexp.MustCompile(`^(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$`)

// ParseZKURL reads a ZooKeeper URL. The error says what is wrong, without the URL, which may hold a password.
func ParseZKURL(s string) (ZKURL, error) {
	if len(s) > maxZKURL {
		return ZKURL{}, fmt.Errorf("it is longer than %d bytes", maxZKURL)
	}
	if l, ok := FindLookAlike(s); ok {
		return ZKURL{}, fmt.Errorf("it holds the %s", l)
	}
	rest, ok := strings.CutPrefix(s, zkScheme)
	if !ok {
		return ZKURL{}, errors.New("it does not begin with zk://, so that it is read as host:port")
	}
	if strings.ContainsAny(rest, " \t\n") {
		return ZKURL{}, errors.New("it holds a space or a line break")
	}
	var u ZKURL
	servers, path, ok := strings.Cut(rest, "/")
	if i := strings.LastIndex(servers, "@"); i >= 0 {
		u.Auth, servers = servers[:i], servers[i+1:]
		if user, _, ok := strings.Cut(u.Auth, ":"); !ok || user == "" {
			return ZKURL{}, errors.New("what stands before @ is not user:password")
		}
	}
	if !ok {
		return ZKURL{}, errors.New("it has no path, such as /mesos")
	}
	u.Path = "/" + path
	if u.Path == "/" {
		return ZKURL{}, errors.New("its path is /, which Mesos refuses")
	}
	if !zkPath.MatchString(u.Path) {
		return ZKURL{}, fmt.Errorf("its path %q is not a znode such as /mesos", u.Path)
	}
	var err error
	u.Servers, err = parseServers(servers)
	return u, err
}

// parseServers reads "host:port,host:port".
func parseServers(list string) ([]string, error) {
	servers := strings.Split(list, ",")
	if len(servers) > maxZKServer {
		return nil, fmt.Errorf("it names more than %d servers", maxZKServer)
	}
	seen := map[string]bool{}
	for _, s := range servers {
		host, port, err := net.SplitHostPort(s)
		if err != nil || host == "" {
			return nil, fmt.Errorf("%q is not host:port", s)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
			return nil, fmt.Errorf("%q has no port from 1 to 65535", s)
		}
		if _, err := netip.ParseAddr(host); err != nil && !hostName(host) {
			return nil, fmt.Errorf("%q is neither a host name nor an address", host)
		}
		if seen[s] {
			return nil, fmt.Errorf("%q stands there twice", s)
		}
		seen[s] = true
	}
	return servers, nil
}

// hostName says whether each label of a name is one; letters of both cases, as in DNS.
func hostName(name string) bool {
	for label := range strings.SplitSeq(strings.ToLower(name), ".") {
		if !HostLabel(label) {
			return false
		}
	}
	return len(name) <= 253
}

// String is the URL as it is written.
func (u ZKURL) String() string {
	auth := ""
	if u.Auth != "" {
		auth = u.Auth + "@"
	}
	return zkScheme + auth + strings.Join(u.Servers, ",") + u.Path
}

var zkPrefix = regexp.MustCompile(`^(?i)zk:/{0,2}`)

// MendZKURL returns the URL that was meant: look-alikes replaced, zk:// at its beginning, the path in
// lower case. ok is false where the result is still none.
func MendZKURL(s string) (mended string, ok bool) {
	s = strings.TrimSpace(ToASCII(s))
	s = zkScheme + zkPrefix.ReplaceAllString(s, "")
	u, err := ParseZKURL(s)
	if err != nil {
		return "", false
	}
	u.Path = strings.ToLower(u.Path)
	return u.String(), true
}
