package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Bounds of an overlay.
const (
	maxOverlayFiles = 10_000
	maxOverlaySize  = 64 << 20 // bytes of one file
)

// overlay reads the overlay that the value at key path at of d names.
func (l *loader) overlay(d *document, at, name string) {
	if name == "" {
		return
	}
	if _, read := l.overlays[name]; read {
		return
	}
	dir := path.Join(overlaysDir, name)
	file := path.Join(dir, "overlay.yaml")
	if !namePattern.MatchString(name) {
		d.errorf(at, "", "%q can't be an overlay's name", name)
		return
	}
	if _, err := fs.Stat(l.fsys, file); errors.Is(err, fs.ErrNotExist) {
		d.errorf(at, didYouMean(name, l.overlayNames()), "no overlay %q: there is no %s", name, file)
		return
	}
	o := &Overlay{Name: name}
	od, ok := decodeFile(l.fsys, file, o, l.probs)
	l.overlays[name] = o
	if !ok {
		return
	}
	o.Entries = append(l.tree(od, dir), l.shared(od, o)...)
	checkOverlayRules(od, o)
	applyRules(od, o)
	slices.SortFunc(o.Entries, func(a, b OverlayEntry) int { return strings.Compare(a.Path, b.Path) })
	for i := 1; i < len(o.Entries); i++ {
		if o.Entries[i].Path == o.Entries[i-1].Path {
			od.errorf("", "", "%s is in the overlay twice", o.Entries[i].Path)
		}
	}
}

func (l *loader) overlayNames() []string {
	entries, err := fs.ReadDir(l.fsys, overlaysDir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// tree lists the files of an overlay's folder with their digests.
func (l *loader) tree(d *document, dir string) []OverlayEntry {
	var entries []OverlayEntry
	err := fs.WalkDir(l.fsys, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(name, dir)
		switch {
		case e.IsDir() || rel == "/overlay.yaml":
			return nil
		case e.Type()&fs.ModeSymlink != 0:
			d.errorf("", "name it under links: in overlay.yaml", "%s is a symbolic link", name)
			return nil
		case !e.Type().IsRegular():
			d.errorf("", "", "%s is not a plain file", name)
			return nil
		}
		if len(entries) == maxOverlayFiles {
			return fmt.Errorf("more than %d files", maxOverlayFiles)
		}
		entry, err := l.overlayFile(name, e)
		if err != nil {
			return err
		}
		entry.Path = rel
		entries = append(entries, entry)
		return nil
	})
	if err != nil {
		d.errorf("", "", "the overlay's files can't be read: %v", err)
	}
	return entries
}

// shared are the files that an overlay takes from others.
func (l *loader) shared(d *document, o *Overlay) []OverlayEntry {
	var entries []OverlayEntry
	for i, s := range o.Shared {
		at := "shared/" + strconv.Itoa(i)
		name := path.Join(overlaysDir, s.Overlay) + s.Path
		if !fs.ValidPath(name) || !strings.HasPrefix(s.Path, "/") {
			d.errorf(at+"/path", "", "%q is not a path in the overlay %s", s.Path, s.Overlay)
			continue
		}
		info, err := fs.Stat(l.fsys, name)
		if err != nil || !info.Mode().IsRegular() {
			d.errorf(at, didYouMean(s.Overlay, l.overlayNames()), "there is no file %s", name)
			continue
		}
		entry, err := l.overlayFile(name, fs.FileInfoToDirEntry(info))
		if err != nil {
			d.errorf(at, "", "%s can't be read: %v", name, err)
			continue
		}
		entry.Path = s.Path
		entries = append(entries, entry)
	}
	return entries
}

// overlayFile describes one file: what git keeps of it.
func (l *loader) overlayFile(name string, e fs.DirEntry) (OverlayEntry, error) {
	info, err := e.Info()
	if err != nil {
		return OverlayEntry{}, err
	}
	sum, size, err := digestFile(l.fsys, name, maxOverlaySize)
	if err != nil {
		return OverlayEntry{}, err
	}
	mode := uint32(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return OverlayEntry{Kind: EntryFile, Source: name, Mode: mode, Owner: "root", Group: "root",
		Size: size, SHA256: sum}, nil
}

// digestFile is the sha256 and the size of a file of at most limit bytes.
func digestFile(fsys fs.FS, name string, limit int64) (string, int64, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, limit+1))
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", name, err)
	}
	if n > limit {
		return "", 0, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// checkOverlayRules checks the paths and modes of overlay.yaml.
func checkOverlayRules(d *document, o *Overlay) {
	for i, r := range o.Files {
		at := "files/" + strconv.Itoa(i)
		if _, err := path.Match(r.Path, ""); err != nil {
			d.errorf(at+"/path", "", "%q is not a pattern: %v", r.Path, err)
		}
		checkTargetPath(d, at+"/path", r.Path)
	}
	for i, r := range o.Dirs {
		checkTargetPath(d, "dirs/"+strconv.Itoa(i)+"/path", r.Path)
	}
	for i, r := range o.Links {
		at := "links/" + strconv.Itoa(i)
		checkTargetPath(d, at+"/path", r.Path)
		if r.To == "" || strings.ContainsAny(r.To, "\x00\n") {
			d.errorf(at+"/to", "", "%q can't be a link's target", r.To)
		}
	}
}

// applyRules gives the entries what overlay.yaml says and adds its directories
// and links.
func applyRules(d *document, o *Overlay) {
	for i := range o.Entries {
		e := &o.Entries[i]
		e.Conffile = strings.HasPrefix(e.Path, "/etc/")
	}
	for i, r := range o.Files {
		matched := false
		for j := range o.Entries {
			e := &o.Entries[j]
			if ok, _ := path.Match(r.Path, e.Path); !ok {
				continue
			}
			matched = true
			e.Mode, e.Owner, e.Group = modeOr(r.Mode, e.Mode), or(r.Owner, e.Owner), or(r.Group, e.Group)
			if r.Conffile != nil {
				e.Conffile = *r.Conffile
			}
		}
		if !matched {
			d.errorf("files/"+strconv.Itoa(i)+"/path", "", "no file of the overlay matches %q", r.Path)
		}
	}
	for _, r := range o.Dirs {
		o.Entries = append(o.Entries, OverlayEntry{Path: r.Path, Kind: EntryDir,
			Mode: modeOr(r.Mode, 0o755), Owner: or(r.Owner, "root"), Group: or(r.Group, "root")})
	}
	for _, r := range o.Links {
		o.Entries = append(o.Entries, OverlayEntry{Path: r.Path, Kind: EntryLink, Target: r.To,
			Owner: "root", Group: "root"})
	}
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// modeOr is the octal text as bits; the pattern of the type has been checked.
func modeOr(s string, fallback uint32) uint32 {
	v, err := strconv.ParseUint(s, 8, 32)
	if err != nil {
		return fallback
	}
	return uint32(v)
}
