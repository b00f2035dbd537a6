package node

import (
	"slices"
	"strings"
)

// absentMount is a mount point of this node on which no file system is.
type absentMount struct {
	path  string
	needs string // what lies below it
}

// below is the absent mount that a path lies on or below, or nil.
func below(path string, absent []absentMount) *absentMount {
	for _, a := range absent {
		if path == a.path || strings.HasPrefix(path, a.path+"/") {
			return &absentMount{path: a.path, needs: path}
		}
	}
	return nil
}

// missingBelow finds what a service needs below an absent mount, or nil.
func (st *starter) missingBelow(svc RenderedService) *absentMount {
	for _, path := range st.r.Rendering.needed(svc) {
		if a := below(path, st.absent); a != nil {
			return a
		}
	}
	return nil
}

// needed are the paths that a service keeps its data in, as far as its manifest says.
func (r *Rendering) needed(svc RenderedService) []string {
	var paths []string
	for _, d := range r.Dirs {
		if slices.Contains(d.Services, svc.Name) {
			paths = append(paths, d.Path)
		}
	}
	for _, step := range svc.Steps {
		paths = append(paths, step.Paths...)
	}
	for _, f := range r.Files {
		if slices.Contains(f.Restart, svc.Name) {
			paths = append(append(paths, f.Path), f.Fixed...)
		}
	}
	return paths
}
