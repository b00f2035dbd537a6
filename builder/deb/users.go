package deb

import (
	"fmt"
	"strings"
)

func (s *Spec) sysusersPath() string { return "/usr/lib/sysusers.d/" + s.Info.Name + ".conf" }

// sysusers is the sysusers.d(5) file of the package's users and groups.
func (s *Spec) sysusers() string {
	if len(s.Users)+len(s.Groups) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("# Ids are fixed: data disks outlive images.\n")
	for _, g := range s.Groups {
		fmt.Fprintf(&b, "g %s %d\n", g.Name, g.GID)
	}
	for _, u := range s.Users {
		fmt.Fprintf(&b, "u %s %d:%s \"%s\" %s %s\n", u.Name, u.UID, u.Group, u.Comment, u.Home, shellOf(u))
		for _, g := range u.Groups {
			fmt.Fprintf(&b, "m %s %s\n", u.Name, g)
		}
	}
	return b.String()
}
