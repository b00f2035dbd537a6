package builder

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/compare"
	"github.com/mesos-forge/forge/builder/report"
)

// formerNames are the results of a role that are kept until the report is written, so that it can say what changed.
var formerNames = []string{"image", "packages.json", lockFile}

// former is where replaced results are kept meanwhile, below paths as in the output folder.
func (p *placer) former() string { return filepath.Join(p.out, ".forge", "former") }

// keepFormer keeps a result that is about to be replaced. Where files can't have two names nothing is kept: that costs
// a part of the report, not the build.
func (p *placer) keepFormer(rel string) {
	if _, ok := p.before[rel]; !ok || !slices.Contains(formerNames, filepath.Base(rel)) {
		return
	}
	_ = p.walk(rel, func(name string, _ fs.FileInfo) error {
		to := filepath.Join(p.former(), name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.Link(filepath.Join(p.out, name), to)
	})
}

// formerRole makes a folder of the results that a role had before this build, and returns it. Results that nobody
// replaced are links.
func (p *placer) formerRole(role string) (string, error) {
	dir := filepath.Join(p.former(), role)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range formerNames {
		rel := filepath.Join(role, name)
		if _, had := p.before[rel]; !had || exists(filepath.Join(dir, name)) {
			continue
		}
		if p.before[rel].From != p.results[rel].From {
			return "", errors.New("the former " + rel + " could not be kept")
		}
		at, err := filepath.Abs(filepath.Join(p.out, rel))
		if err == nil {
			err = os.Symlink(at, filepath.Join(dir, name))
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

// changed tells whether a result of the role is not what it was before this build.
func (p *placer) changed(role string) bool {
	for rel, now := range p.results {
		if before, had := p.before[rel]; strings.HasPrefix(rel, role+"/") && (!had || before.From != now.From) {
			return true
		}
	}
	return false
}

// pageChanges says what became of the roles that were in the output folder before.
func (p *placer) pageChanges(ctx context.Context, roles []role) ([]report.Changes, error) {
	var out []report.Changes
	for _, r := range roles {
		if _, had := p.before[filepath.Join(r.name, "image")]; !had || r.image == nil {
			continue
		}
		part := compare.Part{Kind: kindRole, Name: r.name}
		var err error
		if p.changed(r.name) {
			err = p.compareFormer(ctx, &part)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c := changesOf(&part)
		if err != nil {
			c = report.Changes{Role: r.name, Failed: err.Error()}
		}
		out = append(out, c)
	}
	return out, nil
}

func (p *placer) compareFormer(ctx context.Context, part *compare.Part) error {
	dir, err := p.formerRole(part.Name)
	if err != nil {
		return err
	}
	a, err := openRole(dir)
	if err != nil {
		return err
	}
	b, err := openRole(filepath.Join(p.out, part.Name))
	if err != nil {
		return err
	}
	a.disks, b.disks = placedDisks(p.before, part.Name), placedDisks(p.results, part.Name)
	return compareRoles(ctx, &compare.Reading{Keep: compare.KeepDatabase}, part, a, b)
}

// placedDisks describes a role's disks as they were placed, without reading them.
func placedDisks(results map[string]placed, role string) map[string]string {
	out := map[string]string{}
	for rel, r := range results {
		if f, ok := r.Files[rel]; ok && strings.HasPrefix(rel, role+"/disk.") {
			out[filepath.Base(rel)] = diskText(f.Size, f.Digest)
		}
	}
	return out
}

// How much of a difference the report shows.
const (
	pagePackages = 300
	pageSettings = 200
	pageFiles    = 400
)

// changesOf is a difference as the report shows it.
func changesOf(p *compare.Part) report.Changes {
	out := report.Changes{Role: p.Name}
	for _, c := range p.Packages[:min(pagePackages, len(p.Packages))] {
		out.Packages = append(out.Packages, report.Changed{Sign: sign(c.A == nil, c.B == nil), Name: c.Name, Before: packageText(c, c.A), After: packageText(c, c.B)})
	}
	for _, v := range p.Settings[:min(pageSettings, len(p.Settings))] {
		out.Settings = append(out.Settings, report.Changed{Sign: sign(v.Change == compare.Added, v.Change == compare.Removed), Name: v.Name, Before: v.A, After: v.B})
	}
	for _, l := range p.Layers {
		if !l.Same {
			out.Layers = append(out.Layers, report.Changed{Sign: sign(l.DigestA == "", l.DigestB == ""), Name: l.Made, Before: layerText(l.DigestA, l.SizeA), After: layerText(l.DigestB, l.SizeB)})
		}
	}
	if p.Whole != nil {
		out.Before, out.After = p.Whole.A.Bytes, p.Whole.B.Bytes
	}
	for _, s := range p.Sizes {
		if s.A.Bytes != s.B.Bytes {
			out.Grown = append(out.Grown, report.Grown{Package: s.Package, Before: s.A.Bytes, After: s.B.Bytes})
		}
	}
	count := map[compare.Change]*int{compare.Added: &out.Added, compare.Removed: &out.Removed, compare.Changed: &out.Altered}
	for _, c := range p.Files {
		*count[c.Change]++
	}
	byPackage := slices.SortedStableFunc(slices.Values(p.Files), func(a, b compare.FileChange) int { return cmp.Compare(a.Package, b.Package) })
	for _, c := range byPackage[:min(pageFiles, len(byPackage))] {
		out.Files = append(out.Files, report.Changed{Sign: sign(c.A == nil, c.B == nil), Name: plain(c.Path), Package: c.Package, After: fileFacts(c)})
	}
	return out
}
