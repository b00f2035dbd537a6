package marathon

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultVersion is imitated when nothing else is said.
const DefaultVersion = "1.5.11"

// Version is the Marathon version to imitate.
type Version struct{ Major, Minor, Patch int }

// ParseVersion reads MAJOR.MINOR.PATCH, of 0.6.0 or later.
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
	if v.Major > 1 || v.Major == 0 && v.Minor < 6 || v.Minor > 99 {
		return Version{}, fmt.Errorf("version %q: only 0.6 to 1.x can be imitated", s)
	}
	return v, nil
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// environment says whether settings come as MARATHON_NAME variables.
func (v Version) environment() bool { return v.Major == 1 && v.Minor >= 5 }
