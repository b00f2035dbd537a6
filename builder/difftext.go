package builder

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/mesos-forge/forge/builder/compare"
	"github.com/mesos-forge/forge/builder/report"
)

// How much of a difference is written as text unless all is asked for.
const (
	textValues   = 20 // settings, packages and lines of locks, each
	textSizes    = 10 // packages by size
	textGroups   = 20 // packages with files that differ
	textPerGroup = 8  // files of one of them
	textWidth    = 80 // bytes of a value
)

// WriteDiff writes a difference for people; all of it, or what is enough to see what it is about.
func WriteDiff(w io.Writer, res *compare.Result, all bool) error {
	t := &diffText{all: all}
	t.line("A: %s", plain(res.A))
	t.line("B: %s", plain(res.B))
	same := 0
	for i := range res.Parts {
		p := &res.Parts[i]
		if p.Same() {
			same++
			continue
		}
		t.line("")
		t.part(p)
	}
	switch {
	case res.Same:
		t.line("")
		t.line("They are the same.")
	case same > 0:
		t.line("")
		t.line("%s the same.", plural(same, "other part is", "other parts are"))
	}
	_, err := io.WriteString(w, t.String())
	return err
}

type diffText struct {
	strings.Builder
	all bool
}

func (t *diffText) line(format string, args ...any) {
	fmt.Fprintf(&t.Builder, format, args...)
	t.WriteByte('\n')
}

func (t *diffText) part(p *compare.Part) {
	head := strings.TrimSpace(p.Kind + " " + plain(p.Name))
	if p.Change != "" {
		t.line("%s: %s", head, p.Change)
		return
	}
	t.line("%s", head)
	t.layers(p.Layers)
	if p.First != nil {
		t.line("  no file differs; the first difference is in %s", plain(p.First.Text("A", "B")))
	}
	t.packages(p.Packages)
	t.sizes(p)
	t.settings(p.Settings)
	t.files(p)
	t.section("lock", len(p.Lock), textValues, func(i int) { t.line("    %s", plain(p.Lock[i])) })
}

// section writes a heading and its lines, cut off at a number of them.
func (t *diffText) section(name string, n, limit int, line func(i int)) {
	if n == 0 {
		return
	}
	t.line("  %s", name)
	for i := range n {
		if i == limit && !t.all && n > limit+1 {
			t.line("    ... and %d more (--all shows them)", n-limit)
			return
		}
		line(i)
	}
}

func (t *diffText) layers(all []compare.LayerChange) {
	same := 0
	for _, l := range all {
		if l.Same {
			same++
		}
	}
	if len(all) == same {
		return
	}
	t.line("  layers: %d of %d the same", same, len(all))
	for _, l := range all {
		if l.Same {
			continue
		}
		t.line("    %s %d %s: %s", sign(l.DigestA == "", l.DigestB == ""), l.Layer, plain(cmp.Or(l.Made, "(unnamed)")),
			arrow(layerText(l.DigestA, l.SizeA), layerText(l.DigestB, l.SizeB)))
	}
}

func layerText(digest string, size int64) string {
	if digest == "" {
		return ""
	}
	digest = strings.TrimPrefix(digest, "sha256:")
	return report.Size(size) + " " + digest[:min(12, len(digest))]
}

func (t *diffText) packages(all []compare.PackageChange) {
	if len(all) == 0 {
		return
	}
	count := map[compare.Change]int{}
	for _, c := range all {
		count[c.Change]++
	}
	t.section("packages: "+counts(count), len(all), textValues, func(i int) {
		c := all[i]
		t.line("    %s %s: %s", sign(c.A == nil, c.B == nil), plain(c.Name), arrow(packageText(c, c.A), packageText(c, c.B)))
	})
}

// packageText is what is told of a package: its version, and more where the version doesn't tell it.
func packageText(c compare.PackageChange, p *compare.Package) string {
	if p == nil {
		return ""
	}
	out := plain(p.Version)
	for _, what := range c.What {
		switch what {
		case "architecture":
			out += " " + plain(p.Architecture)
		case "content":
			out += " sha256 " + plain(p.SHA256[:min(12, len(p.SHA256))])
		}
	}
	return out
}

func (t *diffText) sizes(p *compare.Part) {
	if p.Whole == nil || len(p.Sizes) == 0 && p.Whole.A == p.Whole.B {
		return
	}
	a, b := p.Whole.A, p.Whole.B
	t.line("  size: %s -> %s (%s) in %d -> %d files", report.Size(a.Bytes), report.Size(b.Bytes), growth(b.Bytes-a.Bytes), a.Files, b.Files)
	for i, s := range p.Sizes {
		// Both ends are of interest: what grew most, and what shrank most.
		if more := len(p.Sizes) - textSizes; !t.all && more > 1 && i >= textSizes/2 && i < textSizes/2+more {
			if i == textSizes/2 {
				t.line("    ... and %d more (--all shows them)", more)
			}
			continue
		}
		declared := ""
		if s.A.Installed != s.B.Installed {
			declared = ", installed-size " + growth(s.B.Installed-s.A.Installed)
		}
		t.line("    %s %s: %s -> %s%s", growth(s.Growth()), plain(cmp.Or(s.Package, "(no package)")), report.Size(s.A.Bytes), report.Size(s.B.Bytes), declared)
	}
}

func (t *diffText) settings(all []compare.Value) {
	t.section("configuration", len(all), textValues, func(i int) {
		v := all[i]
		t.line("    %s %s: %s", sign(v.Change == compare.Added, v.Change == compare.Removed), plain(v.Name), arrow(short(v.A), short(v.B)))
	})
}

// files writes what differs by the package that it belongs to. Files that came or went with their package are
// counted, unless all is asked for.
func (t *diffText) files(p *compare.Part) {
	if len(p.Files) == 0 {
		return
	}
	with := map[string]compare.Change{}
	for _, c := range p.Packages {
		with[c.Name] = c.Change
	}
	count, counted := map[compare.Change]int{}, map[compare.Change]int{}
	groups := map[string][]compare.FileChange{}
	for _, c := range p.Files {
		count[c.Change]++
		if !t.all && c.Change != compare.Changed && with[c.Package] == c.Change {
			counted[c.Change]++
			continue
		}
		groups[c.Package] = append(groups[c.Package], c)
	}
	t.line("  files: %s", counts(count))
	for _, c := range []compare.Change{compare.Added, compare.Removed} {
		if counted[c] > 0 {
			t.line("    %s with their packages: %d", c, counted[c])
		}
	}
	for i, name := range sortedNames(groups) {
		if i == textGroups && !t.all {
			t.line("    ... and %s (--all shows them)", plural(len(groups)-i, "more package", "more packages"))
			return
		}
		if p.Kind != kindDeb {
			t.line("    %s: %s", plain(cmp.Or(name, "(no package)")), plural(len(groups[name]), "file", "files"))
		}
		t.group(groups[name])
	}
}

// group writes the files of one package, a folder that came or went as one.
func (t *diffText) group(all []compare.FileChange) {
	lines, in := []compare.FileChange(nil), []int(nil)
	for _, c := range all {
		if last := len(lines) - 1; !t.all && last >= 0 && c.Change != compare.Changed && c.Change == lines[last].Change && strings.HasPrefix(c.Path, lines[last].Path+"/") {
			in[last]++
			continue
		}
		lines, in = append(lines, c), append(in, 0)
	}
	for i, c := range lines {
		if i == textPerGroup && !t.all && len(lines) > textPerGroup+1 {
			t.line("      ... and %d more (--all shows them)", len(lines)-i)
			return
		}
		if in[i] > 0 {
			t.line("      %s/ and %d in it", fileText(c), in[i])
			continue
		}
		t.line("      %s", fileText(c))
	}
}

// fileText says in a line what became of a file.
func fileText(c compare.FileChange) string {
	out := sign(c.A == nil, c.B == nil) + " " + plain(c.Path)
	if facts := fileFacts(c); facts != "" {
		out += ": " + facts
	}
	return out
}

// fileFacts says what of a file changed: "mode 0644 -> 0755, content".
func fileFacts(c compare.FileChange) string {
	var facts []string
	for _, what := range c.What {
		if what == "content" && c.A.Size == c.B.Size {
			facts = append(facts, "content")
		} else if what != "content" {
			facts = append(facts, what+" "+arrow(cmp.Or(short(c.A.Value(what)), "none"), cmp.Or(short(c.B.Value(what)), "none")))
		}
	}
	return strings.Join(facts, ", ")
}
