package mesos

import (
	"fmt"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/release"
)

// DefaultVersion is imitated when nothing else is said.
const DefaultVersion = "1.11.0"

// Version is the Mesos version to imitate.
type Version struct{ release.Version }

// ParseVersion reads MAJOR.MINOR.PATCH, of 0.19 or 1.x.
func ParseVersion(s string) (Version, error) {
	v, err := release.Parse(s)
	if err == nil && v.Major == 0 && v.Minor != 19 {
		err = fmt.Errorf("version %q: only 0.19 and 1.x can be imitated", s)
	}
	return Version{v}, err
}

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
