package node

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
)

const (
	hostsBegin = "# begin forge: nodes of the cluster"
	hostsEnd   = "# end forge"
)

// Hosts gives /etc/hosts: what was there, without lines that name a node or
// begin with 127.0.1.1 (Hadoop would bind loopback), then one line per node.
// Given its own result it gives the same again.
func Hosts(now string, nodes []cluster.Node) string {
	names := map[string]bool{}
	for _, n := range nodes {
		names[n.Name] = true
	}
	var b strings.Builder
	inside, localhost := false, false
	for line := range strings.Lines(now) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == hostsBegin:
			inside = true
		case line == hostsEnd:
			inside = false
		case inside:
		case foreignHostLine(line, names):
			localhost = localhost || isLocalhost(line)
			b.WriteString(line + "\n")
		}
	}
	kept := strings.TrimRight(b.String(), "\n")
	if !localhost {
		kept = strings.TrimLeft("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"+kept, "\n")
	}
	b.Reset()
	b.WriteString(strings.TrimRight(kept, "\n") + "\n\n" + hostsBegin + "\n")
	for _, n := range nodes {
		fmt.Fprintf(&b, "%s %s\n", n.Address, n.Name)
	}
	b.WriteString(hostsEnd + "\n")
	return b.String()
}

func isLocalhost(line string) bool {
	f := hostFields(line)
	return len(f) > 1 && f[0] == "127.0.0.1" && slices.Contains(f, "localhost")
}

func hostFields(line string) []string {
	line, _, _ = strings.Cut(line, "#")
	return strings.Fields(line)
}

// foreignHostLine tells whether a line is none of forge's business.
func foreignHostLine(line string, names map[string]bool) bool {
	f := hostFields(line)
	if len(f) == 0 {
		return true
	}
	return f[0] != "127.0.1.1" && !slices.ContainsFunc(f[1:], func(name string) bool { return names[name] })
}

// writeNames sets the host name, /etc/hostname and /etc/hosts.
func (n *Node) writeNames(name string, nodes []cluster.Node) (warnings []string, err error) {
	now, err := readBounded(n.path("/etc/hosts"), 1<<20)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for path, content := range map[string]string{"/etc/hosts": Hosts(string(now), nodes), "/etc/hostname": name + "\n"} {
		if _, err := write(n.ours(path, []byte(content), 0o644)); err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
	}
	current, err := n.Hostname()
	if err != nil {
		return nil, err
	}
	if current == name {
		return nil, nil
	}
	if err := n.SetHostname(name); err != nil {
		if n.Container {
			return []string{fmt.Sprintf("the container's host name is %q, not %q: start it with --hostname %s", current, name, name)}, nil
		}
		return nil, fmt.Errorf("set the host name to %q: %w", name, err)
	}
	return nil, nil
}
