package deb

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/mesos-forge/forge/builder/recipe"
)

// Tree is a directory on the host, laid out as on the target. Files below /etc become conffiles.
// Numeric owners are looked up in Spec.Users and Spec.Groups; an id that is neither root nor
// there is an error. Extended attributes and hard links are not carried over.
type Tree struct {
	Dir string
	// Prefix is where Dir lies on the target; "" means "/".
	Prefix string
}

// FromOverlay returns the entries of an overlay whose files open in fsys.
func FromOverlay(fsys fs.FS, o *recipe.Overlay) []Entry {
	out := make([]Entry, 0, len(o.Entries))
	for _, e := range o.Entries {
		out = append(out, Entry{Path: e.Path, Kind: e.Kind, Source: e.Source, FS: fsys, Mode: e.Mode,
			Owner: e.Owner, Group: e.Group, Target: e.Target, Conffile: e.Conffile})
	}
	return out
}

// open returns the content of a file with its size.
func (e *Entry) open() (io.ReadCloser, int64, error) {
	if e.FS == nil && e.Source == "" {
		return io.NopCloser(bytes.NewReader(e.Text)), int64(len(e.Text)), nil
	}
	var f fs.File
	var err error
	if e.FS != nil {
		f, err = e.FS.Open(e.Source)
	} else {
		f, err = os.Open(e.Source)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("content of %s: %w", e.Path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", e.Source)
	}
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("content of %s: %w", e.Path, err)
	}
	return f, info.Size(), nil
}

// plan is the sorted content of the data archive, parents first, without "/".
type plan struct {
	entries []*Entry
	byPath  map[string]*Entry
	// implied are directories that nobody asked for: parents.
	implied map[string]bool
}

// newPlan joins all that a Spec carries and adds the missing parents.
func (s *Spec) newPlan(extra []Entry) (*plan, error) {
	p := &plan{byPath: map[string]*Entry{}, implied: map[string]bool{}}
	for _, t := range s.Trees {
		if err := s.walk(t, p.add); err != nil {
			return nil, err
		}
	}
	fromNFPM, err := s.nfpmContents()
	if err != nil {
		return nil, err
	}
	for _, list := range [][]Entry{s.Entries, fromNFPM, extra} {
		for _, e := range list {
			if err := p.add(e); err != nil {
				return nil, err
			}
		}
	}
	if err := p.addParents(); err != nil {
		return nil, err
	}
	p.entries = make([]*Entry, 0, len(p.byPath))
	for _, e := range p.byPath {
		p.entries = append(p.entries, e)
	}
	sort.Slice(p.entries, func(i, j int) bool { return tarName(p.entries[i]) < tarName(p.entries[j]) })
	return p, nil
}

// tarName is "./usr/bin/x" or, for a directory, "./usr/bin/": sorted, parents come first.
func tarName(e *Entry) string {
	if e.Kind == recipe.EntryDir {
		return "." + e.Path + "/"
	}
	return "." + e.Path
}

func (p *plan) add(e Entry) error {
	if err := e.complete(); err != nil {
		return err
	}
	old, taken := p.byPath[e.Path]
	if !taken {
		p.byPath[e.Path] = &e
		return nil
	}
	same := old.Kind == recipe.EntryDir && e.Kind == recipe.EntryDir &&
		old.Mode == e.Mode && old.Owner == e.Owner && old.Group == e.Group
	if !same {
		return fmt.Errorf("%s comes twice: a %s %04o %s:%s and a %s %04o %s:%s", e.Path,
			old.Kind, old.Mode, old.Owner, old.Group, e.Kind, e.Mode, e.Owner, e.Group)
	}
	return nil
}

// complete fills in defaults and refuses what dpkg can't hold.
func (e *Entry) complete() error {
	if e.Path == "/" || !path.IsAbs(e.Path) || path.Clean(e.Path) != e.Path || !utf8.ValidString(e.Path) ||
		strings.ContainsFunc(e.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("path %q: want an absolute, clean path without control characters", e.Path)
	}
	if e.Owner == "" {
		e.Owner = "root"
	}
	if e.Group == "" {
		e.Group = "root"
	}
	if !userForm.MatchString(e.Owner) || !userForm.MatchString(e.Group) {
		return fmt.Errorf("%s: owner %q, group %q: not names of a user and a group", e.Path, e.Owner, e.Group)
	}
	if e.Mode&^0o7777 != 0 {
		return fmt.Errorf("%s: mode %o has bits outside 7777", e.Path, e.Mode)
	}
	switch e.Kind {
	case recipe.EntryFile:
		if e.Mode == 0 {
			e.Mode = 0o644
		}
	case recipe.EntryDir:
		if e.Mode == 0 {
			e.Mode = 0o755
		}
	case recipe.EntryLink:
		e.Mode, e.Owner, e.Group = 0o777, "root", "root"
		if e.Target == "" || strings.ContainsAny(e.Target, "\x00\n") {
			return fmt.Errorf("%s: %q can't be a link's target", e.Path, e.Target)
		}
	default:
		return fmt.Errorf("%s: unknown kind %q", e.Path, e.Kind)
	}
	if (e.Owner != "root" || e.Group != "root") && !plainPath(e.Path) {
		return fmt.Errorf("%s: a path that does not belong to root can't hold special characters", e.Path)
	}
	if e.Conffile && (e.Kind != recipe.EntryFile || strings.ContainsAny(e.Path, " \t")) {
		return fmt.Errorf("%s: only a file without spaces in its path can be a conffile", e.Path)
	}
	return nil
}

func (p *plan) addParents() error {
	var paths []string
	for name := range p.byPath {
		paths = append(paths, name)
	}
	sort.Strings(paths)
	for _, name := range paths {
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			switch e, ok := p.byPath[dir]; {
			case !ok:
				p.byPath[dir] = &Entry{Path: dir, Kind: recipe.EntryDir, Mode: 0o755, Owner: "root", Group: "root"}
				p.implied[dir] = true
			case e.Kind != recipe.EntryDir:
				return fmt.Errorf("%s is a %s, yet %s lies in it", dir, e.Kind, name)
			}
		}
	}
	return nil
}

// walk calls add for everything below a tree's directory.
func (s *Spec) walk(t Tree, add func(Entry) error) error {
	root, err := os.OpenRoot(t.Dir)
	if err != nil {
		return fmt.Errorf("tree: %w", err)
	}
	defer root.Close()
	users, groups := map[int]string{0: "root"}, map[int]string{0: "root"}
	for _, u := range s.Users {
		users[u.UID] = u.Name
	}
	for _, g := range s.Groups {
		groups[g.GID] = g.Name
	}
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := Entry{Path: path.Join("/", t.Prefix, name), Mode: chmodBits(info.Mode())}
		stat := info.Sys().(*syscall.Stat_t)
		var okUser, okGroup bool
		e.Owner, okUser = users[int(stat.Uid)]
		e.Group, okGroup = groups[int(stat.Gid)]
		if !okUser || !okGroup {
			return fmt.Errorf("%s in %s belongs to %d:%d, which the package does not name", name, t.Dir, stat.Uid, stat.Gid)
		}
		switch {
		case info.Mode().IsRegular():
			e.Kind, e.Source = recipe.EntryFile, path.Join(t.Dir, name)
			e.Conffile = strings.HasPrefix(e.Path, "/etc/")
		case d.IsDir():
			e.Kind = recipe.EntryDir
		case d.Type() == fs.ModeSymlink:
			e.Kind = recipe.EntryLink
			if e.Target, err = root.Readlink(name); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s in %s is neither file, directory nor link", name, t.Dir)
		}
		return add(e)
	})
}

// chmodBits turns Go's mode bits into those of chmod.
func chmodBits(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}
