package builder

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source/file"
)

// Without is an optional component that is left out, since the operator brings nothing that it could be made of.
type Without struct {
	Component string `json:"component"`
	Why       string `json:"why"` // "no hadoop-mesos-*.jar in vendor and no builds.hadoop-mesos in forge.yaml"
}

// String is the line for people.
func (w Without) String() string { return "without " + w.Component + ": " + w.Why }

// choose takes the optional components out of a stack that have nothing in the operator's folder, the settings
// or the lock. It is asked once: whatever is built, rendered or locked then is of the stack that it returns.
func (p pins) choose(s *recipe.Stack, vendor string) (*recipe.Stack, []Without, error) {
	folder := file.Open(vendor)
	defer folder.Close()
	var left []Without
	var names []string
	for _, name := range s.OptionalComponents() {
		why, err := p.missing(s.Components[name], folder, vendor)
		if err != nil {
			return nil, nil, fmt.Errorf("component %s: %w", name, err)
		}
		if why != "" {
			left, names = append(left, Without{name, why}), append(names, name)
		}
	}
	if len(names) == 0 {
		return s, nil, nil
	}
	return s.Without(names...), left, nil
}

// missing says why an optional component can't be made, or "". One of its artifacts is enough for it to be wanted:
// what is wrong with the others is told as for any component.
func (p pins) missing(c *recipe.Component, folder *file.Folder, vendor string) (string, error) {
	var lacks []string
	for _, artifact := range sortedNames(c.Artifacts) {
		a, name := c.Artifacts[artifact], c.Name+"/"+artifact
		_, pinned := p.artifact(name, a)
		if p.isBuilt(artifact, a) || pinned && !p.write {
			return "", nil
		}
		globs, found, err := matches(folder, a)
		if err != nil || len(found) > 0 {
			return "", err
		}
		if err := refuse(folder, a, globs, vendor); err != nil {
			return "", err
		}
		if err := p.unmet(name); err != nil {
			return "", err
		}
		lack := fmt.Sprintf("no %s in %s", strings.Join(globs, " or "), filepath.Base(vendor))
		if buildOf(a) != nil {
			lack += fmt.Sprintf(" and no builds.%s in forge.yaml", artifact)
		}
		lacks = append(lacks, lack)
	}
	return strings.Join(lacks, "; "), nil
}

// unmet is the error of a build from a lock alone that could not hold what the lock has.
func (p pins) unmet(name string) error {
	if !p.only || p.lock == nil {
		return nil
	}
	line, ok := p.lock.Artifact(name)
	if !ok {
		return nil
	}
	return fmt.Errorf("lock %s has the artifact %s (%s), which the settings do not name: write into forge.yaml what it was built of, or make the lock anew without it",
		p.file, name, strings.TrimSpace(line.Kind+" "+line.Purl))
}

// Without lists the optional components of the roles asked for that this build leaves out.
func (b *Builder) Without() []Without {
	return slices.DeleteFunc(slices.Clone(b.left), func(w Without) bool {
		return !slices.ContainsFunc(b.opt.Roles, func(name string) bool {
			r, err := b.whole.Role(name)
			return err == nil && slices.Contains(r.Components, w.Component)
		})
	})
}
