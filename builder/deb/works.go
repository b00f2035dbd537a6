package deb

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/maven"
	"github.com/mesos-forge/forge/builder/source/pypi"
)

// artifactWorks are the works in a component's package whose licence is not the component's, one
// for each licence and its holders, sorted.
func artifactWorks(c *recipe.Component) ([]Work, error) {
	works := map[string]Work{}
	add := func(name, file string) {
		a := c.Artifacts[name]
		if a.Licence == "" || a.Licence == c.Licence && len(a.Copyright) == 0 {
			return
		}
		w := Work{Holders: holders(a.Copyright), Licence: a.Licence}
		key := w.Licence + "\n" + strings.Join(w.Holders, "\n")
		w.Files = strings.TrimSpace(works[key].Files + " " + strings.TrimPrefix(file, "/"))
		works[key] = w
	}
	for _, op := range c.Layout {
		if op.Extract != "" {
			add(op.Extract, path.Join(op.To, "*"))
		}
		for _, name := range op.Copy {
			file := op.To
			if strings.HasSuffix(op.To, "/") {
				base, err := fileName(c.Artifacts[name])
				if err != nil {
					return nil, fmt.Errorf("artifact %s: %w", name, err)
				}
				file = path.Join(op.To, base)
			}
			add(name, file)
		}
	}
	var out []Work
	for _, key := range slices.Sorted(maps.Keys(works)) {
		out = append(out, works[key])
	}
	return out, nil
}

// ownWork is what forge itself brings into a component's package: what it says to forge-node, and jars of sources of
// the recipe's.
func ownWork(c *recipe.Component) Work {
	w := Work{Files: strings.TrimPrefix(shareDir, "/") + "/*", Holders: []string{authors}, Licence: "Apache-2.0"}
	for _, op := range c.Layout {
		if op.Java != "" {
			w.Files += " " + strings.TrimPrefix(op.To, "/")
		}
	}
	return w
}

// fileName is what an artifact's file is called in a package; for an operator's file, a pattern.
func fileName(a recipe.Artifact) (string, error) {
	name := ""
	for _, s := range a.Sources {
		switch {
		case s.Maven != "":
			co, err := maven.Parse(s.Maven)
			return co.File(), err
		case s.PyPI != "":
			req, err := pypi.Parse(s.PyPI)
			return req.File(), err
		case s.HTTP != "":
			return path.Base(s.HTTP), nil
		case name == "" && s.MavenBuild != nil:
			name = path.Base(s.MavenBuild.Jar)
		case name == "":
			name = s.File
		}
	}
	return name, nil
}
