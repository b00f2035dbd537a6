package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// configure writes everything that the rendering says, and takes away flag files
// of an earlier one.
//
// Nothing is written below a mount that is absent: it would fill the root disk.
func (n *Node) configure(r *Resolved, s *state, acc *accounts, absent []absentMount, end *outcome) error {
	warnings, err := n.checkFixed(r.Rendering.Files, s, absent)
	end.Warnings = append(end.Warnings, warnings...)
	if err != nil {
		return err
	}
	warnings, err = n.writeNames(r.Identity.Node, r.Rendering.Data.Cluster.Nodes)
	end.Warnings = append(end.Warnings, warnings...)
	if err != nil {
		return err
	}
	var wanted []string
	for _, f := range r.Rendering.Files {
		if f.Flag {
			wanted = append(wanted, f.Path)
		}
	}
	// Recorded before they are written, so that a killed run leaves none behind.
	known := append(slices.Clone(s.Flags), wanted...)
	slices.Sort(known)
	s.Flags = slices.Compact(known)
	if err := n.saveState(s); err != nil {
		return err
	}
	for _, f := range s.Flags {
		if slices.Contains(wanted, f) {
			continue
		}
		if err := os.Remove(n.path(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, f := range r.Rendering.Files {
		if below(f.Path, absent) != nil || anyBelow(f.Fixed, absent) {
			continue
		}
		if err := n.writeFile(f, acc); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	for _, d := range r.Rendering.Dirs {
		if below(d.Path, absent) != nil {
			continue
		}
		uid, gid, err := acc.ids(d.Owner, d.Group)
		if err == nil {
			err = ensureDir(owned{path: n.path(d.Path), mode: d.Mode, uid: uid, gid: gid, steps: n.steps})
		}
		if err != nil {
			return fmt.Errorf("directory %s: %w", d.Path, err)
		}
	}
	s.Flags = wanted
	return n.saveState(s)
}

func (n *Node) writeFile(f RenderedFile, acc *accounts) error {
	uid, gid, err := acc.ids(f.Owner, f.Group)
	if err != nil {
		return err
	}
	_, err = write(owned{path: n.path(f.Path), content: f.Content, mode: f.Mode, uid: uid, gid: gid, steps: n.steps})
	return err
}
