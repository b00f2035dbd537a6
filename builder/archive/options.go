package archive

import (
	"archive/tar"
	"fmt"
	"time"

	"github.com/gobwas/glob"
)

// Owner decides the numeric owner of an entry. The header's Uid, Gid, Uname
// and Gname are as the archive has them.
type Owner func(h *tar.Header) (uid, gid int, err error)

// HeaderOwner keeps the archive's numeric ids and ignores names.
func HeaderOwner(h *tar.Header) (uid, gid int, err error) { return h.Uid, h.Gid, nil }

// FixedOwner gives everything to one owner.
func FixedOwner(uid, gid int) Owner {
	return func(*tar.Header) (int, int, error) { return uid, gid, nil }
}

// NamedOwner looks the archive's user and group names up and takes its numeric
// ids where it has no name. A name that is not known is an error.
func NamedOwner(users, groups map[string]int) Owner {
	look := func(kind string, ids map[string]int, name string, id int) (int, error) {
		if name == "" {
			return id, nil
		}
		if known, ok := ids[name]; ok {
			return known, nil
		}
		return 0, fmt.Errorf("unknown %s %q", kind, name)
	}
	return func(h *tar.Header) (int, int, error) {
		uid, err := look("user", users, h.Uname, h.Uid)
		if err != nil {
			return 0, 0, err
		}
		gid, err := look("group", groups, h.Gname, h.Gid)
		return uid, gid, err
	}
}

// Options say how an archive is unpacked. The zero value is right for an
// archive of unknown origin: default limits, nothing but files, directories and links,
// nothing overwritten, no symbolic link followed.
type Options struct {
	Name   string // the archive in errors, such as "data.tar of bash_5.2.deb"
	Limits Limits

	// Owner decides who owns each entry; nil is HeaderOwner (for a zip: 0:0).
	Owner Owner
	// Include keeps the entries whose name matches one of these patterns
	// (* within a component, ** across them, {a,b}); none keeps everything. One that
	// matches nothing is an error: the archive is not laid out as it should be.
	Include []string
	// Exclude leaves out entries that match one of these, included or not.
	Exclude []string
	// Strip drops this many leading components; entries with no more are left out.
	Strip int
	// Rename gives an entry another name, or leaves it out. It sees names
	// after Strip, clean and relative ("usr/bin/su"), targets of hard links too.
	Rename func(name string) (newName string, keep bool)

	// ConfineLinks refuses symbolic links with a target that is absolute,
	// leaves the destination or has ".." anywhere but at its start.
	ConfineLinks bool
	AllowDevices bool // character and block devices
	AllowFIFOs   bool
	PlainModes   bool // 0755 for directories and what has an x bit, else 0644, as of a zip; of a tar alone
	Xattrs       bool // restore SCHILY.xattr.*, such as security.capability

	// Merge unpacks into a tree that is in use, as dpkg does: symbolic links
	// to directories are followed, with the destination as "/" (merged /usr);
	// directories that exist keep their owner, mode and time; files that exist
	// are replaced; a link in the archive does not replace a directory.
	Merge bool
}

// Entry is one thing that was unpacked.
type Entry struct {
	Name     string    // clean, relative, after Strip and Rename; "." is the top
	Type     byte      // tar.TypeReg, tar.TypeDir, tar.TypeLink, ...
	Mode     uint32    // permission, setuid, setgid and sticky bits: 0..07777
	UID, GID int       // as set
	Size     int64     // of a file's contents
	ModTime  time.Time // as set
	Target   string    // of a symbolic link as it is; of a hard link the clean name
}

// selector decides which entries are kept, and under which name.
type selector struct {
	include []glob.Glob
	found   []bool // by include: it has matched something
	exclude []glob.Glob
	strip   int
	rename  func(string) (string, bool)
	depth   int
}

func newSelector(o Options) (*selector, error) {
	s := &selector{strip: o.Strip, rename: o.Rename, depth: o.Limits.withDefaults().Depth}
	for _, l := range []struct {
		patterns []string
		to       *[]glob.Glob
	}{{o.Include, &s.include}, {o.Exclude, &s.exclude}} {
		for _, pattern := range l.patterns {
			g, err := glob.Compile(pattern, '/')
			if err != nil {
				return nil, fmt.Errorf("%s: pattern %q: %w", o.Name, pattern, err)
			}
			*l.to = append(*l.to, g)
		}
	}
	s.found = make([]bool, len(s.include))
	return s, nil
}

// included tells whether a name is wanted, and remembers by which patterns.
func (s *selector) included(name string) bool {
	in := len(s.include) == 0
	for i, g := range s.include {
		if g.Match(name) {
			s.found[i], in = true, true
		}
	}
	return in
}

// missing is an error if a pattern of include matched nothing in the whole archive.
func (s *selector) missing(o Options) error {
	for i, found := range s.found {
		if !found {
			return &EntryError{Err: fmt.Errorf("nothing in it matches %s: it is not laid out as it should be", o.Include[i])}
		}
	}
	return nil
}

// pick returns the name to unpack a clean name under.
func (s *selector) pick(name string) (string, bool, error) {
	if !s.included(name) || matches(s.exclude, name) {
		return "", false, nil
	}
	name, ok := stripName(name, s.strip)
	if !ok || s.rename == nil {
		return name, ok, nil
	}
	renamed, ok := s.rename(name)
	if !ok || renamed == name {
		return name, ok, nil
	}
	renamed, err := cleanName(renamed, true, s.depth)
	if err != nil {
		return "", false, fmt.Errorf("renamed from %q: %w", name, err)
	}
	return renamed, true, nil
}

func matches(patterns []glob.Glob, name string) bool {
	for _, g := range patterns {
		if g.Match(name) {
			return true
		}
	}
	return false
}
