package aptrepo

import (
	"slices"

	"github.com/mesos-forge/forge/builder/archive"
)

// newestVersions splits packages into those that stay in the index, by path, and those that leave it: of each name and
// architecture the newest stay. With most = 0 all stay.
func newestVersions(all []entry, most int) (stay, leave []entry) {
	of := map[string][]entry{}
	for _, e := range all {
		id := e.name + ":" + e.arch
		of[id] = append(of[id], e)
	}
	for _, versions := range of {
		slices.SortFunc(versions, func(a, b entry) int { return archive.CompareVersions(b.version, a.version) })
		n := len(versions)
		if most > 0 {
			n = min(n, most)
		}
		stay, leave = append(stay, versions[:n]...), append(leave, versions[n:]...)
	}
	sortEntries(stay)
	sortEntries(leave)
	return stay, leave
}
