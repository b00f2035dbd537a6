package lint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/cluster"
	"github.com/mesos-forge/forge/builder/recipe"
)

// Inventory is an inventory to check together with a stack.
type Inventory struct {
	Name string // as it stands in messages: its path
	From io.Reader
}

// Check checks a stack of a checkout, and an inventory, unless that is nil: the inventory by its own rules and
// against the stack, the texts of the stack against what is known of the cluster, and the files that every node
// of the inventory would have. The checkout is best os.Root's FS, which no link leads out of.
//
// An error tells that nothing could be checked at all; what is wrong is in the result.
func Check(checkout fs.FS, stack string, inventory *Inventory) (*Result, error) {
	l := newLinter(&cluster.Facts{})
	var doc *cluster.Document
	if inventory != nil {
		var bad *cluster.InvalidError
		var err error
		if doc, err = cluster.Read(inventory.Name, inventory.From); errors.As(err, &bad) {
			l.problems = append(l.problems, bad.Problems...)
		} else if err != nil {
			return nil, err
		}
	}
	s, err := recipe.Load(checkout, stack)
	if err != nil {
		if !l.recipes(err) {
			return nil, err
		}
		return finish(l, doc, false), nil
	}
	usable := doc != nil && len(cluster.Errors(doc.Problems)) == 0
	if usable {
		l.facts = doc.Inventory.Facts()
	}
	if c, ok := s.Components["mesos"]; ok {
		l.facts.Mesos = c.Version
	}
	l.release = s.Distribution.Suite
	l.overwritten = func(file string) bool { return madeBy(s, file, "").file != file }
	if err := l.stack(s); err != nil {
		return nil, err
	}
	l.sets()
	if doc != nil {
		l.against(s, doc)
	}
	if usable {
		l.everyNode(s, doc.Inventory)
	}
	return finish(l, doc, usable), nil
}

// finish lets the inventory accept what it accepts; whole says that everything was looked at.
func finish(l *linter, doc *cluster.Document, whole bool) *Result {
	if doc != nil {
		all := append(doc.Problems, doc.Inventory.Judge(l.problems)...)
		if whole {
			for _, p := range doc.Inventory.UnusedAcceptances(all) {
				all = append(all, doc.Place(p))
			}
		}
		l.problems = all
	}
	return l.result()
}

// recipes takes over what recipe.Load found, and says whether that was all of the error.
func (l *linter) recipes(err error) bool {
	all := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		all = joined.Unwrap()
	}
	found := false
	for _, e := range all {
		var bad *recipe.Error
		if errors.As(e, &bad) {
			found = true
			l.problems = append(l.problems, cluster.Problem{File: bad.File, Line: bad.Line, Column: bad.Column, Rule: "recipe", Message: bad.Message, Hint: bad.Hint})
		} else if found {
			l.note("%v", e)
		}
	}
	return found
}

// stack scans every file that the stack's results are made of.
func (l *linter) stack(s *recipe.Stack) error {
	inputs := []recipe.Input{{Name: s.Path}}
	for _, name := range slices.Sorted(maps.Keys(s.Components)) {
		inputs = append(append(inputs, s.ComponentInputs(name)...), s.StandinInputs(name)...)
		l.component(s, s.Components[name])
	}
	for _, name := range slices.Sorted(maps.Keys(s.Roles)) {
		inputs = append(inputs, s.RoleInputs(name)...)
	}
	for _, overlay := range []string{s.Rootfs.Overlay, s.Container.Overlay, s.Boot.Overlay} {
		inputs = append(inputs, s.OverlayInputs(overlay)...)
	}
	seen := map[string]bool{}
	for _, in := range inputs {
		if seen[in.Name] || strings.Contains(in.Name, " ") { // "stack.yaml init_system" is a setting of a file
			continue
		}
		seen[in.Name] = true
		content, why := readText(s.FS, in.Name)
		switch {
		case why == "not a text":
		case why != "":
			if path.Base(in.Name) != "overlay.yaml" { // an overlay may have none
				return fmt.Errorf("read %s: %s", in.Name, why)
			}
		default:
			l.scan(stackText(in.Name, content))
		}
	}
	return nil
}

// stackText says how a file of the checkout is read.
func stackText(name, content string) text {
	t := text{at: place{file: name, line: 1, column: 1}, content: content}
	elements := strings.Split(name, "/")
	switch {
	case path.Base(name) == "overlay.yaml", path.Ext(name) == ".yaml" && elements[0] == "recipes":
		t.kind = yamlRecipe
	case elements[0] == "overlays" && len(elements) > 2:
		t.path = "/" + strings.Join(elements[2:], "/")
		t.kind = kindOf(t.path)
	case strings.HasSuffix(name, ".xml"):
		t.path, t.kind = path.Base(name), kindOf("/"+path.Base(name))
	default:
		t.kind = kindOf("/" + path.Base(name))
	}
	if t.kind == plain && strings.HasPrefix(content, "#!") {
		t.kind = script
	}
	if elements[0] == "recipes" && t.kind == plain && maintainerScript.MatchString(path.Base(name)) {
		t.kind = script
	}
	return t
}

var maintainerScript = regexp.MustCompile(`^(pre|post)(inst|rm|install|remove)`)

// component notes the versions of a component, and checks users that it makes.
func (l *linter) component(s *recipe.Stack, c *recipe.Component) {
	at := lineOf(s.FS, c.Path, "version:")
	switch c.Name {
	case "mesos":
		l.see(sawMesosDeb, c.Version, at, "")
	case "marathon":
		l.see(sawMarathon, c.Version, at, "")
	case "hadoop-mesos":
		l.see(sawHadoopMesos, c.Version, at, "")
	case "spark":
		l.see(sawSparkVersion, c.Version, at, "")
	}
	if m := cdhVersion.FindStringSubmatch(c.Version); m != nil {
		l.see(sawCDH, m[1], at, "")
	}
	for _, u := range c.Users {
		if u.Name == "hadoop" {
			l.add(lineOf(s.FS, c.Path, "name: hadoop"), cluster.Finding{Rule: "F09", Message: "the user hadoop collides with the group of that name that the packages share", Hint: "use hdfs and mapred, the users of the packages"})
		}
	}
	for _, name := range append(append([]string{}, c.Debian...), c.Package.Depends...) {
		l.see(sawInstall, name, at, "")
	}
	for _, svc := range c.Services { // a service of its own is a package of that name
		l.see(sawInstall, svc.Name, at, "")
	}
}

var cdhVersion = regexp.MustCompile(`cdh([0-9]+\.[0-9]+\.[0-9]+)`)

// lineOf finds the first line of a recipe that holds a text, outside of comments.
func lineOf(fsys fs.FS, file, wanted string) place {
	if at := lineAfter(fsys, place{file: file}, wanted); at.line > 0 {
		return at
	}
	return place{file: file}
}

// lineAfter finds such a line behind a place; line 0: there is none.
func lineAfter(fsys fs.FS, from place, wanted string) place {
	content, _ := readText(fsys, from.file)
	n := 0
	for line := range strings.Lines(content) {
		if n++; n <= from.line {
			continue
		}
		if i := strings.Index(code(line), wanted); i >= 0 {
			return place{from.file, n, i + 1}
		}
	}
	return place{}
}

// against checks an inventory against the stack that is to carry it.
func (l *linter) against(s *recipe.Stack, doc *cluster.Document) {
	inv := doc.Inventory
	files := map[string]bool{}
	for _, c := range s.Components {
		for _, f := range c.Files {
			for _, name := range f.Extra {
				files[name] = !strings.HasPrefix(name, "node.")
			}
		}
	}
	maps.DeleteFunc(files, func(_ string, named bool) bool { return !named })
	known := slices.Sorted(maps.Keys(files))
	var problems []cluster.Problem
	for _, name := range slices.Sorted(maps.Keys(inv.Extra)) {
		if !files[name] {
			problems = append(problems, cluster.Problem{Path: "extra." + name, Rule: "unknown-extra",
				Message: fmt.Sprintf("extra.%s: no component of the stack %s renders that file%s", name, s.Name, cluster.DidYouMean(name, known)), Hint: "known names: " + strings.Join(known, ", ")})
		}
	}
	roles := slices.Sorted(maps.Keys(s.Roles))
	for i, n := range inv.Nodes {
		if _, ok := s.Roles[n.Role]; !ok && n.Role != "" {
			problems = append(problems, cluster.Problem{Path: fmt.Sprintf("nodes[%d].role", i), Rule: "unknown-role",
				Message: fmt.Sprintf("node %q has the role %q, and the stack %s has no such role%s", n.Name, n.Role, s.Name, cluster.DidYouMean(n.Role, roles)), Hint: "its roles: " + strings.Join(roles, ", ")})
		}
	}
	for _, section := range []struct {
		name string
		set  bool
	}{{"marathon", inv.Marathon != (cluster.Marathon{})}, {"azkaban", inv.Azkaban != nil}, {"spark", inv.Spark != (cluster.Spark{})}} {
		if _, ok := s.Components[section.name]; section.set && !ok {
			problems = append(problems, cluster.Problem{Path: section.name, Rule: "F03",
				Message: fmt.Sprintf("%s is set up here, and the stack %s has no component of that name: nothing would install it", section.name, s.Name), Hint: "take another stack, or remove the section"})
		}
	}
	if len(cluster.Errors(doc.Problems)) == 0 {
		problems = append(problems, newExtra(inv.CheckExtra(l.facts), doc.Problems)...)
	}
	for _, p := range problems {
		l.problems = append(l.problems, doc.Place(p))
	}
}

// newExtra are those problems of extra settings that the inventory alone did not show.
func newExtra(now, before []cluster.Problem) []cluster.Problem {
	return slices.DeleteFunc(now, func(p cluster.Problem) bool {
		return slices.ContainsFunc(before, func(b cluster.Problem) bool { return b.Path == p.Path && b.Rule == p.Rule })
	})
}
