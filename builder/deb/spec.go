package deb

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"

	"github.com/mesos-forge/forge/builder/recipe"
)

// Spec says what a package is.
type Spec struct {
	// Info is nfpm's own block: Name, Version ("1.2.1-1", taken as it is, with an epoch if any),
	// Arch ("" = "amd64" when a file is an ELF file, else "all"), Section, Maintainer, Description
	// (synopsis line, then paragraphs), Homepage, Depends, Deb.Fields, Deb.Compression, Contents,
	// Scripts and so on. Settings that only other formats have are ignored.
	//
	// Scripts name files with POSIX shell that runs as a subshell with dpkg's arguments, in the
	// place documented in scripts.go; "set -e" holds. Deb.Compression is "gzip[:LEVEL]" (the
	// default, at 5: every dpkg reads it, jars don't shrink, and xz takes fifty times as long),
	// "zstd[:LEVEL]" (dpkg 1.21.18 and later; bookworm's lintian refuses it), "xz" or "none".
	Info nfpm.Info
	// Dir is where relative src of Info.Contents and relative Info.Scripts start.
	Dir string

	// Entries are files, directories and links; see also [FromOverlay].
	Entries []Entry
	// Trees are directories on the host laid out as on the target; see [Tree].
	Trees []Tree

	// Groups and Users are made with exactly these ids.
	Groups []recipe.Group
	Users  []recipe.User

	// Enable names units of this package that are enabled on installation ("forge-node.service").
	// Every other unit of the package is installed disabled. None is ever started.
	Enable []string
	// Scripts are services whose links in /etc/rc?.d are disabled on installation, where another
	// package has brought a script of System V for them.
	Scripts []string
	// Purge lists absolute paths, files or whole directories, that purging the package removes
	// although they are not in it: rendered configuration, logs, caches. Never data, and never
	// what another package has.
	Purge []string

	Changelog        []recipe.Change // the newest first; at least one
	Copyright        string          // whole text, in DEP-5 form; see [Copyright]
	LintianOverrides []recipe.LintianOverride

	// TempDir holds the compressed data while it grows; "" is the system's.
	TempDir string
}

// Date is the time that everything in the package should have: that of its newest changelog entry,
// as dpkg-buildpackage does it. So the bytes of a version depend on its content alone.
func (s *Spec) Date() (time.Time, error) {
	if len(s.Changelog) == 0 {
		return time.Time{}, fmt.Errorf("package %s has no changelog", s.Info.Name)
	}
	t, err := time.Parse(time.DateOnly, s.Changelog[0].Date)
	if err != nil {
		return time.Time{}, fmt.Errorf("package %s: date of the newest changelog entry: %w", s.Info.Name, err)
	}
	return t, nil
}

// Entry is one file, directory or link of a package.
type Entry struct {
	// Path on the target, absolute and clean.
	Path string
	Kind recipe.EntryKind
	// Content of a file: Text when FS is nil and Source is "", else the file Source of FS, or of
	// the host when FS is nil.
	Text   []byte
	Source string
	FS     fs.FS
	// Mode are the permission bits with setuid, setgid and sticky as in chmod; 0 means 0644 for a
	// file and 0755 for a directory.
	Mode uint32
	// Owner and Group by name; "" means root. Others must be in Groups and Users, or be made by a
	// package that this one depends on.
	Owner, Group string
	// Target is the text of a link.
	Target string
	// Conffile makes dpkg keep an operator's changes of the file.
	Conffile bool
}

// Result names the package that was written.
type Result struct {
	Name, Version, Arch string
	Filename            string // NAME_VERSION_ARCH.deb, the version without its epoch
	InstalledSize       int64  // KiB, as in the control file
}

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	versionForm = regexp.MustCompile(`^([0-9]+:)?[0-9][A-Za-z0-9.+~]*(-[A-Za-z0-9.+~]+)?$`)
	userForm    = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)
	unitForm    = regexp.MustCompile(`^[A-Za-z0-9:_.@-]+\.(service|socket|timer|path|target|mount)$`)
	tagForm     = regexp.MustCompile(`^[a-z0-9+.-]+$`)
)

// check finds all faults of a Spec that do not need its files.
func (s *Spec) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !nameForm.MatchString(s.Info.Name) {
		bad("name %q: want lower case letters, digits, + - .", s.Info.Name)
	}
	if !versionForm.MatchString(s.Info.Version) {
		bad("version %q: want UPSTREAM-REVISION", s.Info.Version)
	}
	if s.Info.Maintainer == "" || strings.TrimSpace(s.Info.Description) == "" {
		bad("maintainer and description must be set")
	}
	if len(s.Changelog) == 0 {
		bad("the changelog has no entry")
	}
	if !strings.HasPrefix(s.Copyright, "Format: ") {
		bad("copyright is not in DEP-5 form (it must start with \"Format: \")")
	}
	errs = append(errs, s.checkUsers()...)
	for _, p := range s.Purge {
		if err := checkPurge(p); err != nil {
			errs = append(errs, err)
		}
	}
	for _, o := range s.LintianOverrides {
		if !tagForm.MatchString(o.Tag) || strings.TrimSpace(o.Reason) == "" || strings.Contains(o.Pattern, "\n") {
			bad("lintian override %q: want a tag, a one-line pattern and a reason", o.Tag)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("package %s: %w", s.Info.Name, errors.Join(errs...))
	}
	return nil
}

func (s *Spec) checkUsers() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	gids, uids := map[int]string{}, map[int]string{}
	for _, g := range s.Groups {
		if !userForm.MatchString(g.Name) || g.GID < 1 || g.GID > 64999 {
			bad("group %q with id %d: want a name of lower case letters and an id from 1 to 64999", g.Name, g.GID)
		}
		if other, ok := gids[g.GID]; ok {
			bad("groups %s and %s have the same id %d", other, g.Name, g.GID)
		}
		gids[g.GID] = g.Name
	}
	for _, u := range s.Users {
		if !userForm.MatchString(u.Name) || u.UID < 1 || u.UID > 64999 {
			bad("user %q with id %d: want a name of lower case letters and an id from 1 to 64999", u.Name, u.UID)
		}
		if other, ok := uids[u.UID]; ok {
			bad("users %s and %s have the same id %d", other, u.Name, u.UID)
		}
		uids[u.UID] = u.Name
		for _, g := range append([]string{u.Group}, u.Groups...) {
			if !userForm.MatchString(g) {
				bad("user %s: %q can't be a group", u.Name, g)
			}
		}
		if strings.ContainsAny(u.Comment, ":\n\"\\'") || !plainPath(u.Home) || u.Shell != "" && !plainPath(u.Shell) {
			bad("user %s: home and shell must be plain absolute paths, the comment without quotes and colons", u.Name)
		}
	}
	return errs
}

var plainPathForm = regexp.MustCompile(`^(/[A-Za-z0-9@%+=:,._-]+)+$`)

// plainPath says whether p can stand in a maintainer script without quoting.
func plainPath(p string) bool { return plainPathForm.MatchString(p) && path.Clean(p) == p }

// purgeParents are the directories below which purging may remove files.
var purgeParents = []string{"/etc/", "/var/log/", "/var/cache/", "/var/lib/forge/", "/run/"}

func checkPurge(p string) error {
	below := func(parent string) bool {
		return strings.HasPrefix(p, parent) && len(p) > len(parent) || p == "/var/lib/forge" || p == "/run/forge"
	}
	if !plainPath(p) || !slices.ContainsFunc(purgeParents, below) {
		return fmt.Errorf("purge %q: want a plain path below one of %s", p, strings.Join(purgeParents, " "))
	}
	return nil
}
