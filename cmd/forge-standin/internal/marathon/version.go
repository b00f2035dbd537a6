package marathon

import (
	"fmt"

	"github.com/mesos-forge/forge/cmd/forge-standin/internal/release"
)

// DefaultVersion is imitated when nothing else is said.
const DefaultVersion = "1.5.11"

// Version is the Marathon version to imitate.
type Version struct{ release.Version }

// ParseVersion reads MAJOR.MINOR.PATCH, of 0.6.0 or later.
func ParseVersion(s string) (Version, error) {
	v, err := release.Parse(s)
	if err == nil && (v.Major > 1 || v.Major == 0 && v.Minor < 6 || v.Minor > 99) {
		err = fmt.Errorf("version %q: only 0.6 to 1.x can be imitated", s)
	}
	return Version{v}, err
}

// environment says whether settings come as MARATHON_NAME variables.
func (v Version) environment() bool { return v.Major == 1 && v.Minor >= 5 }
