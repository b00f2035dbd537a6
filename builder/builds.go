package builder

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mesos-forge/forge/builder/lock"
	"github.com/mesos-forge/forge/builder/recipe"
	"github.com/mesos-forge/forge/builder/source"
	"github.com/mesos-forge/forge/builder/source/git"
	"github.com/mesos-forge/forge/builder/source/java"
	"github.com/mesos-forge/forge/builder/source/mavenbuild"
	"github.com/mesos-forge/forge/builder/step"
	"github.com/mesos-forge/forge/builder/store"
)

// Build says of what an artifact is built, where its recipe leaves that to the operator.
type Build struct {
	Repository string // URL of a git repository, or a path
	Commit     string // full id
	JavaHome   string // folder of the JDK; "": one of the host's, of the version that the recipe wants
}

// buildOf is the build among the sources of an artifact, or nil.
func buildOf(a recipe.Artifact) *recipe.MavenBuild {
	for _, s := range a.Sources {
		if s.MavenBuild != nil {
			return s.MavenBuild
		}
	}
	return nil
}

// checkBuilds refuses settings of builds that the stack does not have, or that can't be right.
func checkBuilds(s *recipe.Stack, builds map[string]Build) error {
	known := map[string]*recipe.MavenBuild{}
	for _, name := range sortedNames(s.Components) {
		for artifact, a := range s.Components[name].Artifacts {
			m := buildOf(a)
			if m == nil {
				continue
			}
			if other := known[artifact]; other != nil && *other != *m {
				return fmt.Errorf("component %s: artifact %s: its maven_build is not the one that another component has for the same artifact", name, artifact)
			}
			known[artifact] = m
		}
	}
	for _, name := range sortedNames(builds) {
		if known[name] == nil {
			have := "nothing"
			if len(known) > 0 {
				have = strings.Join(slices.Sorted(maps.Keys(known)), ", ")
			}
			return fmt.Errorf("setting builds.%s: the stack %s has no artifact of that name that is built; it builds %s", name, s.Name, have)
		}
		if err := (git.Commit{Repository: builds[name].Repository, ID: builds[name].Commit}).Check(); err != nil {
			return fmt.Errorf("setting builds.%s: %w", name, err)
		}
	}
	return nil
}

// built is an artifact that this build makes of its sources.
type built struct {
	record, jar *step.Step
}

// findBuild decides whether an artifact that settings name a repository for is built now: one that is pinned
// and at hand is taken as it is.
func (b *Builder) findBuild(c *recipe.Component, artifact string, found []string, files *operatorFiles) error {
	a, set := c.Artifacts[artifact], b.opt.Builds[artifact]
	line, pinned := b.pins.artifact(c.Name+"/"+artifact, a)
	switch {
	case len(found) > 0 && !pinned:
		return fmt.Errorf("%s is in %s, and the setting builds.%s names a repository to build it from: take one of them away", found[0], b.opt.Vendor, artifact)
	case len(found) > 0 || pinned && b.store.HasBlob(sha256Digest(line.SHA256)):
		return nil
	}
	m := buildOf(a)
	jdk, err := java.Find(m.JDK, set.JavaHome)
	if err != nil {
		return fmt.Errorf("setting builds.%s: %w", artifact, err)
	}
	if files.built == nil {
		files.built = map[string]built{}
	}
	files.built[artifact] = b.mavenBuild(artifact, m, set, jdk)
	return nil
}

// mavenBuild makes the steps from a commit to a jar: its tree, the files that its build takes from
// repositories, and the build with these alone.
func (b *Builder) mavenBuild(artifact string, m *recipe.MavenBuild, set Build, jdk java.JDK) built {
	commit := git.Commit{Repository: set.Repository, ID: set.Commit}
	tree := b.once("git/"+artifact, func(name string) *step.Step { return b.gitTree(name, artifact, commit) })
	record := b.once("maven-record/"+artifact, func(name string) *step.Step { return b.mavenRecord(name, artifact, commit, tree, jdk) })
	jar := b.once("maven-build/"+artifact, func(name string) *step.Step {
		return &step.Step{Name: name, Kind: "maven-build", Version: 1, Memory: 1 << 10, Settings: struct{ Jar, JDK string }{m.Jar, jdk.String()},
			Needs: []step.Ref{tree.Out("tree"), record.Out("files")},
			Run: func(ctx context.Context, r *step.Run) error {
				p, err := mavenProject(r, artifact, m.Jar, commit, tree)
				if err != nil {
					return err
				}
				var files []mavenbuild.File
				if err := r.JSON(record.Out("files"), &files); err != nil {
					return err
				}
				res, err := (&mavenbuild.Builder{JDK: jdk, Temp: r.Dir, Log: r.Log}).Build(ctx, p, files, b.store)
				if err != nil {
					return err
				}
				r.PutBlob("jar", res.Digest, res.Size)
				return r.PutJSON("info", fetched{File: res.File, Digest: res.Digest, Size: res.Size})
			}}
	})
	return built{record: record, jar: jar}
}

// gitTree fetches the tree of a commit. Its key is the commit's id, wherever the repository is.
func (b *Builder) gitTree(name, artifact string, commit git.Commit) *step.Step {
	return &step.Step{Name: name, Kind: "git-tree", Version: 1, Settings: struct{ Commit string }{commit.ID},
		Run: func(ctx context.Context, r *step.Run) error {
			if _, err := os.Stat(commit.Repository); err != nil && b.opt.Offline {
				return fmt.Errorf("setting builds.%s: the commit %s is not in the store, and the repository %s is not on this machine (--offline): %s", artifact, commit.ID, commit.Repository, vendorHint)
			}
			res, err := (&git.Client{Temp: r.Dir, Sink: r.Sink}).Tree(commit).Fetch(ctx, source.Artifact{Name: artifact}, b.store)
			if err != nil {
				return fmt.Errorf("setting builds.%w", err)
			}
			r.PutBlob("tree", res.Digest, res.Size)
			return nil
		}}
}

// mavenRecord takes down, and keeps, what a build takes from repositories; with a lock, exactly what that says.
func (b *Builder) mavenRecord(name, artifact string, commit git.Commit, tree *step.Step, jdk java.JDK) *step.Step {
	locked := b.lockedBuild(artifact)
	if b.pins.write {
		locked = nil // a lock made anew takes what comes
	}
	s := &step.Step{Name: name, Kind: "maven-record", Version: 1, Memory: 1 << 10, Settings: struct{ JDK string }{jdk.String()},
		Inputs: map[string]store.Digest{}, Needs: []step.Ref{tree.Out("tree")}}
	if len(locked) > 0 {
		s.Inputs[lockFile+" builds "+artifact] = sha256Digest(lock.BuildDigest(locked))
	}
	s.Run = func(ctx context.Context, r *step.Run) error {
		p, err := mavenProject(r, artifact, "", commit, tree)
		if err != nil {
			return err
		}
		var want []mavenbuild.File
		for _, f := range locked {
			want = append(want, mavenbuild.File{Path: f.Path, Size: f.Size, Digest: sha256Digest(f.SHA256)})
		}
		if lacks := func(f mavenbuild.File) bool { return !b.store.HasBlob(f.Digest) }; b.opt.Offline && (len(want) == 0 || slices.ContainsFunc(want, lacks)) {
			return fmt.Errorf("project %s: the store has not got all files that its build takes from Maven repositories: build it once without --offline", artifact)
		}
		files, err := (&mavenbuild.Builder{JDK: jdk, Temp: r.Dir, Log: r.Log}).Record(ctx, p, want, b.store)
		if err != nil {
			return err
		}
		for _, f := range files { // so that they are kept as long as this result
			r.PutBlob(f.Path, f.Digest, f.Size)
		}
		return r.PutJSON("files", files)
	}
	return s
}

func mavenProject(r *step.Run, artifact, jar string, commit git.Commit, tree *step.Step) (mavenbuild.Project, error) {
	path, err := r.Blob(tree.Out("tree"))
	repeat := fmt.Sprintf("git clone %s %s && cd %s && git checkout %s", commit.Repository, artifact, artifact, commit.ID)
	return mavenbuild.Project{Name: artifact, Tree: path, Jar: jar, Repeat: repeat}, err
}

// lockedBuild is what the lock says that a build takes from repositories.
func (b *Builder) lockedBuild(artifact string) []lock.BuildFile {
	if b.pins.lock == nil {
		return nil
	}
	purl := b.pins.buildPurl(artifact)
	if !slices.ContainsFunc(b.pins.lock.Artifacts, func(a lock.Artifact) bool { return a.Kind == buildKind && a.Purl == purl }) {
		return nil // of another commit
	}
	return b.pins.lock.Builds[artifact]
}

// take reads what the step made, and compares it with the lock if that has it pinned.
func (m built) take(r *step.Run, name string, line lock.Artifact, pinned bool) (fetched, error) {
	var f fetched
	if err := r.JSON(m.jar.Out("info"), &f); err != nil {
		return f, err
	}
	if pinned && f.Digest != sha256Digest(line.SHA256) {
		return f, fmt.Errorf("%w: the same commit was built to other bytes, by another JDK or another Maven than when the lock was made: take those, or make the lock anew with forge lock",
			&store.DigestError{Name: name, Want: sha256Digest(line.SHA256), Got: f.Digest, From: "the build of " + line.Purl})
	}
	return f, nil
}

// lockBuild writes down what the build of an artifact took from repositories.
func lockBuild(run *step.Run, l *lock.Lock, artifact string, record *step.Step) error {
	var files []mavenbuild.File
	if err := run.JSON(record.Out("files"), &files); err != nil {
		return err
	}
	if l.Builds == nil {
		l.Builds = map[string][]lock.BuildFile{}
	}
	l.Builds[artifact] = nil
	for _, f := range files {
		l.Builds[artifact] = append(l.Builds[artifact], lock.BuildFile{Path: f.Path, Size: f.Size, SHA256: f.Digest.Hex()})
	}
	return nil
}
