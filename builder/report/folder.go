package report

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Folder is a directory, or a file, with the size of all that is in it.
type Folder struct {
	Name     string   `json:"name"`
	Size     int64    `json:"size"`  // bytes of regular files; one with several names counts once
	Files    int      `json:"files"` // names that are no directories
	Dir      bool     `json:"dir,omitempty"`
	Children []Folder `json:"children,omitempty"`
}

const (
	measureDepth = 6  // levels of folders that are kept
	measureShare = 50 // what is smaller than one part in so many of the whole goes into one line
)

// Measure returns the sizes of the tree at dir: its upper levels, and of these what is large enough to
// be worth a line. What is left out is one child called "" where it stands. Nothing is opened, no
// link is followed.
func Measure(ctx context.Context, dir string) (Folder, error) {
	m := measure{ctx: ctx, seen: map[[2]uint64]bool{}}
	f, err := m.folder(dir, 0)
	if err != nil {
		return f, fmt.Errorf("measure %s: %w", dir, err)
	}
	f.Name = "/"
	return f.pruned(max(f.Size/measureShare, 1)), nil
}

type measure struct {
	ctx  context.Context
	seen map[[2]uint64]bool // device and inode of files with several names
}

func (m *measure) folder(dir string, depth int) (Folder, error) {
	f := Folder{Name: filepath.Base(dir), Dir: true}
	if err := m.ctx.Err(); err != nil {
		return f, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return f, err
	}
	for _, e := range entries {
		child := Folder{Name: e.Name(), Files: 1}
		if e.IsDir() {
			if child, err = m.folder(filepath.Join(dir, e.Name()), depth+1); err != nil {
				return f, err
			}
		} else if child.Size, err = m.file(e); err != nil {
			return f, err
		}
		f.Size, f.Files = f.Size+child.Size, f.Files+child.Files
		if depth < measureDepth {
			f.Children = append(f.Children, child)
		}
	}
	return f, nil
}

func (m *measure) file(e fs.DirEntry) (int64, error) {
	fi, err := e.Info()
	if err != nil || !fi.Mode().IsRegular() {
		return 0, err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		id := [2]uint64{uint64(st.Dev), st.Ino}
		if m.seen[id] {
			return 0, nil
		}
		m.seen[id] = true
	}
	return fi.Size(), nil
}

// pruned keeps the children of at least least bytes, the largest first, and sums the others up.
func (f Folder) pruned(least int64) Folder {
	rest := Folder{}
	var kept []Folder
	for _, c := range f.Children {
		if c.Size < least {
			rest.Size, rest.Files = rest.Size+c.Size, rest.Files+c.Files
			continue
		}
		kept = append(kept, c.pruned(least))
	}
	slices.SortFunc(kept, func(a, b Folder) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Name, b.Name))
	})
	if rest.Files > 0 && len(kept) > 0 {
		kept = append(kept, rest)
	}
	f.Children = kept
	return f
}
