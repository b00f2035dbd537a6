package mesos

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultVersion is imitated when nothing else is said.
const DefaultVersion = "1.11.0"

// Version is the Mesos version to imitate.
type Version struct {
	Major, Minor, Patch int
}

// ParseVersion reads MAJOR.MINOR.PATCH.
func ParseVersion(s string) (Version, error) {
	parts := strings.Split(s, ".")
	var n [3]int
	if len(parts) != len(n) {
		return Version{}, fmt.Errorf("version %q: want MAJOR.MINOR.PATCH", s)
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return Version{}, fmt.Errorf("version %q: %q is not a number", s, p)
		}
		n[i] = int(v)
	}
	v := Version{n[0], n[1], n[2]}
	if v.Major == 0 && v.Minor != 19 {
		return Version{}, fmt.Errorf("version %q: only 0.19 and 1.x can be imitated", s)
	}
	return v, nil
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// old says whether the rules of 0.19 hold.
func (v Version) old() bool { return v.Major == 0 }

// Program is one of the daemons.
type Program int

// The daemons. An agent is a slave by its newer name.
const (
	Master Program = iota
	Slave
)

// ProgramNamed returns the daemon that the file name of a real binary stands for.
func ProgramNamed(name string) (Program, bool) {
	switch name {
	case "mesos-master":
		return Master, true
	case "mesos-slave", "mesos-agent":
		return Slave, true
	}
	return 0, false
}
