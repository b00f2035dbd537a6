package publish

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// maxStatus bounds dpkg's status file; one of 2000 packages has 3 MB.
const maxStatus = 64 << 20

// installed is what dpkg says about a package of a tree.
type installed struct {
	version string
	size    int64 // bytes
}

// status reads which packages dpkg has installed in a view, by NAME:ARCHITECTURE.
func (v view) status() (map[string]installed, error) {
	b, err := v.read("var/lib/dpkg/status", maxStatus)
	if err != nil {
		return nil, err
	}
	paragraphs, err := archive.ParseParagraphs(b)
	if err != nil {
		return nil, fmt.Errorf("var/lib/dpkg/status: %w", err)
	}
	out := map[string]installed{}
	for _, p := range paragraphs {
		if !strings.HasSuffix(p.Get("Status"), " installed") {
			continue
		}
		kib, err := strconv.ParseInt(p.Get("Installed-Size"), 10, 40)
		if err != nil && p.Get("Installed-Size") != "" {
			return nil, fmt.Errorf("var/lib/dpkg/status: package %s: Installed-Size: %w", p.Get("Package"), err)
		}
		out[p.Get("Package")+":"+p.Get("Architecture")] = installed{version: p.Get("Version"), size: kib << 10}
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
