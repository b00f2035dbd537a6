package rootfs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/archive"
)

// Difference is one path that is not the same in two trees.
type Difference struct {
	Path string // "./etc/passwd"
	// What differs: "only in A", "only in B", or the names of attributes as in archive.Manifest
	// ("mode", "uid", "time", "sha256", ...), sorted.
	What []string
	A, B string // the manifest's lines, without the path; "" where the path is missing
}

// String gives the path, what differs, and both sides of that.
func (d Difference) String() string {
	a, b := attributes(d.A), attributes(d.B)
	var parts []string
	for _, what := range d.What {
		if d.A == "" || d.B == "" {
			parts = append(parts, what)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %s != %s", what, shortValue(a[what]), shortValue(b[what])))
	}
	return d.Path + ": " + strings.Join(parts, ", ")
}

func shortValue(v string) string {
	switch {
	case v == "":
		return "-"
	case len(v) > 24:
		return v[:12] + "..."
	}
	return v
}

// Compare lists the paths that differ between two trees, sorted by path.
func Compare(ctx context.Context, a, b string) ([]Difference, error) {
	inA, err := manifestLines(ctx, a)
	if err != nil {
		return nil, err
	}
	inB, err := manifestLines(ctx, b)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(inA)
	maps.Copy(all, inB)
	var out []Difference
	for _, path := range slices.Sorted(maps.Keys(all)) {
		d := Difference{Path: path, A: inA[path], B: inB[path]}
		switch {
		case d.A == d.B:
			continue
		case d.A == "":
			d.What = []string{"only in B"}
		case d.B == "":
			d.What = []string{"only in A"}
		default:
			d.What = differing(attributes(d.A), attributes(d.B))
		}
		out = append(out, d)
	}
	return out, nil
}

// manifestLines maps the paths of a tree to the rest of their manifest lines.
func manifestLines(ctx context.Context, dir string) (map[string]string, error) {
	var b bytes.Buffer
	if err := archive.Manifest(ctx, dir, &b); err != nil {
		return nil, fmt.Errorf("rootfs: compare: %w", err)
	}
	lines := map[string]string{}
	s := bufio.NewScanner(&b)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		path, rest, ok := strings.Cut(s.Text(), " ")
		if ok && strings.HasPrefix(path, ".") {
			lines[path] = rest
		}
	}
	return lines, s.Err()
}

func attributes(line string) map[string]string {
	out := map[string]string{}
	for field := range strings.FieldsSeq(line) {
		name, value, _ := strings.Cut(field, "=")
		out[name] = value
	}
	return out
}

func differing(a, b map[string]string) []string {
	names := maps.Clone(a)
	maps.Copy(names, b)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(n string) bool { return a[n] == b[n] })
}
