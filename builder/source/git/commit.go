package git

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Commit is one commit of one repository.
type Commit struct {
	// Repository is a URL (file, ssh or https), a USER@HOST:PATH of ssh, or an absolute path.
	Repository string
	// ID is the full id of the commit: 40 hexadecimal digits.
	ID string
}

var (
	idRE  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	scpRE = regexp.MustCompile(`^([A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9._-]*:[^:]+$`)
)

// protocols are those that git may use. Others run programs or send what is fetched in the clear.
var protocols = []string{"file", "ssh", "https"}

// Check tells what is wrong with c.
func (c Commit) Check() error {
	if !idRE.MatchString(c.ID) {
		return fmt.Errorf("commit %q is not a commit's full id (40 hexadecimal digits, see git rev-parse): branches and tags move", c.ID)
	}
	r := c.Repository
	switch {
	case r == "" || strings.ContainsFunc(r, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("repository %q is not a URL", r)
	case filepath.IsAbs(r):
		return nil
	case strings.Contains(r, "::"):
		return fmt.Errorf("repository %q: git's helpers are not used; want a URL with %s", r, strings.Join(protocols, ", "))
	case !strings.Contains(r, "://"):
		if !scpRE.MatchString(r) {
			return fmt.Errorf("repository %q is neither a URL, nor USER@HOST:PATH, nor an absolute path", r)
		}
		return nil
	}
	u, err := url.Parse(r)
	if err != nil {
		return fmt.Errorf("repository is not a URL") // it may hold a password
	}
	if _, secret := u.User.Password(); secret {
		return fmt.Errorf("repository %s holds a password: leave it to git's credential helpers (git help credentials)", u.Redacted())
	}
	if !slices.Contains(protocols, u.Scheme) || strings.HasPrefix(u.Host, "-") || u.Path == "" {
		return fmt.Errorf("repository %s: want a URL with %s", u.Redacted(), strings.Join(protocols, ", "))
	}
	return nil
}

// File is what the archive of the commit's tree is called.
func (c Commit) File() string { return c.ID + ".tar" }

func (c Commit) String() string { return c.Repository + " " + c.ID }
