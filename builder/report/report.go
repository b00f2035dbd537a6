package report

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed report.tmpl report.css
var files embed.FS

// shown is how many packages have a bar of their own; the list below the bars has all of them.
const shown = 24

// page is what the template sees: a Data and what follows from it.
type page struct {
	Data
	Style    template.CSS
	Ran      []Step // in the order of their starts
	Hits     []Step // the longest first
	StandIns []StandIn
	Ticks    []tick
}

type tick struct {
	Left  string
	Label string
}

// Write writes the page.
func Write(w io.Writer, d Data) error {
	style, err := files.ReadFile("report.css")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	t, err := template.New("report.tmpl").Funcs(functions).ParseFS(files, "report.tmpl")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	p := page{Data: d, Style: template.CSS(style)} // our own file: nothing from outside is in it
	for _, s := range d.Steps {
		if s.Hit {
			p.Hits = append(p.Hits, s)
		} else {
			p.Ran = append(p.Ran, s)
		}
	}
	slices.SortStableFunc(p.Ran, func(a, b Step) int { return cmp.Compare(a.Offset, b.Offset) })
	slices.SortStableFunc(p.Hits, func(a, b Step) int { return cmp.Compare(b.Took, a.Took) })
	known := map[string]bool{}
	for _, r := range d.Roles {
		for _, s := range r.StandIns {
			if !known[s.Package] {
				p.StandIns = append(p.StandIns, s)
			}
			known[s.Package] = true
		}
	}
	for i := range 5 {
		p.Ticks = append(p.Ticks, tick{percent(int64(i), 4), Took(d.Took * time.Duration(i) / 4)})
	}
	p.Ticks[0].Label = "0"
	if d.Took <= 0 {
		p.Ticks = nil
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

var functions = template.FuncMap{
	"size":   Size,
	"growth": Growth,
	"took":   Took,
	"time":   func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") },
	"clock":  func(t time.Time) string { return t.UTC().Format("15:04:05 UTC") },
	"date":   func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"of":     percent,
	"ofTime": func(part, whole time.Duration) string {
		return percent(int64(part), int64(whole))
	},
	"largest": func(all []Package) []Package {
		return bySize(all)[:min(shown, len(all))]
	},
	"most": func(all []Package) int64 {
		if len(all) == 0 {
			return 0
		}
		return bySize(all)[0].Installed
	},
	"installed": func(all []Package) (sum int64) {
		for _, p := range all {
			sum += p.Installed
		}
		return sum
	},
	"trees": func(layers []Layer) (sum int64) {
		for _, l := range layers {
			sum += l.Tree.Size
		}
		return sum
	},
	"short":  func(digest string) string { return strings.TrimPrefix(digest, "sha256:") },
	"half":   func(n int64) int64 { return n / 2 },
	"plural": plural,
	"branch": func(f Folder, whole int64, layer string) branch { return branch{f, whole, layer} },
}

// branch is a folder in the file tree of a layer.
type branch struct {
	Folder
	Whole int64 // bytes of the layer
	Layer string
}

func bySize(all []Package) []Package {
	return slices.SortedStableFunc(slices.Values(all), func(a, b Package) int { return cmp.Compare(b.Installed, a.Installed) })
}

// percent returns part/whole in percent, within 0 and 100, as CSS wants a number.
func percent(part, whole int64) string {
	if whole <= 0 || part <= 0 {
		return "0"
	}
	return strconv.FormatFloat(min(100, 100*float64(part)/float64(whole)), 'f', 2, 64)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
