package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTicks is USER_HZ, the unit of times in /proc: 100 on every architecture
// that Linux runs Hadoop on (proc(5)).
const clockTicks = 100

// processInfo is what /proc says about one process.
type processInfo struct {
	UID   int // effective
	Age   time.Duration
	Since time.Time
}

func (n *Node) process(pid int) (processInfo, error) {
	var info processInfo
	dir := fmt.Sprintf("/proc/%d", pid)
	status, err := readBounded(n.path(dir+"/status"), 1<<16)
	if err != nil {
		return info, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "Uid:" {
			info.UID, _ = strconv.Atoi(f[2])
		}
	}
	stat, err := readBounded(n.path(dir+"/stat"), 1<<16)
	if err != nil {
		return info, err
	}
	// The command, in parentheses, may hold spaces and parentheses itself.
	var fields []string
	if i := strings.LastIndex(string(stat), ") "); i >= 0 {
		fields = strings.Fields(string(stat)[i+2:])
	}
	if len(fields) < 20 {
		return info, fmt.Errorf("%s/stat is cut short", dir)
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return info, err
	}
	up, err := n.uptime()
	if err != nil {
		return info, err
	}
	info.Age = max(0, up-time.Duration(ticks)*time.Second/clockTicks)
	info.Since = time.Now().Add(-info.Age).UTC().Truncate(time.Second)
	return info, nil
}

func (n *Node) uptime() (time.Duration, error) {
	data, err := readBounded(n.path("/proc/uptime"), 256)
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(data))
	if len(f) == 0 {
		return 0, errors.New("/proc/uptime is empty")
	}
	seconds, err := strconv.ParseFloat(f[0], 64)
	return time.Duration(seconds * float64(time.Second)), err
}

// Listener is one listening TCP port.
type Listener struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
	User    string `json:"user"` // that owns the socket
}

// Listeners returns the TCP ports that anything listens on, sorted by port.
func (n *Node) Listeners() ([]Listener, error) {
	acc, err := n.accounts()
	if err != nil {
		return nil, err
	}
	all := []Listener{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := readBounded(n.path(file), 32<<20)
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			l, uid, ok := parseSocket(line)
			if ok {
				l.User = or(acc.names[uid], strconv.Itoa(uid))
				all = append(all, l)
			}
		}
	}
	slices.SortFunc(all, func(a, b Listener) int {
		if a.Port != b.Port {
			return a.Port - b.Port
		}
		return strings.Compare(a.Address, b.Address)
	})
	return all, nil
}

// parseSocket reads one line of /proc/net/tcp: "sl local_address rem_address st
// tx:rx tr:tm retrnsmt uid ..."; 0A is LISTEN, the address is in host order, 32
// bits at a time.
func parseSocket(line string) (l Listener, uid int, ok bool) {
	f := strings.Fields(line)
	if len(f) < 8 || f[3] != "0A" {
		return l, 0, false
	}
	address, port, found := strings.Cut(f[1], ":")
	raw, err := hex.DecodeString(address)
	number, err2 := strconv.ParseUint(port, 16, 16)
	uid, err3 := strconv.Atoi(f[7])
	if !found || err != nil || err2 != nil || err3 != nil || (len(raw) != 4 && len(raw) != 16) {
		return l, 0, false
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	a, _ := netip.AddrFromSlice(raw)
	return Listener{Address: a.Unmap().String(), Port: int(number)}, uid, true
}
