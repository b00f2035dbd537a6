package node

import (
	"fmt"
	"strconv"
	"strings"
)

// User is one account of the node.
type User struct {
	Name     string
	UID, GID int
	Groups   []uint32 // supplementary
	Home     string
}

// accounts are /etc/passwd and /etc/group of the node's root. The system
// library isn't asked: the agent is static, and names must resolve below Root.
type accounts struct {
	users  map[string]User
	groups map[string]int
	names  map[int]string
}

func (n *Node) accounts() (*accounts, error) {
	a := &accounts{users: map[string]User{}, groups: map[string]int{}, names: map[int]string{}}
	passwd, err := readBounded(n.path("/etc/passwd"), 8<<20)
	if err != nil {
		return nil, err
	}
	group, err := readBounded(n.path("/etc/group"), 8<<20)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(passwd)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 7 {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil {
			continue
		}
		a.users[f[0]] = User{Name: f[0], UID: uid, GID: gid, Home: f[5]}
		if _, taken := a.names[uid]; !taken {
			a.names[uid] = f[0]
		}
	}
	for line := range strings.Lines(string(group)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 {
			continue
		}
		gid, err := strconv.Atoi(f[2])
		if err != nil {
			continue
		}
		a.groups[f[0]] = gid
		for member := range strings.SplitSeq(f[3], ",") {
			if u, ok := a.users[member]; ok {
				u.Groups = append(u.Groups, uint32(gid))
				a.users[member] = u
			}
		}
	}
	return a, nil
}

// ids of an owner and a group; "" is root.
func (a *accounts) ids(owner, group string) (uid, gid int, err error) {
	u, err := a.user(or(owner, "root"))
	if err != nil {
		return 0, 0, err
	}
	gid, ok := a.groups[or(group, "root")]
	if !ok {
		return 0, 0, fmt.Errorf("group %q does not exist on this node: is the package that makes it installed?", group)
	}
	return u.UID, gid, nil
}

func (a *accounts) user(name string) (User, error) {
	u, ok := a.users[or(name, "root")]
	if !ok {
		return User{}, fmt.Errorf("user %q does not exist on this node: is the package that makes it installed?", name)
	}
	return u, nil
}
